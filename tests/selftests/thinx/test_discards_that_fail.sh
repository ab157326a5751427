#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The data device fails discards: the blocks are freed all the same.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool data 8 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 32M 1
like "$(pool_field 9)" '^discard_passdown$' "discards are passed down"

# The first half, which has all blocks in use, fails every request.
swap_table data << TABLE
0 65536 error
65536 65536 linear $DATA 65536
TABLE
fails "what is there cannot be read" EIO blockio read $t 0 64k
ok "a part is discarded" timeout 120 blockio discard $t 8M 4M
ok "flushed" timeout 120 blockio sync $t
is "$(data_used)" 448 "its blocks are free"
ok "everything is discarded" timeout 120 blockio discard $t 0 32M
ok "reads as zeros" blockio zeros $t 0 32M
is "$(data_used)" 0 "nothing is in use"
ok "a volume can be suspended" timeout 120 dmsetup suspend t1
ok "and resumed" timeout 120 dmsetup resume t1
ok "the pool can be suspended" timeout 120 dmsetup suspend pool
ok "and resumed" timeout 120 dmsetup resume pool
is "$(pool_mode) $(pool_field 11)" "rw -" "writable"
is "$(events)" 0 "no event"
healed data "$DATA"
ok "no discard has reached the device" test "$(used_kib DATA)" -ge 32768
# This takes more than the blocks that were never in use.
make_thin t2 2 64M
ok "all blocks can be written again" timeout 120 \
	blockio write /dev/mapper/t2 0 64M 2
is "$(data_used)" 1024 "all are in use"
ok "and read" blockio verify /dev/mapper/t2 0 64M 2
require blockio discard /dev/mapper/t2 0 32M
is "$(data_used)" 512 "discards go on"
finish
