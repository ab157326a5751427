#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Power fails and the other target takes over, from dm-thin to thinx and back,
# twice: what was fsynced is there.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "needs both"
! is_drop_in || skip_all "needs both"
require modprobe dm-thin-pool
disk META 8
disk DATA 256
wrap meta "$META"
wrap data "$DATA"
t=/dev/mapper/t1

# as thinx|dm-thin: the target that serves the pool from now on
as()
{
	who=$1
	case $1 in
	thinx)	 TARGET_POOL=thinx-pool TARGET_THIN=thinx ;;
	dm-thin) TARGET_POOL=thin-pool TARGET_THIN=thin ;;
	esac
	make_pool /dev/mapper/meta /dev/mapper/data
}

round=0
for pair in "thinx dm-thin" "dm-thin thinx" "thinx dm-thin" "dm-thin thinx"; do
	round=$((round + 1))
	as "${pair% *}"
	if [ $round = 1 ]; then make_thin t1 1 64M; else activate t1 1 64M; fi
	require blockio write $t 0 8M $round
	snapshot t1 1 $((round + 1))
	require blockio write $t 2M 1M $((round + 20))
	require blockio write $t 3M 4k $((round + 20))
	require blockio fua $t 8M 192k $((round + 50))
	require blockio discard $t 16M 4M
	require blockio sync $t
	# Not synced: it may survive or not.
	blockio write $t 32M 4M $((round + 100)) > /dev/null 2>&1
	blockio discard $t 12M 2M > /dev/null 2>&1
	# The metadata first: mappings on the disk must have their data.
	rewrap meta flakey "$META" 0 0 1 1 drop_writes
	rewrap data flakey "$DATA" 0 0 1 1 drop_writes
	blockio write $t 40M 4M $((round + 200)) > /dev/null 2>&1
	blockio write $t 4M 1M $((round + 250)) > /dev/null 2>&1
	timeout 120 dmsetup remove t1
	timeout 120 dmsetup remove pool
	healed meta "$META"
	healed data "$DATA"
	ok "$round: sound after $who's crash" thin_check /dev/mapper/meta
	as "${pair#* }"
	is "$(pool_mode) $(pool_field 11)" "rw -" "$round: $who goes on"
	activate t1 1 64M
	activate s1 $((round + 1)) 64M
	ok "$round: fsynced data" blockio verify $t 0 2M $round
	ok "$round: breaking sharing" blockio verify $t 2M 1M $((round + 20))
	ok "$round: a part of a block" blockio verify $t 3M 4k $((round + 20))
	ok "$round: the rest of it" blockio verify $t 3076k 5116k $round
	ok "$round: the snapshot" blockio verify /dev/mapper/s1 0 8M $round
	ok "$round: FUA data" blockio verify $t 8M 192k $((round + 50))
	ok "$round: fsynced discard" blockio zeros $t 16M 4M
	ok "$round: later writes are gone" blockio zeros $t 40M 4M
	require blockio write $t 12M 2M 60
	require blockio write $t 16M 4M 77
	require blockio discard $t 32M 16M
	require blockio sync $t
	ok "$round: $who can write" blockio verify $t 16M 4M 77
	remove s1
	require msg delete $((round + 1))
	remove t1 pool
	ok "$round: sound after $who" thin_check /dev/mapper/meta
	ok "$round: the independent checker agrees" decode META
done
TARGET_POOL=thinx-pool TARGET_THIN=thinx
require rmmod dm-thin-pool
finish
