#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Suspending a volume waits for its own I/O, holds back what follows, and affects no
# other volume.  Without flushing, writes that wait for space are given back to
# device-mapper and retried after the resume.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "dm-thin suspends the volumes with their pool"

timeout=0 small_pool 40
make_thin t1 1 32M
make_thin t2 2 32M
require blockio write /dev/mapper/t1 0 1M 1
require timeout 120 dmsetup suspend t1
spawn_out=$scratch/out1 spawn blockio write /dev/mapper/t1 0 64k 2
w1=$spawned
ok "the other volume is written" blockio write /dev/mapper/t2 0 512k 2
ok "flushed" blockio sync /dev/mapper/t2
ok "discarded" blockio discard /dev/mapper/t2 0 512k
ok "messages are accepted" msg create_snap 3 1
ok "the pool can be suspended" timeout 120 dmsetup suspend pool
ok "the volume resumed meanwhile" timeout 120 dmsetup resume t1
ok "suspended again, with I/O waiting or not, or refused in time" \
	bash -c 'timeout -k 60 20 dmsetup suspend --noflush --nolockfs t1; [ $? -le 124 ]'
ok "the pool resumed" timeout 120 dmsetup resume pool
ok "and the volume" timeout 120 dmsetup resume t1
succeeds "$w1" "the write ends"
ok "it is there" blockio verify /dev/mapper/t1 0 64k 2
activate t3 3 32M
ok "the snapshot does not have it" blockio verify /dev/mapper/t3 0 1M 1
remove t3
require msg delete 3

# Full: a write of each volume waits.
used=$(data_used)
require blockio write /dev/mapper/t1 1M $(((40 - used) * 64))k 1
spawn_out=$scratch/out1 spawn blockio write /dev/mapper/t1 16M 64k 3
w1=$spawned
spawn_out=$scratch/out2 spawn blockio write /dev/mapper/t2 16M 64k 4
w2=$spawned
becomes out_of_data_space "full"
require wait_until 120 blocked "$w1"
require wait_until 120 blocked "$w2"
sleep 1
for i in 1 2 3; do
	begin=$SECONDS
	ok "suspended without flushing ($i)" \
		timeout 120 dmsetup suspend --noflush --nolockfs t1
	ok "at once" test $((SECONDS - begin)) -le 60
	ok "the write waits" running "$w1"
	require timeout 120 dmsetup resume t1
	sleep 0.3
	ok "resumed: it waits" running "$w1"
done
require timeout 120 dmsetup suspend --noflush --nolockfs t1
# Room for one: the suspended volume must not get it.
resize_pool 41
succeeds "$w2" "room for one: the write of the other volume ends"
ok "that of the suspended one waits" running "$w1"
resize_pool 42
sleep 0.5
ok "room for another: it still waits" running "$w1"
require timeout 120 dmsetup resume t1
succeeds "$w1" "resumed: it is done"
ok "both are there" blockio verify /dev/mapper/t1 16M 64k 3
ok "both" blockio verify /dev/mapper/t2 16M 64k 4

# A flushing suspend waits for what waits for space.
spawn_out=$scratch/out1 spawn blockio write /dev/mapper/t1 20M 64k 5
w1=$spawned
becomes out_of_data_space "full"
spawn_out=$scratch/out2 spawn dmsetup suspend t1
s1=$spawned
sleep 2
ok "a flushing suspend waits for the write" running "$s1"
resize_pool 60
succeeds "$s1" "with room it ends"
ok "the write has" wait "$w1"
require timeout 120 dmsetup resume t1
ok "it is there" blockio verify /dev/mapper/t1 20M 64k 5
finish
