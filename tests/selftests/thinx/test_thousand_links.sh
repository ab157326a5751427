#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A chain of a thousand snapshots, each of the one before it, some of them written.
# Deleted in random order, they leave nothing.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

n=1000
disk META 32
disk DATA 256
make_pool "$META" "$DATA"
make_thin t0 0 10M
p=/dev/mapper/pool
require dmbatch <<< "write t0 0 1048576 10000"
remove t0

# Every tenth link is written after it is made: link i in block i/10 % 16.
batch "a chain of $n snapshots" < <(
	for ((i = 1; i <= n; i++)); do
		echo "msg pool create_snap $i $((i - 1))"
		[ $((i % 10)) = 0 ] || continue
		echo "create c 20480 $TARGET_THIN $p $i"
		echo "write c $((i / 10 % 16 * 65536)) 65536 $i"
		echo "remove c"
	done)
is "$(data_used)" $((16 + n / 10)) "a block for each write"

# shows I: operations that check what link i must hold
shows()
{
	local k last=$(($1 / 10)) b

	echo "create s 20480 $TARGET_THIN $p $1"
	for ((k = last; k > last - 16; k--)); do
		b=$(((k % 16 + 16) % 16))
		if [ $k -gt 0 ]; then
			echo "verify s $((b * 65536)) 65536 $((k * 10))"
		else
			echo "verify s $((b * 65536)) 65536 10000"
		fi
	done
	echo "zeros s 1048576 65536"
	echo "remove s"
}

batch "links show what was written above them" < <(
	for ((i = 0; i <= n; i += 37)); do shows $i; done)
batch "half of them are deleted, in random order" < <(
	seq 0 2 $n | shuf --random-source=<(yes) | sed 's/^/msg pool delete /')
batch "the others are as they were" < <(
	for ((i = 1; i <= n; i += 38)); do shows $i; done)
begin=$SECONDS
remove pool
ok "thin_check reads such a tree" thin_check -q "$META"
make_pool "$META" "$DATA"
echo "# the pool was closed, checked and opened in $((SECONDS - begin)) s"
batch "set up again: the same" < <(
	for ((i = n - 1; i > 0; i -= 38)); do shows $i; done)
batch "the end of the chain goes on" < <(
	echo "create c 20480 $TARGET_THIN $p $((n - 1))"
	echo "write c 0 65536 7"
	echo "verify c 0 65536 7"
	echo "remove c")
batch "the rest is deleted, in random order" < <(
	seq 1 2 $n | shuf --random-source=<(yes) | sed 's/^/msg pool delete /')
is "$(data_used)" 0 "no block is in use"
finish
