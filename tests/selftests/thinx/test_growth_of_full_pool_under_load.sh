#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool that is too small for its load fills up and is grown, again and again: the
# load notices nothing but the delay.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 16M
echo 0 > "$parameters/no_space_timeout"
pool_sectors=$((32 * 128))
make_pool "$META" "$DATA"
make_thin t1 1 48M
make_thin t2 2 48M
for i in 1 2; do
	spawn_out=$scratch/out$i
	spawn fio --name=v$i --filename=/dev/mapper/t$i --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randwrite --bsrange=4k-96k \
		--size=48M --io_size=40M --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --randseed=$i --fsync=16 \
		--output="$scratch/fio$i"
	fio_pids[i]=$spawned
done
is_over() { ! running "${fio_pids[1]}" && ! running "${fio_pids[2]}"; }
full_or_over() { mode_is out_of_data_space || is_over; }
times=0
blocks=32
while ! is_over; do
	wait_until 400 full_or_over || break
	is_over && break
	times=$((times + 1))
	blocks=$((blocks + 250))
	[ $((blocks * 64)) -le $(($(size_of "$DATA") / 2)) ] ||
		disk_grow DATA $((blocks * 64 + 64))k
	pool_sectors=$((blocks * 128))
	require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
	require timeout 120 dmsetup resume pool
	[ $times -lt 20 ] || break
done
ok "grown $times times" test $times -ge 3
ok "the load has ended" wait_until 400 is_over
for i in 1 2; do
	fio_succeeded "$i" "${fio_pids[i]}"
done
is "$(pool_mode)" rw "write mode"
finish
