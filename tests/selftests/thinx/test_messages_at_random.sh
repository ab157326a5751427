#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Snapshots, one and several at a time, deletions, swaps, suspends of the pool and of
# volumes, all at random and under load, until the metadata device fails: nothing
# hangs, and each device has the contents of one volume, whole.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such messages"
disk META 16
disk DATA 512
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
for i in 1 2 3 4; do
	make_thin t$i $i 8M
	# What tells whose contents these are; the rest is for the load.
	write_synced /dev/mapper/t$i 0 1M $i
done

# whose DEVICE: which of the contents it has
cat > "$scratch/lib" << 'LIB'
whose()
{
	local i

	for i in 1 2 3 4; do
		blockio verify "$1" 0 1M $i > /dev/null && echo $i && return
	done
	return 1
}
LIB
cat > "$scratch/begin" << 'BEGIN'
. "$1/lib"
message() { timeout 300 dmsetup message pool 0 "$*"; }
random() { echo $((RANDOM % $1 + 1)); }
count() { n=$((n + 1)); }
n=0
cd "$1" || exit 2
shift
trap 'echo "$n"' EXIT
BEGIN
cat > "$scratch/snaps" << 'SNAPS'
. "$1/begin"
# $1: its own ids begin here.
until [ -e calm ]; do
	if [ $(random 3) = 1 ]; then
		message create_snap $1 $(random 4)
	else
		message create_snaps $1 $(random 4) $(($1 + 1)) $(random 4) $(($1 + 2)) $(random 4)
	fi && count
	if timeout 300 dmsetup create s$1 --table "0 16384 $2 /dev/mapper/pool $1"; then
		whose /dev/mapper/s$1 || echo "$1" >> torn
		until timeout 300 dmsetup remove s$1 || ! dmsetup info s$1; do :; done
	fi > /dev/null
	[ -e failing ] || for i in 0 1 2; do message delete $(($1 + i)); done
done 2> /dev/null
SNAPS
cat > "$scratch/swaps" << 'SWAPS'
. "$1/begin"
until [ -e calm ]; do
	a=$(random 4) b=$(random 4)
	# In use, unless others have suspended them.
	message swap $a $b
	timeout 300 dmsetup suspend t$a
	timeout 300 dmsetup suspend t$b
	message swap $a $b && count
	timeout 300 dmsetup resume t$a
	timeout 300 dmsetup resume t$b
done 2> /dev/null
SWAPS
cat > "$scratch/suspends" << 'SUSPENDS'
. "$1/begin"
until [ -e calm ]; do
	d=t$(random 4) how=
	[ $(random 3) != 1 ] || d=pool
	[ $d = pool ] || [ $(random 2) = 1 ] || how="--noflush --nolockfs"
	timeout 300 dmsetup suspend $how $d && count
	[ $(random 2) = 1 ] || message set_transaction_id 0 0
	timeout 300 dmsetup resume $d
done 2> /dev/null
SUSPENDS
cat > "$scratch/discards" << 'DISCARDS'
. "$1/begin"
until [ -e calm ]; do
	timeout 300 blockio discard /dev/mapper/t$(random 4) $(random 6)M 1M && count
	sleep 0.1
done > /dev/null 2>&1
DISCARDS

# load: everything at once, in the background
load()
{
	rm -f "$scratch"/{calm,failing}
	pids=()
	start snaps1 snaps 100 "$TARGET_THIN"
	start snaps2 snaps 200 "$TARGET_THIN"
	start swaps swaps
	start suspends suspends
	start discards discards
	for i in 1 2 3 4; do
		spawn_out=$scratch/fio$i spawn fio --name=w$i --filename=/dev/mapper/t$i \
			--direct=1 --ioengine=libaio --iodepth=8 --rw=randrw \
			--bsrange=4k-64k --offset=1M --size=7M --time_based \
			--runtime=3000 --rate_iops=200 --continue_on_error=all --fsync=16
		fio[i]=$spawned
	done
}

start()
{
	spawn_out=$scratch/count_$1 spawn bash "$scratch/$2" "$scratch" "${@:3}"
	pids+=("$spawned")
}

end_load()
{
	local p

	calm
	for p in "${pids[@]}"; do
		ok "$1: it ends" wait_until 300 stopped "$p"
	done
	for i in pool t1 t2 t3 t4; do
		dmsetup resume $i
	done
	for i in 1 2 3 4; do
		stop "${fio[i]}"
	done
	for i in snaps1 snaps2 swaps suspends discards; do
		echo "# $1: $i: $(cat "$scratch/count_$i")"
	done
	ok "$1: no snapshot had the contents of two volumes" test ! -e "$scratch/torn"
}

. "$scratch/lib"
load
sleep 12
end_load running
for i in snaps1 swaps suspends discards; do
	ok "there were $i" test "$(cat "$scratch/count_$i")" -gt 0
done
is "$(pool_mode) $(pool_field 11)" "rw -" "the pool is whole"
for i in 1 2 3 4; do
	ok "volume $i has contents" whose /dev/mapper/t$i
done
is "$(for i in 1 2 3 4; do whose /dev/mapper/t$i; done | sort | tr '\n' ' ')" \
	"1 2 3 4 " "each of them once"

for round in 1 2; do
	load
	sleep 4
	touch "$scratch/failing"
	broken meta "$META"
	failed() { mode_is ro || is_failed; }
	ok "round $round: it stops writing" wait_until 300 failed
	sleep 2
	healed meta "$META"
	end_load "round $round"
	remove t1 t2 t3 t4 pool
	ok "round $round: sound but for the flag" \
		thin_check -q --clear-needs-check-flag /dev/mapper/meta
	ok "round $round: the independent checker" decode META
	made=$(thin_ls --no-headers -o DEV "$META")
	make_pool /dev/mapper/meta "$DATA"
	for i in 1 2 3 4; do
		activate t$i $i 8M
	done
	is "$(for i in 1 2 3 4; do whose /dev/mapper/t$i; done | sort | tr '\n' ' ')" \
		"1 2 3 4 " "round $round: all contents are there"
	for i in $made; do
		[ "$i" -lt 100 ] || require msg delete "$i"
	done
done
finish
