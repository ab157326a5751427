#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata devices of a few blocks: those that are too small are refused untouched,
# and the smallest allowed one works.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target formats devices it cannot use, past their end"
disk DATA 64
disk STORE 1M
require blockio write "$STORE" 0 1M 9
for blocks in 1 2 8 13 16 40 63; do
	sectors=$((blocks * 8))
	require dd if=/dev/zero of="$STORE" bs=4k count=$blocks status=none \
		oflag=direct conv=notrunc
	require dmsetup create tiny --table "0 $sectors linear $STORE 0"
	log_mark
	fails "$blocks blocks: refused" "" dmsetup create pool \
		--table "$(pool_table /dev/mapper/tiny "$DATA")"
	logged "metadata device of $blocks blocks is too small, 64 are needed" \
		"$blocks blocks: says why"
	logged "Error creating metadata object \(-ENOSPC\)" "$blocks blocks: ENOSPC"
	ok "$blocks blocks: blank as before" \
		cmp -n $((blocks * 4096)) "$STORE" /dev/zero
	ok "$blocks blocks: nothing past its end is touched" \
		blockio verify "$STORE" $((blocks * 4))k $(((256 - blocks) * 4))k 9
	remove tiny
done

disk META 256k
make_pool "$META" "$DATA"
is "$(pool_mode) $(pool_field 11)" "rw -" "64 blocks: a pool"
make_thin t1 1 32M
ok "64 blocks: written" blockio write /dev/mapper/t1 0 4M 1
snapshot t1 1 2
ok "64 blocks: sharing broken" blockio write /dev/mapper/t1 0 1M 2
ok "64 blocks: synced" blockio sync /dev/mapper/t1
for ((i = 3; i < 80; i++)); do
	msg create_thin $i > /dev/null 2>&1 || break
done
ok "64 blocks: room for some volumes" test $i -gt 10
ok "64 blocks: full sooner or later" test $i -lt 80
is "$(pool_mode) $(pool_field 11)" "ro -" "64 blocks: read-only without needs_check"
ok "64 blocks: the data is there" blockio verify /dev/mapper/t1 0 1M 2
disk_grow META 1M
suspend_and_resume pool
is "$(pool_mode) $(pool_field 11)" "rw -" "grown: writable"
ok "grown: written" blockio write /dev/mapper/t1 8M 4M 2
ok "grown: read" blockio verify /dev/mapper/t1 8M 4M 2
ok "grown: the rest is unharmed" blockio verify /dev/mapper/t1 1M 3M 1
remove t1 pool
finish
