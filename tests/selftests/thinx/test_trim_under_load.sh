#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Trimming again and again while volumes are written, discarded, snapshotted and
# deleted, the pool is suspended and grows: what is mapped keeps its data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
disk META 16
disk DATA 96
pool_sectors=$((64 * 2048))
make_pool "$META" "$DATA"
make_thin t1 1 12M
make_thin t2 2 12M
make_thin t3 3 8M

busy fio1 --filename=/dev/mapper/t1 --direct=1 --ioengine=libaio --iodepth=4 \
	--rw=randwrite --bsrange=4k-128k --size=12M --verify=crc32c --verify_backlog=64 \
	--do_verify=1 --randrepeat=0
first=$spawned
# Written, verified, discarded.
cat > "$scratch/churn" <<'SHELL'
n=0
while :; do
	n=$((n + 1))
	blockio write /dev/mapper/t2 0 12M $n && blockio verify /dev/mapper/t2 0 12M $n || exit 1
	for ((i = n % 3; i < 12; i += 3)); do
		blockio discard /dev/mapper/t2 ${i}M 1M || exit 1
	done
	for ((i = (n + 1) % 3; i < 12; i += 3)); do
		blockio verify /dev/mapper/t2 ${i}M 1M $n || exit 1
	done
	blockio discard /dev/mapper/t2 0 12M || exit 1
	[ -e "$1/calm" ] && exit
done
SHELL
spawn_out=$scratch/churned spawn bash "$scratch/churn" "$scratch"
second=$spawned
cat > "$scratch/trim" <<'SHELL'
n=0
while [ ! -e "$1/calm" ]; do
	out=$(dmsetup message pool 0 trim 2>&1)
	r=$?
	# The pool may be suspended.
	[ $r = 0 ] || [[ $out == *busy* ]] || { echo "$out"; exit 1; }
	n=$((n + (r == 0)))
	echo $n > "$1/trims"
done
SHELL
spawn_out=$scratch/trimmed spawn bash "$scratch/trim" "$scratch"
third=$spawned
spawn_out=$scratch/trimmed2 spawn bash "$scratch/trim" "$scratch"
fourth=$spawned
require wait_until 120 loaded t1

# Snapshots of what is known keep it.
bad=0
for i in {1..5}; do
	write_synced /dev/mapper/t3 0 8M "$i"
	snapshot t3 3 $((100 + i))
	require blockio write /dev/mapper/t3 2M 2M 77
	require blockio discard /dev/mapper/t3 5M 2M
	activate s $((100 + i)) 8M
	blockio verify /dev/mapper/s 0 8M "$i" > /dev/null || bad=$((bad + 1))
	remove s
	[ "$i" = 1 ] || require msg delete $((99 + i))
	suspend_and_resume pool
	[ "$i" != 3 ] || { pool_sectors=; reload_pool "$META" "$DATA"; }
done
is $bad 0 "snapshots have what they had"
calm
fio_succeeded 1 "$first"
succeeds "$second" "what was written was there"
succeeds "$third" "trimming"
succeeds "$fourth" "twice at a time"
diag < "$scratch/trims"
ok "often" test "$(cat "$scratch/trims")" -gt 3
is "$(pool_mode)" rw "the mode"
ok "the last snapshot" eval 'activate s 105 8M && blockio verify /dev/mapper/s 0 8M 5'
remove s
remove t1 t2 t3 pool
ok "the independent checker" decode META
finish
