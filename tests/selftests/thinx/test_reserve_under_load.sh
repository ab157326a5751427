#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A reserve holds whatever the other volumes do: many of them write, discard and are
# deleted at once, and the one with the reserve finds all of it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target has no such message"
small_pool 200 error_if_no_space
make_thin root 1 64M
root=/dev/mapper/root
for i in 2 3 4 5 6 7; do
	make_thin "t$i" "$i" 64M
done
require msg reserve 1 50

# hungry N: write more than there is, give some back, again and again
hungry()
{
	local i

	for ((i = 0; i < 6; i++)); do
		BLOCKIO_SIZE=256k blockio write "/dev/mapper/t$1" 0 5M "$i"
		blockio discard "/dev/mapper/t$1" $((i % 4))M 2M
	done > /dev/null 2>&1
	BLOCKIO_SIZE=64k blockio write "/dev/mapper/t$1" 0 16M "$1"
}

for round in 1 2 3; do
	pids=()
	for i in 2 3 4 5 6 7; do
		hungry $i > "$scratch/out$i" 2>&1 &
		pids+=($!)
	done
	for i in 0 1 2 3 4; do
		ok "$round: the device with the reserve writes" \
			blockio write $root $((i * 256))k 256k "$round"
	done
	[ $round = 2 ] && require msg create_snap 10 2
	wait "${pids[@]}"
	like "$(cat "$scratch"/out?)" ENOSPC "$round: the others found the pool full"
	ok "$round: the reserve is left" \
		test "$(($(data_used) - 20))" -le 150
	for i in 0 1 2 3 4; do
		ok "$round: all of it" \
			blockio write $root $((1280 + i * 384))k 384k "$round"
	done
	ok "$round: what was written" blockio verify $root 0 3200k "$round"
	[ $round = 2 ] && require msg delete 10
	require blockio discard $root 0 64M
	for i in 2 3 4 5 6 7; do
		require blockio discard "/dev/mapper/t$i" 0 64M
	done
	is "$(data_used)" 0 "$round: all is free again"
done
finish
