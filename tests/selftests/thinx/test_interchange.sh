#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool written by dm-thin is read and changed by thinx, then by dm-thin, then by
# thinx again; nothing is lost and the metadata is sound each time.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "needs both"
! is_drop_in || skip_all "needs both"
require modprobe dm-thin-pool
disk META 16
disk DATA 256
t=/dev/mapper/t1
s=/dev/mapper/s2
last=
for round in 1 2 3 4; do
	case $round in
	1|3) TARGET_POOL=thin-pool TARGET_THIN=thin who=dm-thin ;;
	2|4) TARGET_POOL=thinx-pool TARGET_THIN=thinx who=thinx ;;
	esac
	make_pool "$META" "$DATA"
	if [ $round = 1 ]; then
		make_thin t1 1 64M
		require blockio write $t 0 32M 0
	else
		activate t1 1 64M
		activate s2 $round 64M
		ok "$who reads what $last wrote" \
			blockio verify $t $((round - 1))M 64k $((round - 1))
		ok "$who reads the rest" blockio verify $t 8M 8M 0
		ok "$who reads $last's snapshot" blockio verify $s 8M 8M 0
		ok "$who sees $last's discard" blockio zeros $t $((23 + round))M 1M
		ok "$who overwrites $last's snapshot" \
			blockio write $s 8M 100k $((round + 10))
		ok "the origin keeps its own" blockio verify $t 8M 8M 0
		remove s2
		require msg delete $round
	fi
	ok "$who writes" blockio write $t ${round}M 64k $round
	ok "$who discards" blockio discard $t $((24 + round))M 1M
	snapshot t1 1 $((round + 1))
	ok "$who writes holes" blockio write $t $((40 + round))M 1M $round
	if [ $round = 2 ]; then
		ok "$who reserves a metadata snapshot" msg reserve_metadata_snap
	elif [ $round = 3 ]; then
		like "$(pool_field 7)" '^[0-9]+$' "$who sees the metadata snapshot"
		ok "$who releases it" msg release_metadata_snap
	fi
	remove t1 pool
	ok "thin_check after $who" thin_check "$META"
	ok "the independent checker after $who" decode META
	last=$who
done
module_before=$TARGET_POOL
TARGET_POOL=thinx-pool TARGET_THIN=thinx
require rmmod dm-thin-pool
is "$module_before" thinx-pool "thinx had the last word"
finish
