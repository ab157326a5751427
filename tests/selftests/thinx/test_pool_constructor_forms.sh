#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What a pool table may look like: case, repeats, signs, words after the counted
# features, odd lengths; and how the table reads back.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk FRESH 8
n=$(size_of "$DATA")
m=$(major_minor "$META")
d=$(major_minor "$DATA")

# accepted TABLE-AFTER-DEVICES TABLE-READ-BACK
accepted()
{
	ok "'$1' is accepted" dmsetup create pool \
		--table "0 $n $TARGET_POOL $META $DATA $1"
	is "$(dmsetup table pool)" "0 $n $TARGET_POOL $m $d $2" \
		"'$1' reads back as '$2'"
	remove pool
}

accepted "128 0" "128 0 0 "
accepted "128 7 0" "128 7 0 "
accepted "+128 007" "128 7 0 "
accepted "0128 18446744073709551615" "128 18446744073709551615 0 "
if ! is_thinx; then
	accepted "128 0 0 junk and more" "128 0 0 "
	accepted "128 0 1 skip_block_zeroing junk" "128 0 1 skip_block_zeroing "
fi
accepted "128 0 1 SKIP_Block_Zeroing" "128 0 1 skip_block_zeroing "
accepted "128 0 2 skip_block_zeroing skip_block_zeroing" \
	"128 0 1 skip_block_zeroing "
accepted "128 0 1 ignore_discard" "128 0 1 ignore_discard "
accepted "128 0 1 no_discard_passdown" "128 0 1 no_discard_passdown "
accepted "128 0 1 error_if_no_space" "128 0 1 error_if_no_space "
accepted "128 0 1 read_only" "128 0 1 read_only "
accepted "128 0 4 error_if_no_space no_discard_passdown ignore_discard skip_block_zeroing" \
	"128 0 4 skip_block_zeroing ignore_discard no_discard_passdown error_if_no_space "
accepted "128 0 3 error_if_no_space read_only skip_block_zeroing" \
	"128 0 3 skip_block_zeroing read_only error_if_no_space "

ok "devices by number" dmsetup create pool \
	--table "0 $n $TARGET_POOL $m $d 128 0"
is "$(dmsetup table pool)" "0 $n $TARGET_POOL $m $d 128 0 0 " "read back"
remove pool

# A length that is no multiple of the block size: the tail is unused.
ok "an odd length" dmsetup create pool \
	--table "0 $((128 * 10 + 77)) $TARGET_POOL $FRESH $DATA 128 0"
like "$(status)" " 0/10 - rw" "has ten blocks"
_check_later "$META"
_check_later "$FRESH"
finish
