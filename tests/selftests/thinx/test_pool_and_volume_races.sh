#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool's table comes and goes, resumed or not, removed in order or by force, while
# other processes keep trying to set up its volumes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target leaks a pool that is removed by force"
disk META 8
disk DATA 64
make_pool "$META" "$DATA"
require msg create_thin 1
require msg create_thin 2
remove pool

# The volumes: set up, written, removed.
cat > "$scratch/volumes" << 'VOLUMES'
n=0
until [ -e "$1/calm" ]; do
	dmsetup create t$2 --table "0 8192 $3 /dev/mapper/pool $2" &&
		blockio write /dev/mapper/t$2 0 64k $2 && n=$((n + 1))
	until dmsetup remove --force t$2 || ! dmsetup info t$2; do :; done
done > /dev/null 2>&1
echo "$n"
VOLUMES
rm -f "$scratch/calm"
for i in 1 2; do
	spawn_out=$scratch/count$i spawn \
		bash "$scratch/volumes" "$scratch" $i "$TARGET_THIN"
	load[i]=$spawned
done
written() { [ "$(dmsetup status t1 | awk '{ print $4 }')" -gt 0 ]; }
table=$(pool_table "$META" "$DATA")
n=0
while [ $n -lt 12 ]; do
	# Not resumed; resumed; resumed and written; resumed and wiped by force.
	require dmsetup create pool --notable
	dmsetup load pool --table "$table" > /dev/null 2>&1
	case $((n % 4)) in
	0) dmsetup clear pool ;;
	1) dmsetup resume pool ;;
	2) dmsetup resume pool; wait_until 120 written ;;
	3) dmsetup resume pool; wait_until 120 opened pool
	   dmsetup wipe_table pool ;;
	esac > /dev/null 2>&1
	until dmsetup remove --force pool || ! dmsetup info pool; do :; done \
		> /dev/null 2>&1
	n=$((n + 1))
done
calm
for i in 1 2; do
	ok "volume $i ends" wait_until 120 stopped "${load[i]}"
	wait "${load[i]}"
	echo "# it was written $(cat "$scratch/count$i") times"
done
ok "sound" thin_check -q --clear-needs-check-flag "$META"
make_pool "$META" "$DATA"
is "$(pool_mode)" rw "the pool can be set up"
activate t1 1 4M
ok "with what was written" blockio verify /dev/mapper/t1 0 64k 1
finish
