#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Volumes smaller and larger than their external origin, of odd lengths, that grow
# with it and without it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk STORE 16
require blockio write "$STORE" 0 16M 7
sum=$(sha256sum < "$STORE")
make_pool "$META" "$DATA"
t=/dev/mapper/t1
o=/dev/mapper/origin
require dmsetup create origin --table "0 16384 linear $STORE 0"

# The origin has 8 MiB.  The volume is shorter and ends inside a block.
make_thin t1 1 5001 $o
is "$(size_of $t)" 5001 "a small volume"
ok "shows the beginning of the origin" \
	env BLOCKIO_SIZE=512 blockio verify $t 0 2560512 7
ok "a write up to its end" env BLOCKIO_SIZE=512 blockio write $t 2560000 512 1
ok "is there" env BLOCKIO_SIZE=512 blockio verify $t 2560000 512 1
ok "around it the origin" env BLOCKIO_SIZE=512 blockio verify $t 2555904 4096 7
is "$(data_used)" 1 "one block"

# It grows: its last block has the origin's data past the old end as well.
require dmsetup load t1 --table "$(thin_table 1 6M $o)"
suspend_and_resume t1
ok "grown: past the old end the origin" \
	env BLOCKIO_SIZE=512 blockio verify $t 2560512 60928 7
ok "and in later blocks" blockio verify $t 3M 3M 7
ok "what was written stays" env BLOCKIO_SIZE=512 blockio verify $t 2560000 512 1

# Larger than the origin.
require dmsetup load t1 --table "$(thin_table 1 12M $o)"
suspend_and_resume t1
ok "larger than the origin: inside it" blockio verify $t 3M 5M 7
ok "past it zeros" blockio zeros $t 8M 4M
ok "a read across the end" blockio read $t 7M 2M
ok "a write of whole blocks across the end" blockio write $t 8128k 128k 2
ok "is there" blockio verify $t 8128k 128k 2
ok "a write of a part of a block" blockio write $t 8064k 4k 3
ok "the rest of it is the origin" blockio verify $t 8068k 60k 7

# The origin grows; its size is read when the volume is resumed.
require dmsetup load origin --table "0 32768 linear $STORE 0"
suspend_and_resume origin
is "$(size_of $o)" 32768 "the origin has grown"
ok "the volume does not know it yet" blockio zeros $t 9M 3M
suspend_and_resume t1
ok "once resumed it does" blockio verify $t 9M 3M 7
ok "what was written stays" blockio verify $t 8128k 128k 2

# Two volumes over one origin, one of them read-only.
make_thin t2 2 16M $o
ok "a second volume" blockio verify /dev/mapper/t2 0 16M 7
require msg create_thin 3
require dmsetup create t3 -r --table "$(thin_table 3 16M $o)"
ok "a read-only one" blockio verify /dev/mapper/t3 0 16M 7
fails "which cannot be written" "" blockio write /dev/mapper/t3 0 4k 9
ok "the second is written" blockio write /dev/mapper/t2 0 4M 4
ok "the first does not see it" blockio verify $t 0 2M 7
ok "nor the third" blockio verify /dev/mapper/t3 0 4M 7
is "$(sha256sum < "$STORE")" "$sum" "the origin was never written"
finish
