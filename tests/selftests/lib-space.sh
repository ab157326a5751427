# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # variables of lib.sh
# Copyright (C) 2026 The thinx authors.
#
# A pool of few blocks, for tests of what happens when they run out.  Sourced after
# lib.sh.
#
#   small_pool 20               $META, $DATA, /dev/mapper/pool: 20 blocks of 64 KiB
#   resize_pool 30              a new table: 30 blocks
#   commit_freed DEVICE         blocks it has discarded can be allocated again

# small_pool BLOCKS [FEATURE...]: $timeout, if set, is its no_space_timeout
small_pool()
{
	disk META 8
	disk DATA 64
	[ -z "${timeout:-}" ] || echo "$timeout" > "$parameters/no_space_timeout"
	pool_sectors=$(($1 * 128))
	make_pool "$META" "$DATA" "${@:2}"
}

# resize_pool BLOCKS [FEATURE...]
resize_pool()
{
	pool_sectors=$(($1 * 128))
	reload_pool "$META" "$DATA" "${@:2}"
}

commit_freed()
{
	require blockio sync "$1"
	nudge
}
