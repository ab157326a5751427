#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Requests to both devices fail at random under load: that may cause errors and a
# read-only pool, but never wrong data, a crash or damaged metadata.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

fault=/sys/kernel/debug/fail_make_request
[ -d $fault ] || skip_all "the kernel has no fault injection"
disk META 8
disk DATA 128
for round in 1 2; do
	make_pool "$META" "$DATA"
	if [ $round = 1 ]; then
		make_thin t1 1 64M
		make_thin t2 2 64M
		write_synced /dev/mapper/t2 0 8M 2
	else
		activate t1 1 64M
		activate t2 2 64M
	fi
	t=/dev/mapper/t1
	spawn fio --name=w --filename=$t --direct=1 --ioengine=libaio \
		--iodepth=16 --rw=randrw --bsrange=4k-128k --size=64M \
		--time_based --runtime=3000 --continue_on_error=all --fsync=64
	require wait_until 120 loaded t1
	echo 0 > $fault/verbose
	case $((round % 2)) in
	1) echo 1 > "/sys/block/${META##*/}/make-it-fail" ;;
	0) echo 1 > "/sys/block/${DATA##*/}/make-it-fail" ;;
	esac
	echo 10 > $fault/interval
	echo -1 > $fault/times
	echo 20 > $fault/probability
	for i in 1 2 3 4; do
		msg create_snap $((i + 10)) 1 > /dev/null 2>&1
		blockio discard $t 16M 8M > /dev/null 2>&1
		blockio write /dev/mapper/t2 $((i + 16))M 1M 3 > /dev/null 2>&1
		msg delete $((i + 9)) > /dev/null 2>&1
		sleep 0.2
	done
	echo 0 > $fault/probability
	echo 0 > "/sys/block/${META##*/}/make-it-fail"
	echo 0 > "/sys/block/${DATA##*/}/make-it-fail"
	stop $spawned
	echo "# round $round: $(status)"
	remove t1 t2 pool
	ok "sound but for the flag ($round)" \
		thin_check -q --clear-needs-check-flag "$META"
	make_pool "$META" "$DATA"
	activate t2 2 64M
	ok "what was not written to is unharmed ($round)" \
		blockio verify /dev/mapper/t2 0 8M 2
	remove t2 pool
done
finish
