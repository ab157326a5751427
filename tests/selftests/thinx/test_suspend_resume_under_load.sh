#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Volumes and pool are suspended and resumed, with and without flushing, while
# fio writes and verifies.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 16
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 96M
make_thin t2 2 96M
for i in 1 2; do
	busy fio$i --filename=/dev/mapper/t$i --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randrw --bsrange=4k-128k \
		--size=96M --io_size=30M --verify=crc32c --verify_fatal=1 \
		--verify_backlog=64 --randseed=$i
	fio_pids[i]=$spawned
	require wait_until 120 loaded t$i
done
n=0
while running "${fio_pids[1]}" && running "${fio_pids[2]}"; do
	for how in "t1" "--noflush t1" "--nolockfs t2" "--noflush --nolockfs pool" pool; do
		# shellcheck disable=SC2086 # options
		timeout 120 dmsetup suspend $how || break 2
		sleep 0.1
		timeout 120 dmsetup resume "${how##* }" || break 2
		n=$((n + 1))
	done
	[ $n -lt 20 ] || break
done
calm
is $n 20 "$n times suspended and resumed"
for i in 1 2; do
	fio_succeeded "$i" "${fio_pids[i]}"
done
is "$(pool_mode)" rw "the pool is fine"
finish
