#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# create_snap while the origin is active, not suspended and being written: the
# snapshot does not change afterwards.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target needs the origin suspended"
disk META 16
disk DATA 512
make_pool "$META" "$DATA"
make_thin t1 1 16M
require blockio write /dev/mapper/t1 0 16M 1
spawn fio --name=w --filename=/dev/mapper/t1 --direct=1 --ioengine=libaio \
	--iodepth=16 --rw=randwrite --bs=4k --size=16M --time_based \
	--runtime=3000 --norandommap --randrepeat=0
writer=$spawned
require wait_until 120 loaded t1
for i in 2 3 4 5; do
	require msg create_snap $i 1
	activate "s$i" $i 16M
	a=$(dd if="/dev/mapper/s$i" bs=1M iflag=direct status=none | sha256sum)
	sleep 1
	b=$(dd if="/dev/mapper/s$i" bs=1M iflag=direct status=none | sha256sum)
	is "$b" "$a" "snapshot $i does not change under writes to its origin"
done
ok "the writer is still running" running "$writer"
stop "$writer"
for i in 2 3 4 5; do
	remove "s$i"
	require msg delete $i
done
ok "the origin can be read throughout" blockio read /dev/mapper/t1 0 16M
finish
