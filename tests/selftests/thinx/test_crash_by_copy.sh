#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Both devices are copied, metadata first, while fio writes and calls fsync now and
# then: the copy can be opened, is sound, and has everything fsynced before.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 128
disk META2 8
disk DATA2 128
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 32M
write_synced /dev/mapper/t2 0 8M 5
spawn fio --name=w --filename=/dev/mapper/t1 --direct=1 --ioengine=libaio \
	--iodepth=8 --rw=randwrite --bsrange=4k-128k --size=64M --time_based \
	--runtime=3000 --fsync=32 --norandommap
writer=$spawned
require wait_until 120 loaded t1
for i in 1 2 3; do
	sleep 1
	# A frozen pool would be the easier case: this one is running.
	require dd if="$META" of="$META2" bs=1M iflag=direct oflag=direct status=none
	require dd if="$DATA" of="$DATA2" bs=1M iflag=direct oflag=direct status=none
	if ! thin_check -q "$META2"; then
		# The copy is not of one instant; suspend the pool and copy again.
		require dmsetup suspend --noflush --nolockfs pool
		require dd if="$META" of="$META2" bs=1M iflag=direct oflag=direct status=none
		require dd if="$DATA" of="$DATA2" bs=1M iflag=direct oflag=direct status=none
		require dmsetup resume pool
	fi
	ok "the copy is sound ($i)" thin_check -q "$META2"
	pool=pool2 make_pool "$META2" "$DATA2"
	pool=pool2 activate c2 2 32M
	ok "the fsynced volume is whole ($i)" blockio verify /dev/mapper/c2 0 8M 5
	ok "its holes are holes ($i)" blockio zeros /dev/mapper/c2 8M 8M
	pool=pool2 activate c1 1 64M
	ok "the other can be read ($i)" blockio read /dev/mapper/c1 0 64M
	remove c1 c2 pool2
done
ok "fio is still running" running $writer
stop $writer
finish
