#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Data and metadata grow in small steps while volumes are written and verified,
# undisturbed.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 2M
disk DATA 150M
pool_sectors=$((2200 * 128))
make_pool "$META" "$DATA"
make_thin t1 1 32M
make_thin t2 2 32M
for i in 1 2; do
	busy fio$i --filename=/dev/mapper/t$i --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randrw --bsrange=4k-128k \
		--size=32M --io_size=24M --verify=crc32c \
		--verify_fatal=1 --verify_backlog=64 --randseed=$i --fsync=32
	fio_pids[i]=$spawned
	require wait_until 120 loaded t$i
done
data=2200
meta=2048
times=0
n=$(events)
while [ $times -lt 8 ]; do
	times=$((times + 1))
	data=$((data + 37))
	meta=$((meta + 52))
	[ $((data * 64)) -le $(($(size_of "$DATA") / 2)) ] ||
		disk_grow DATA $((data * 64 + 640))k
	[ $((times % 2)) = 0 ] || disk_grow META ${meta}k
	pool_sectors=$((data * 128))
	require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
	require timeout 120 dmsetup resume pool
	like "$(status)" "/$data - rw " "step $times: $data blocks"
	# After a snapshot, overwriting needs new blocks.
	[ $times -gt 2 ] || require msg create_snap $((times + 100)) $times
	sleep 0.3
	if ! running "${fio_pids[1]}" || ! running "${fio_pids[2]}"; then
		break
	fi
done
calm
for i in 1 2; do
	fio_succeeded "$i" "${fio_pids[i]}"
done
disk_grow META ${meta}k
suspend_and_resume pool
like "$(pool_field 5)" "/$((meta / 4))$" "metadata is as large as its device"
is "$(events)" "$n" "growth raises no event"
finish
