#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Block sizes that are no power of two: a discard of whole blocks unmaps each of
# them, wherever it begins.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "with the stock target some of the blocks stay"
disk META 8
disk DATA 256
for bs in 384 640 1152; do
	kib=$((bs / 2))
	blank "$META"
	make_pool "$META" "$DATA"
	make_thin t1 1 96M
	t=/dev/mapper/t1
	require blockio write $t 0 $((24 * kib))k 1
	for i in 0 1 2 3 4 5 6 7; do
		require blockio discard $t $((i * kib))k ${kib}k
	done
	is "$(data_used)" 16 "$kib KiB: one by one"
	ok "$kib KiB: the next block stays" blockio verify $t $((8 * kib))k ${kib}k 1
	require blockio discard $t $((9 * kib))k $((3 * kib))k
	is "$(data_used)" 13 "$kib KiB: three at a time"
	require blockio discard $t $((13 * kib))k $((10 * kib))k
	is "$(data_used)" 3 "$kib KiB: ten at a time"
	ok "$kib KiB: zeros" blockio zeros $t $((13 * kib))k $((10 * kib))k
	for i in 8 12 23; do
		ok "$kib KiB: block $i stays" \
			blockio verify $t $((i * kib))k ${kib}k 1
	done
	require blockio discard $t $((7 * kib + 64))k ${kib}k
	is "$(data_used)" 3 "$kib KiB: parts of two blocks: both stay"
	remove t1 pool
done
finish
