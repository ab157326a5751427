#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What is written to a thin device is read back, holes read as zeros, and nothing is
# lost when pool and volume are removed and set up again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 128M
t1=/dev/mapper/t1

ok "a new device reads as zeros" blockio zeros $t1 0 4M
is "$(dmsetup status t1)" "0 262144 $TARGET_THIN 0 -" "reading maps nothing"
ok "write 16 MiB at 3 MiB" blockio write $t1 3M 16M 1
ok "read it back" blockio verify $t1 3M 16M 1
ok "before it: zeros" blockio zeros $t1 0 3M
ok "after it: zeros" blockio zeros $t1 19M 4M
is "$(dmsetup status t1)" "0 262144 $TARGET_THIN 32768 38911" \
	"status counts what is mapped"

export BLOCKIO_SIZE=4k
ok "overwrite in small pieces across block borders" \
	blockio write $t1 4084k 200k 2
ok "they are there" blockio verify $t1 4084k 200k 2
ok "what is before them is untouched" blockio verify $t1 3M 1012k 1
ok "what is after them is untouched" blockio verify $t1 4284k 1M 1
export BLOCKIO_SIZE=512
ok "one sector into a hole" blockio write $t1 64512 512 3
ok "it is there" blockio verify $t1 64512 512 3
ok "the rest of its block reads as zeros" blockio zeros $t1 0 64512
ok "the next block is still a hole" blockio zeros $t1 64k 4k
export BLOCKIO_SIZE=1M

remove t1 pool
make_pool "$META" "$DATA"
activate t1 1 128M
ok "all of it is there after setting up again" blockio verify $t1 3M 1012k 1
ok "and the small pieces" blockio verify $t1 4084k 200k 2
ok "and the sector" blockio verify $t1 64512 512 3
is "$(dmsetup status t1)" "0 262144 $TARGET_THIN 32896 38911" \
	"status is the same"
ok "the last sectors of the device can be written" \
	blockio write $t1 131068k 4k 4
ok "and read" blockio verify $t1 131068k 4k 4
finish
