#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Reads across and past the end of a short external origin return zeros in every
# mode, not only in write mode.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target sends such reads past the origin's end"
disk META 8
disk DATA 64
disk ORIGIN 1M
require blockio write "$ORIGIN" 0 1M 7
require dmsetup create odd --table "0 1000 linear $ORIGIN 0"
t=/dev/mapper/t1

# shows_origin MODE WHEN: the origin has 512000 bytes and ends in the eighth block
shows_origin()
{
	is "$(pool_mode)" "$1" "$2: the mode"
	ok "$2: inside the origin" env BLOCKIO_SIZE=512 \
		blockio verify $t 458752 53248 7
	ok "$2: one read across its end" env BLOCKIO_SIZE=128k \
		blockio read $t 448k 128k
	ok "$2: its beginning is the origin" bash -c \
		"cmp <(dd if=$t bs=128k count=1 skip=3 iflag=direct status=none |
			head -c 118784) <(dd if=$ORIGIN bs=1k skip=384 \
			count=116 status=none)"
	ok "$2: the rest of it is zeros" bash -c \
		"dd if=$t bs=128k count=1 skip=3 iflag=direct status=none |
		 tail -c +118785 | cmp -n 12288 - /dev/zero"
	ok "$2: past the end" blockio zeros $t 1M 1M
}

pool_sectors=$((20 * 128))
make_pool "$META" "$DATA" error_if_no_space
make_thin t1 1 16M /dev/mapper/odd
make_thin t2 2 16M
shows_origin rw "write mode"
require blockio write /dev/mapper/t2 0 1280k 1
fails "no space left" ENOSPC blockio write /dev/mapper/t2 4M 64k 1
shows_origin out_of_data_space "out of data space"
fails "a write where the origin ends" ENOSPC blockio write $t 448k 4k 1
shows_origin out_of_data_space "after it"
remove t1 t2 pool
make_pool "$META" "$DATA" read_only
activate t1 1 16M /dev/mapper/odd
shows_origin ro "read-only"
remove t1 pool

wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
activate t1 1 16M /dev/mapper/odd
broken meta "$META"
fails "a commit fails" "" msg create_thin 3
shows_origin ro "after an abort"
remove t1 pool
healed meta "$META"
require thin_check --clear-needs-check-flag /dev/mapper/meta
finish
