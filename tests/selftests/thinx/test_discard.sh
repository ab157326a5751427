#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Discards unmap whole blocks, leave partial ones alone, reach the data device, and
# read as zeros afterwards.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 64M
t=/dev/mapper/t1
is "$(queue $t discard_granularity)" 65536 "granularity is the block size"
ok "discards are offered" test "$(queue $t discard_max_bytes)" -gt 0

require blockio write $t 0 32M 1
ok "the data file holds it" test "$(used_kib DATA)" -ge 32768
ok "discard 8 MiB at 8 MiB" blockio discard $t 8M 8M
ok "reads as zeros" blockio zeros $t 8M 8M
ok "before it unharmed" blockio verify $t 0 8M 1
ok "after it unharmed" blockio verify $t 16M 16M 1
is "$(data_used)" 384 "128 blocks were given back"
is "$(status t1)" "0 131072 $TARGET_THIN 49152 65535" "in the volume's status"
given_back() { dmsetup status pool > /dev/null; [ "$(used_kib DATA)" -le 25000 ]; }
ok "the discard reached the data file" wait_until 120 given_back

ok "ragged: from 4 KiB before to 4 KiB past two blocks" \
	blockio discard $t 1044480 139264
ok "the two are gone" blockio zeros $t 1M 128k
ok "the part before them stays" blockio verify $t 1044480 4096 1
ok "so does the part after them" blockio verify $t 1179648 4096 1
ok "inside one block: succeeds" blockio discard $t 2101248 32768
ok "and does nothing" blockio verify $t 2M 64k 1
ok "across a border, no whole block: succeeds" blockio discard $t 2129920 65536
ok "and does nothing" blockio verify $t 2M 128k 1
is "$(data_used)" 382 "two more blocks were given back"

ok "a hole" blockio discard $t 40M 8M
ok "twice" blockio discard $t 8M 8M
ok "write again where it was discarded" blockio write $t 9M 100k 2
ok "the new data is there" blockio verify $t 9M 100k 2
ok "the rest of that block is zeros, not its old data" \
	blockio zeros $t 9539584 28672
fails "secure discard is refused" EOPNOTSUPP blockio secure $t 0 1M
ok "zeroing by the block layer" blockio zeroout $t 20M 1M
ok "zeros" blockio zeros $t 20M 1M
ok "around it unharmed" blockio verify $t 21M 1M 1
ok "discard everything" blockio discard $t 0 64M
ok "zeros" blockio zeros $t 0 64M
is "$(data_used)" 0 "nothing in use"
is "$(status t1)" "0 131072 $TARGET_THIN 0 -" "nothing mapped"
empty() { dmsetup status pool > /dev/null; [ "$(used_kib DATA)" -le 1000 ]; }
ok "the data file is empty" wait_until 120 empty
is "$(events)" 0 "none of it raised an event"
finish
