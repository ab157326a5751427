#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata space runs out and grows, again and again, under a load that retries: in
# the end everything acknowledged is there, and needs_check was never set.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target aborts when metadata space runs out"
disk META 256k
disk DATA 512
make_pool "$META" "$DATA"
make_thin t1 1 256M
make_thin t2 2 256M
# The load: write a block until that succeeds, then the next one; at the end print
# their number.
cat > "$scratch/load" << 'LOAD'
i=0
until [ -e "$3" ]; do
	if blockio fua "$1" $((i * 7 % 201 * 960))k 64k "$2"; then
		i=$((i + 1))
		echo $i > "$3.$2"
	else
		sleep 0.2
	fi
done
echo "written $i"
LOAD
for i in 1 2; do
	spawn_out=$scratch/out$i
	spawn bash "$scratch/load" /dev/mapper/t$i $i "$scratch/calm"
	load[i]=$spawned
done
is_over() { ! running "${load[1]}" && ! running "${load[2]}"; }
size=256
times=0
snap=100
end=$((SECONDS + 400))
while [ $times -lt 3 ] && [ $SECONDS -lt $end ]; do
	if mode_is ro; then
		times=$((times + 1))
		size=$((size + (times < 3 ? 48 : 400)))
		disk_grow META ${size}k
		require timeout 120 dmsetup suspend pool
		require timeout 120 dmsetup resume pool
	elif msg create_snap $snap $((snap % 2 + 1)) > /dev/null 2>&1; then
		snap=$((snap + 1))
	fi
done
far() { [ "$(cat "$scratch/calm.1")" -gt 10 ] && [ "$(cat "$scratch/calm.2")" -gt 10 ]; }
wait_until 300 far
is $times 3 "full and grown 3 times, $((snap - 100)) snapshots"
calm
ok "the load ends" wait_until 300 is_over
is "$(pool_mode) $(pool_field 11)" "rw -" "writable, no needs_check"
not_logged "aborting" "no transaction was rolled back"
is "$(grep -h ^E "$scratch"/out[12] | sort -u | grep -v '^ENOSPC')" "" \
	"no error but ENOSPC"
wrong=0
for i in 1 2; do
	written=$(sed -n 's/^written //p' "$scratch/out$i")
	ok "load $i wrote $written blocks" test "$written" -gt 10
	for k in $(seq 0 $((written < 200 ? written - 1 : 200))); do
		blockio verify /dev/mapper/t$i $((k * 7 % 201 * 960))k 64k $i \
			> /dev/null 2>&1 || wrong=$((wrong + 1))
	done
done
is $wrong 0 "every block is as it was written"
finish
