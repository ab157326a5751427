#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Discards, overwrites, reads and snapshots of the same few blocks at once: a read
# always returns what was written to that volume, never data of another one.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 32
make_pool "$META" "$DATA" error_if_no_space
make_thin t1 1 8M
make_thin t2 2 8M
seconds=${RACE_SECONDS:-12}

# Only 0xaa is written to t1 and only 0xbb to t2: t1 shows nothing but 0xaa and zero.
spawn_out=$scratch/o1 spawn fio --name=a --filename=/dev/mapper/t1 --direct=1 \
	--ioengine=libaio --iodepth=16 --rw=randwrite --bsrange=4k-128k --size=8M \
	--buffer_pattern=0xaa --time_based --runtime=3000 --norandommap --continue_on_error=all
a=$spawned
spawn_out=$scratch/o2 spawn fio --name=b --filename=/dev/mapper/t2 --direct=1 \
	--ioengine=libaio --iodepth=16 --rw=randwrite --bsrange=4k-128k --size=8M \
	--buffer_pattern=0xbb --time_based --runtime=3000 --norandommap --continue_on_error=all
b=$spawned
# shellcheck disable=SC2016 # for the inner shell
spawn_out=$scratch/o3 spawn bash -c 'while :; do
	blockio discard /dev/mapper/t1 $((RANDOM % 64))64k 1M
	blockio discard /dev/mapper/t2 $((RANDOM % 64 * 128))k 1M
	blockio discard /dev/mapper/t1 0 8M; done'
c=$spawned
require wait_until 120 loaded t1
require wait_until 120 loaded t2
end=$((SECONDS + seconds))
passes=0
foreign=0
while [ $SECONDS -lt $end ] && [ $foreign = 0 ]; do
	dd if=/dev/mapper/t1 bs=1M iflag=direct status=none |
		LC_ALL=C tr -d '\000\252' | head -c 16 > "$scratch/foreign"
	[ ! -s "$scratch/foreign" ] || foreign=$((foreign + 1))
	dd if=/dev/mapper/t2 bs=1M iflag=direct status=none |
		LC_ALL=C tr -d '\000\273' | head -c 16 > "$scratch/foreign2"
	[ ! -s "$scratch/foreign2" ] || foreign=$((foreign + 1))
	if [ $((passes % 4)) = 0 ]; then
		snapshot t2 2 3
		activate s3 3 8M
		dd if=/dev/mapper/s3 bs=1M iflag=direct status=none > "$scratch/snap1"
		LC_ALL=C tr -d '\000\273' < "$scratch/snap1" | head -c 16 > "$scratch/foreign2"
		[ ! -s "$scratch/foreign2" ] || foreign=$((foreign + 1))
		dd if=/dev/mapper/s3 bs=1M iflag=direct status=none > "$scratch/snap2"
		cmp "$scratch/snap1" "$scratch/snap2" | diag
		cmp -s "$scratch/snap1" "$scratch/snap2" || foreign=$((foreign + 1))
		remove s3
		require msg delete 3
	fi
	passes=$((passes + 1))
done
is $foreign 0 "in $passes passes nothing foreign was read"
[ $foreign = 0 ] || xxd "$scratch/foreign" | diag
[ $foreign = 0 ] || xxd "$scratch/foreign2" | diag
ok "the first writer is still running" running $a
ok "so is the second" running $b
stop $c
stop $a
stop $b
finish
