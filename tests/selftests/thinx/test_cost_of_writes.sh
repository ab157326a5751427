#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# How much is written to the data device for a write: nothing twice, no copy of what
# the request overwrites anyway, and no copy once the block is no longer shared.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target writes more"
wrapped_pool data 8 128
make_thin t1 1 64M
t=/dev/mapper/t1

# In KiB.
# shellcheck disable=SC2016 # for awk
written() { io_counts /dev/mapper/data '$7 / 2'; }

# costs KIB DESCRIPTION OFFSET LENGTH SEED: one request
costs()
{
	local before

	before=$(written)
	require env BLOCKIO_SIZE="$4" blockio write $t "$3" "$4" "$5"
	is $(($(written) - before)) "$1" "$2: $1 KiB"
	ok "$2: is there" blockio verify $t "$3" "$4" "$5"
}

costs 1024 "new blocks, whole" 0 1M 1
costs 1088 "new blocks, not aligned" 2080k 1M 1
costs 64 "4 KiB of a new block" 4M 4k 1
costs 4 "4 KiB of it again" 4M 4k 2
costs 1024 "overwriting" 0 1M 2
costs 1024 "overwriting, not aligned" 2080k 1M 2

snapshot t1 1 2
costs 1024 "whole shared blocks" 0 1M 3
costs 1088 "shared blocks, not aligned" 2080k 1M 3
costs 64 "4 KiB at the beginning of a shared block" 4M 4k 3
costs 4 "again: it is no longer shared" 4M 4k 4

require blockio write $t 8M 8M 5
snapshot t1 1 3
snapshot t1 1 4
require msg delete 3
costs 64 "4 KiB, one of two snapshots gone" 8M 4k 6
require msg delete 4
require msg delete 2
costs 4 "4 KiB, all snapshots gone" 9M 4k 6
costs 1024 "1 MiB, all snapshots gone" 10M 1M 6
ok "the rest has not changed" blockio verify $t 9220k 1020k 5
ok "nor here" blockio verify $t 11M 5M 5
is "$(data_used)" 162 "only mapped blocks are in use"
finish
