#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A full pool that fails writes: one that comes after a discard has returned waits
# for the blocks that this frees, and a status that commits shows write mode.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target fails such writes"
disk META 8
disk DATA 64
pool_sectors=$((20 * 128))
t=/dev/mapper/t1
for features in error_if_no_space "error_if_no_space no_discard_passdown"; do
	# shellcheck disable=SC2086 # words
	make_pool "$META" "$DATA" $features
	[ -e $t ] || msg create_thin 1 2> /dev/null
	activate t1 1 64M
	failed=0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		require blockio write $t 0 1280k "$i"
		blockio write $t 2M 64k 1 > /dev/null 2>&1 && failed=100
		mode_is out_of_data_space || failed=100
		require blockio discard $t 0 1280k
		timeout 120 blockio write $t 2M 1280k 3 > "$scratch/out" 2>&1 ||
			failed=$((failed + 1))
		ok "$i: it is there" blockio verify $t 2M 1280k 3
		require blockio discard $t 0 64M
	done
	is $failed 0 "$features: after a discard a write finds space"
	require blockio write $t 0 1280k 1
	fails "$features: full" ENOSPC blockio write $t 2M 64k 1
	ok "$features: the mode" wait_until 120 mode_is out_of_data_space
	require blockio discard $t 0 1280k
	is "$(dmsetup status pool | awk '{ print $6, $8 }')" "0/20 rw" \
		"$features: status commits and shows write mode"
	remove t1 pool
done
finish
