#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What may be an external origin: a read-only device, one with larger sectors, a
# volume of another pool.  A volume of the same pool may not.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk META2 8
disk DATA2 64
disk ORIGIN 8
disk FILE 8
p=/dev/mapper/pool
make_pool "$META" "$DATA"
require blockio write "$ORIGIN" 0 8M 7
require blockdev --setro "$ORIGIN"
make_thin t1 1 16M "$ORIGIN"
ok "a read-only device" blockio verify /dev/mapper/t1 0 8M 7
ok "written" blockio write /dev/mapper/t1 1M 4k 1
ok "copied" blockio verify /dev/mapper/t1 1028k 60k 7
remove t1
require blockdev --setrw "$ORIGIN"

# Another target of the table opens it for writing; dm-thin loses the device it had.
if is_thinx; then
	require msg create_thin 9
	require dmsetup create two << TABLE
0 8192 $TARGET_THIN $p 9 $(major_minor "$ORIGIN")
8192 4096 linear $ORIGIN 1024
TABLE
	ok "in two targets of a table: read" blockio verify /dev/mapper/two 0 4M 7
	like "$(dmsetup table two | head -n 1)" " $(major_minor "$ORIGIN")\$" "its table"
	remove two
fi

pool=pool2 make_pool "$META2" "$DATA2"
pool=pool2 make_thin far 1 8M
require blockio write /dev/mapper/far 0 6M 8
make_thin t2 2 16M /dev/mapper/far
ok "a volume of another pool" blockio verify /dev/mapper/t2 0 6M 8
ok "its holes" blockio zeros /dev/mapper/t2 6M 10M
ok "written" blockio write /dev/mapper/t2 1M 4k 1
ok "copied" blockio verify /dev/mapper/t2 1028k 60k 8
busy w --filename=/dev/mapper/t2 --direct=1 --ioengine=libaio \
	--iodepth=8 --rw=randwrite --bsrange=4k-96k --size=16M --io_size=8M \
	--verify=crc32c --verify_fatal=1
writer=$spawned
require wait_until 120 loaded t2
for _ in 1 2 3 4 5; do
	for q in pool pool2; do
		require timeout 120 dmsetup suspend --noflush --nolockfs $q
		sleep 0.1
		require timeout 120 dmsetup resume $q
	done
done
ok "the load is still running" running "$writer"
calm
wait "$writer"
ok "a load over it, with both pools suspended in turn" test $? = 0
remove t2 far pool2

if is_thinx; then
	make_thin near 3 8M
	require blockio write /dev/mapper/near 0 4M 3
	require msg create_thin 4
	log_mark
	fails "a volume of the same pool" "" dmsetup create t4 \
		--table "$(thin_table 4 16M /dev/mapper/near)"
	logged "$TARGET_THIN: Error setting origin device \(-(EINVAL|22)\)" "is refused"
	fails "by number, too" "" dmsetup create t4 --table \
		"$(thin_table 4 16M "$(major_minor /dev/mapper/near)")"
	fails "the pool's own device by number" "" dmsetup create t4 --table \
		"$(thin_table 4 16M "$(major_minor $p)")"
	remove near
	require dmsetup create o --table "0 16384 linear $ORIGIN 0"
	activate t4 4 16M /dev/mapper/o
	log_mark
	fails "an origin cannot become a volume of the pool" "" \
		dmsetup load o --table "$(thin_table 3 8M)"
	logged "$TARGET_THIN: Error setting origin device \(-(EINVAL|22)\)" "is refused"
	remove t4 o
	big=$(losetup -f --show --sector-size 4096 "$scratch/FILE") || bail losetup
	_loops+=("$big")
	require blockio write "$big" 0 8M 5
	make_thin t5 5 16M "$big"
	is "$(queue /dev/mapper/t5 logical_block_size)" 4096 "sectors of 4 KiB"
	fails "no smaller requests" EINVAL env BLOCKIO_SIZE=512 \
		blockio read /dev/mapper/t5 512 512
	ok "reads" env BLOCKIO_SIZE=4k blockio verify /dev/mapper/t5 0 8M 5
	ok "writes" blockio write /dev/mapper/t5 1M 4k 6
	ok "copies" blockio verify /dev/mapper/t5 1028k 60k 5
	remove t5 pool

	# The other way round: the pool has sectors of 4 KiB, and the origin ends in one.
	blank "$META"
	make_pool "$META" "$big"
	make_thin t6 6 4M
	require dmsetup create o --table "0 1001 linear $ORIGIN 0"
	require msg create_thin 7
	log_mark
	fails "the origin ends inside a sector of the data device" "Invalid argument" \
		dmsetup create t7 --table "$(thin_table 7 4M /dev/mapper/o)"
	logged "origin has 1001 sectors, not a multiple of .* 8 sectors" "says so"
	dmsetup remove t7 2> /dev/null
	ok "which does not matter if the volume ends before it" dmsetup create t7 \
		--table "$(thin_table 7 64k /dev/mapper/o)"
	remove t7 t6 o
fi
finish
