#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Suspending a full pool in order to grow it waits neither for the writes it holds
# nor for their timeout, whatever the kind of suspend; they complete when there is
# space.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=300 small_pool 20
for i in 1 2 3; do
	make_thin t$i $i 64M
done
require blockio write /dev/mapper/t1 0 1280k 1
for i in 1 2 3; do
	spawn_out=$scratch/out$i
	spawn blockio write /dev/mapper/t$i $((8 + i))M 256k $i
	writer[i]=$spawned
done
# Buffered, followed by an fsync.
spawn_out=$scratch/out4
spawn dd if=/dev/zero of=/dev/mapper/t3 bs=64k count=16 conv=fsync,notrunc \
	status=none
writer[4]=$spawned
becomes out_of_data_space "full"
sleep 2
for how in "" "--noflush" "--nolockfs" "--noflush --nolockfs"; do
	begin=$SECONDS
	# shellcheck disable=SC2086 # options
	ok "suspend ${how:-plainly}" timeout 120 dmsetup suspend $how pool
	ok "at once" test $((SECONDS - begin)) -le 100
	like "$(status)" "20/20 - out_of_data_space" "status"
	ok "resume" timeout 120 dmsetup resume pool
	for i in 1 2 3 4; do
		ok "$i waits" running "${writer[i]}"
	done
done
# What a volume manager does: the table first, then suspend, change, resume.
pool_sectors=$((100 * 128))
begin=$SECONDS
require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
ok "suspend with a new table" timeout 120 dmsetup suspend --noflush pool
ok "resume" timeout 120 dmsetup resume pool
ok "at once" test $((SECONDS - begin)) -le 100
for i in 1 2 3 4; do
	succeeds "${writer[i]}" "$i ends"
done
for i in 1 2 3; do
	ok "what it wrote is there" \
		blockio verify /dev/mapper/t$i $((8 + i))M 256k $i
done
ok "so are the zeros" blockio zeros /dev/mapper/t3 0 1M
ok "what was before is unharmed" blockio verify /dev/mapper/t1 0 1280k 1
is "$(data_used)" 48 "blocks in use"
is "$(pool_mode)" rw "write mode"
finish
