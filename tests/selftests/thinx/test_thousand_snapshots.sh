#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A thousand snapshots of one volume, which is written in between: each keeps what
# the volume held at the time, in whatever order they are deleted.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

n=1000
disk META 32
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 0 10M
p=/dev/mapper/pool
require blockio write /dev/mapper/t1 0 1M 1

# Before snapshot i, block i % 16 gets the data i; the other 15 stay.
batch "$n snapshots of a volume that is written" < <(
	for ((i = 1; i <= n; i++)); do
		echo "write t1 $((i % 16 * 65536)) 65536 $i"
		echo "msg pool create_snap $i 0"
	done)
is "$(data_used)" $((16 + n - 1)) "a block for each write but the first"

# shows I [STEP]: operations that check what snapshot i must hold
shows()
{
	local k

	echo "create s$1 20480 $TARGET_THIN $p $1"
	for ((k = $1; k > $1 - 16 && k > 0; k -= ${2:-1})); do
		echo "verify s$1 $((k % 16 * 65536)) 65536 $k"
	done
	echo "zeros s$1 1048576 1048576"
	echo "remove s$1"
}

batch "every twentieth has all its data" < <(
	for ((i = 16; i <= n; i += 20)); do shows $i; done)
batch "every fifth has its last write and its oldest" < <(
	for ((i = 16; i <= n; i += 5)); do shows $i 15; done)
batch "some are written, the others do not see it" < <(
	for i in 100 500 900; do
		echo "create w$i 20480 $TARGET_THIN $p $i"
		echo "write w$i 0 1048576 $((i + 5000))"
	done
	for i in 99 101 499 501 899 901; do shows $i; done
	for i in 100 500 900; do
		echo "verify w$i 0 1048576 $((i + 5000))"
		echo "remove w$i"
	done)
ok "the volume does not, either" dmbatch <<< "verify t1 524288 65536 $n"
batch "all but ten are deleted, in random order" < <(
	seq 1 $n | grep -v '00$' | shuf --random-source=<(yes) |
		sed 's/^/msg pool delete /')
batch "those ten are as they were" < <(
	for i in 200 300 400 600 700 800 1000; do shows $i; done)
ok "the volume too" dmbatch <<< "verify t1 524288 65536 $n"
remove t1
require msg delete 0
batch "and outlive the volume" < <(shows 200; shows 1000)
batch "they are deleted" < <(seq 100 100 $n | sed 's/^/msg pool delete /')
is "$(data_used)" 0 "no block is in use"
finish
