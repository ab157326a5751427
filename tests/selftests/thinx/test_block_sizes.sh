#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Block sizes of all kinds: the smallest, three times the smallest, large ones that
# are powers of two and ones that are not, and the largest.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk DATA 2G
for bs in 128 384 1152 2048 8192 24576; do
	disk META 4
	make_pool "$META" "$DATA"
	make_thin t1 1 128M
	t=/dev/mapper/t1
	kib=$((bs / 2))
	ok "$kib KiB: write over block borders" blockio write $t $((kib - 4))k 9M 1
	ok "$kib KiB: read" blockio verify $t $((kib - 4))k 9M 1
	ok "$kib KiB: zeros before" blockio zeros $t 0 $((kib - 4))k
	blocks=$(((kib - 4 + 9216 + kib - 1) / kib))
	is "$(status t1)" "0 262144 $TARGET_THIN $((blocks * bs)) $((blocks * bs - 1))" \
		"$kib KiB: $blocks blocks"
	snapshot t1 1 2
	ok "$kib KiB: break sharing" blockio write $t ${kib}k 8k 2
	ok "$kib KiB: the new data" blockio verify $t ${kib}k 8k 2
	ok "$kib KiB: the copied data" blockio verify $t $((kib + 8))k 8k 1
	activate s2 2 128M
	ok "$kib KiB: the snapshot's data" blockio verify /dev/mapper/s2 ${kib}k 16k 1
	ok "$kib KiB: discard one block" blockio discard $t ${kib}k ${kib}k
	ok "$kib KiB: zeros there" blockio zeros $t ${kib}k ${kib}k
	ok "$kib KiB: the end of the block before stays" \
		blockio verify $t $((kib - 4))k 4k 1
	ok "$kib KiB: the snapshot keeps it" \
		blockio verify /dev/mapper/s2 ${kib}k 16k 1
	remove t1 s2 pool
	ok "$kib KiB: sound" thin_check "$META"
done

# 1 GiB: too much to zero or copy here.
bs=2097152
disk META 4
make_pool "$META" "$DATA" skip_block_zeroing
make_thin t1 1 3G
t=/dev/mapper/t1
ok "1 GiB: write" blockio write $t 1023M 2M 1
ok "1 GiB: read" blockio verify $t 1023M 2M 1
is "$(status t1)" "0 6291456 $TARGET_THIN 4194304 4194303" "1 GiB: two blocks"
ok "1 GiB: discarding half a block does nothing" blockio discard $t 1G 512M
ok "1 GiB: the data is still there" blockio verify $t 1G 1M 1
ok "1 GiB: discard a whole block" blockio discard $t 1G 1G
ok "1 GiB: zeros" blockio zeros $t 1G 4M
ok "1 GiB: the other block stays" blockio verify $t 1023M 1M 1
finish
