#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Thirty volumes at once, each with its own data; a snapshot of each; all deleted.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 16
disk DATA 128
make_pool "$META" "$DATA"
n=30
bad=0
for ((i = 0; i < n; i++)); do
	msg create_thin $i && dmsetup create v$i --table "$(thin_table $i 16M)" &&
		blockio write /dev/mapper/v$i ${i}00k 68k $i || bad=$((bad + 1))
done
is $bad 0 "$n volumes made and written"
is "$(dmsetup ls --target "$TARGET_THIN" | wc -l)" $n "all are active"
for ((i = 0; i < n; i++)); do
	msg create_snap $((1000 + i)) $i || bad=$((bad + 1))
done
is $bad 0 "$n snapshots"
for ((i = 0; i < n; i++)); do
	blockio verify /dev/mapper/v$i ${i}00k 68k $i || bad=$((bad + 1))
done
is $bad 0 "each has its data and no other"
for ((i = 0; i < n; i++)); do
	blockio write /dev/mapper/v$i ${i}00k 4k $((i + 500)) &&
		dmsetup remove v$i && msg delete $i || bad=$((bad + 1))
done
is $bad 0 "changed, removed, deleted"
is "$(dmsetup status pool | cut -d' ' -f8)" rw "the pool is fine"
for ((i = 0; i < n; i += 9)); do
	dmsetup create s --table "$(thin_table $((1000 + i)) 16M)" &&
		blockio verify /dev/mapper/s ${i}00k 68k $i &&
		dmsetup remove s || bad=$((bad + 1))
done
is $bad 0 "the snapshots kept the old data"
for ((i = 0; i < n; i++)); do
	msg delete $((1000 + i)) || bad=$((bad + 1))
done
is $bad 0 "snapshots deleted"
is "$(data_used)" 0 "nothing in use"
remove pool
is "$(thin_ls --no-headers "$META" | wc -l)" 0 "no volume in the metadata"
finish
