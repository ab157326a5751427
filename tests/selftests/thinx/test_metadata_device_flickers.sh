#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A metadata device fails all requests for a moment now and then: the pool becomes
# read-only or fails, but never returns wrong data; each time the flag can be cleared
# and what was committed is there.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 2
disk DATA 64
# Frees blocks all the time, so that writes always need new ones.
cat > "$scratch/trim" << 'TRIM'
while :; do
	blkdiscard -o 8M -l 20M /dev/mapper/t1
	sleep 0.2
done
TRIM
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
make_thin t1 1 32M
write_synced /dev/mapper/t1 0 4M 1
remove t1 pool
for round in 1 2; do
	make_pool /dev/mapper/meta "$DATA"
	is "$(pool_mode)" rw "round $round: writable"
	activate t1 1 32M
	# Up for two seconds, down for one, and so on.
	rewrap meta flakey "$META" 0 2 1
	spawn fio --name=w --filename=/dev/mapper/t1 --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randrw --bs=4k \
		--offset=8M --size=20M --time_based --runtime=3000 \
		--continue_on_error=all --fsync=8
	load=$spawned
	spawn bash "$scratch/trim"
	trim=$spawned
	ended() { [[ $(status) == *Fail ]] || mode_is ro; }
	ok "round $round: it stops writing" wait_until 300 ended
	logged "switching pool to (read-only|fail) mode" "round $round: logged"
	log_mark
	stop "$load"
	stop "$trim"
	healed meta "$META"
	if [[ $(status) == *Fail ]]; then
		echo "# failed"
	else
		is "$(pool_field 11)" needs_check "round $round: needs_check"
		ok "round $round: what was committed can be read" \
			blockio verify /dev/mapper/t1 0 4M 1
	fi
	remove t1 pool
	ok "round $round: sound but for the flag" \
		thin_check -q --clear-needs-check-flag /dev/mapper/meta
done
make_pool /dev/mapper/meta "$DATA"
activate t1 1 32M
ok "what was committed is there" blockio verify /dev/mapper/t1 0 4M 1
ok "and it can be written" blockio fua /dev/mapper/t1 0 4M 2
finish
