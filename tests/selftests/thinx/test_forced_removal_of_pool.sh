#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool is removed by force while volumes use it: the volumes fail from then on and
# can be removed, nothing is leaked, and everything written before is there when the
# pool is set up again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target leaks its metadata object and does not commit"
disk META 8
disk DATA 64
for round in 1 2 3; do
	make_pool "$META" "$DATA"
	if [ $round = 1 ]; then
		make_thin t1 1 32M
		make_thin t2 2 32M
	else
		activate t1 1 32M
		activate t2 2 32M
	fi
	ok "round $round: written, not synced" \
		blockio write /dev/mapper/t1 0 8M $round
	ok "round $round: a discard" blockio discard /dev/mapper/t1 16M 1M
	log_mark
	# dmsetup says busy, but has replaced the table with one that fails all I/O.
	timeout 120 dmsetup remove --force pool > /dev/null 2>&1
	is "$(dmsetup table pool | cut -d' ' -f3)" error \
		"round $round: the pool's table is gone"
	fails "round $round: reads fail" EIO blockio read /dev/mapper/t1 0 64k
	fails "round $round: writes fail" EIO \
		blockio write /dev/mapper/t1 20M 64k 9
	fails "round $round: fsync fails" EIO blockio sync /dev/mapper/t1
	is "$(status t1)" "0 65536 $TARGET_THIN Fail" "round $round: status"
	like "$(dmsetup table t1)" "^0 65536 $TARGET_THIN [0-9:]+ 1$" \
		"round $round: the table can be read back"
	pool=again make_pool "$META" "$DATA"
	is "$(pool_field 8 again)" rw "round $round: its devices are free for another pool"
	remove again
	if [ $round = 2 ]; then
		remove t2 t1
	else
		remove t1 t2
	fi
	remove pool
	not_logged "still open|leak" "round $round: nothing was left open"
	ok "round $round: sound" thin_check -q "$META"
	make_pool "$META" "$DATA"
	is "$(pool_mode) $(pool_field 11)" "rw -" "round $round: set up again"
	activate t1 1 32M
	ok "round $round: what was written is there" \
		blockio verify /dev/mapper/t1 0 8M $round
	ok "round $round: later writes are not" \
		blockio zeros /dev/mapper/t1 20M 64k
	remove t1 pool
done
ok "the module is free" wait_until 120 bash -c \
	"[ \$(cat /sys/module/${loaded[0]}/refcnt) = 0 ]"
finish
