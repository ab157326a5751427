#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The endurance test: a random mixture of everything a pool can do, checked against a
# model of what each volume must contain, with power failures at random moments.
#
#   tests/endurance/run.sh [-k KERNEL] [-t SECONDS] [-s SEED] [-o DIR]
#                          [-g] [-x HOW]
#
#   -k KERNEL   6.1, 6.12, 7.3, native, native-debug; default: what this
#               Debian has
#   -t SECONDS  duration (300); the last pool is completed with a machine that is
#               not killed
#   -s SEED     seed of the first pool; each pool has a seed, which is printed and
#               from which that of the next one follows
#   -o DIR      results if something fails (build/endurance-run)
#   -g          test the test: run it against the kernel's own dm-thin
#   -x HOW      test the test: it must find damage because
#                 flush     the test only pretends to flush
#                 lie       the disks only pretend to flush
#                 corrupt   a bit changes on the data device
#
#   pool: fresh images, a random block size
#    └─ some machines, one after the other, killed after some seconds
#        │    thin_check of the image
#        └─ recovery, all volumes compared; then rounds of some seconds, all
#           volumes compared and thin_check after each (endurance.c)
#
# Disks keep their data when a machine is killed.  Those of every other pool have a
# volatile cache and lose a random part of what was not flushed (volatile-cache.h).
#
# A run of a minute or more fails if it had less than a tenth of the expected power
# failures while the pool was in use.
#
# A native machine boots in a second, so most power failures happen there: a pool has
# many machines, of some seconds each, and one of these kinds of disks:
#
#   ubd    the kernel's own; passes no flush on, so only without a volatile cache;
#          completes in interrupts
#   loop   over a file of the host; only with a volatile cache
#   nbd    slower, but discards reach it; with or without (file-disk.c)
#
# Images are in memory, in /dev/shm if there is space.  At the end the number of
# failures is printed, with a warning if a run of ten minutes or more had fewer than
# an otherwise idle machine manages.
#
# The same seed repeats all random decisions, but not how threads interleave, nor
# where exactly the machine dies.

set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

kernel=$kernel_default
seconds=300
seed=
out=$top/build/endurance-run
stock=0
harm=
while getopts k:t:s:o:gx: opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	t) seconds=$OPTARG ;;
	s) seed=$OPTARG ;;
	o) out=$OPTARG ;;
	g) stock=1 ;;
	x) harm=$OPTARG ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
done
[ -n "$seed" ] || seed=$((SRANDOM % 1000000))

say() { echo "endurance: $(date +%T) $*"; }
die() { echo "endurance: $*" >&2; exit 1; }

PATH=$PATH:/usr/sbin:/sbin
command -v thin_check > /dev/null ||
	die "no thin_check: the package is thin-provisioning-tools"

make -s -C tests/endurance programs || die "cannot build the programs"
if [ $stock = 1 ]; then
	env=(POOL=thin-pool THIN=thin)
else
	env=("THINX_MODULE=$(scripts/module.sh -k "$kernel")") ||
		die "cannot build the module"
fi
case $harm in
''|lie) ;;
flush|corrupt) env+=("ENDURANCE_BREAK=$harm") ;;
*) die "no such way to fail: $harm" ;;
esac

# Times for this kernel.  In seconds: when something counts as hanging, the limit of a
# machine, a round.  In tenths of a second: the life of a machine, and of one that may
# die while it recovers.  Then the number of machines of a pool, and of power failures
# that 600 s must have.  Pairs of numbers are ranges.
case $kernel in
native)
	patience=120 limit=600 round=(1 3) life=(2 14) early=(0 4)
	machines=(20 50) wanted=200 ;;
native-debug)
	patience=240 limit=1200 round=(2 5) life=(10 60) early=(0 20)
	machines=(6 14) wanted=60 ;;
*)
	patience=300 limit=1800 round=(5 15) life=(80 479) early=(10 69)
	machines=(2 5) wanted=10 ;;
esac
env+=("ENDURANCE_PATIENCE=$patience" "ENDURANCE_ROUND=${round[*]}")
native=0
[[ $kernel != native* ]] || native=1

out=$(realpath -m "$out")
work=$out
need=3072	# MiB: a machine's memory, images, their caches
have=$(df -m --output=avail /dev/shm 2> /dev/null | tail -n 1)
if [ $native = 1 ] && [ "${have:-0}" -ge $need ]; then
	work=$(mktemp -d /dev/shm/endurance.XXXXXX)
fi

sockets=$(mktemp -d)	# a short path
disks=()
# shellcheck disable=SC2317 # called by the trap
stop_disks()
{
	local pid

	for pid in "${disks[@]+"${disks[@]}"}"; do
		kill "$pid" && wait "$pid"
	done 2> /dev/null
	disks=()
}
# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	stop_disks
	rm -rf "$sockets"
	[ "$work" = "$out" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# volatile_disk NAME: serve the image on a socket of that name
volatile_disk()
{
	local words=("$sockets/$1" "$dir/$1" "$seed")

	[ "$harm" != lie ] || words+=(lie)
	build/endurance/volatile-disk "${words[@]}" >> "$dir/$1.log" 2>&1 &
	disks+=($!)
	while [ ! -S "$sockets/$1" ]; do sleep 0.1; done
}

# settle_native NUMBER: after a power failure, or a shutdown, which keeps everything
settle_native()
{
	local f words=()

	[ ! -e "$dir/killed" ] || words=($((seed + $1)))
	for f in "$dir"/{data,meta}; do
		build/endurance/volatile-settle "$f" "${words[@]+"${words[@]}"}" \
			>> "$f.log" || die "the disks' caches are gone"
	done
}

# settle_disks NUMBER: bring the images to the state that the next machine finds
settle_disks()
{
	local f

	[ "$volatile" = 1 ] || return
	if [ $native = 1 ]; then
		settle_native "$1"
		return
	fi
	for f in "$dir"/{data,meta}; do
		for _ in {1..1200}; do
			[ ! -e "$f.closed" ] || break
			sleep 0.1
		done
		rm "$f.closed" || die "the disk server is gone"
	done
}

# complaints NUMBER: of that machine's kernel after the test had begun; before that, an
# emulated processor that is not scheduled may look stalled
complaints()
{
	local begin

	begin=$(sed -n 's/^\[ *\([0-9.]*\)\] stage two:.*/\1/p' \
		"$dir/console.$1" | head -n 1)
	! awk -v begin="${begin:-0}" '
		{ time = begin }
		match($0, /^\[ *[0-9.]+\]/) { time = substr($0, 2, RLENGTH - 2) }
		time + 0 >= begin + 0' "$dir/splats" | grep . || {
		echo "the kernel complained: $dir/console.$1"
		return 1
	}
}

# machine NUMBER SECONDS [KILL-AFTER]
machine()
{
	local args=(-k "$kernel" -r "$dir" -t "$limit" -m 1024 -w) preload=() r

	[ -z "${3:-}" ] || args+=(-K "$3")
	case $disk$volatile in
	loop?|nbd?) args+=(-d none) ;;
	virtio1) args+=(-D "nbd:unix:$sockets/data" -D "nbd:unix:$sockets/meta") ;;
	*) args+=(-D "$dir/data" -D "$dir/meta") ;;
	esac
	if [ "$volatile$native" = 11 ]; then
		preload=("VM_PRELOAD=$top/build/endurance/volatile-preload.so"
			"VOLATILE_DISKS=$dir/data:$dir/meta")
		[ "$harm" != lie ] || preload+=(VOLATILE_LIE=1)
	fi
	for _ in 1 2 3; do
		env "${preload[@]+"${preload[@]}"}" \
			scripts/vm.sh "${args[@]}" -- env "${env[@]}" \
			"ENDURANCE_DISK=$disk" \
			tests/endurance/guest.sh "$2" "$seed" > "$dir/output.$1" 2>&1
		r=$?
		[ $r != 127 ] || die "$(tail -n 1 "$dir/output.$1")"
		# The emulator itself may die while the kernel boots.
		if [ $r != 126 ] || [ -e "$dir/armed" ]; then
			break
		fi
		say "machine $1 did not boot: $(grep -E '(qemu|native) status' "$dir/output.$1")"
		settle_disks "$1"
	done
	mv "$dir/console.log" "$dir/console.$1"
	grep -E 'new pool|recovered|round|changing' "$dir/output.$1" |
		tail -n 2 | sed "s/^/endurance: machine $1: /"
	if [ -n "${3:-}" ] && [ $r = 137 ]; then
		failures=$((failures + 1))
		grep -qE 'new pool|recovered' "$dir/output.$1" &&
			worked=$((worked + 1))
		r=0
	fi
	# It may have found something just before it was killed.
	! grep -q '^FAILED' "$dir/output.$1" || r=1
	complaints "$1" || r=1
	return $r
}

# Power failed before the first commit: there is no superblock yet, and nothing was
# acknowledged.
nothing_promised()
{
	cmp -s -n 4096 "$dir/meta" /dev/zero && [ ! -e "$dir/state/model.2" ] &&
		! grep -qs '^\.' "$dir/state/log.1"
}

# between FROM TO: store a random number in $number; printing it would need a subshell,
# which has its own sequence
between() { number=$((RANDOM % ($2 - $1 + 1) + $1)); }

# check NUMBER: run thin_check on the metadata that this machine left
check()
{
	local r

	thin_check "$dir/meta" > "$dir/check.$1" 2>&1
	r=$?
	[ $r != 0 ] || return 0
	cat "$dir/check.$1"
	if [ $r = 1 ]; then
		echo "thin_check finds damage"
		: > "$dir/damaged"
	else
		echo "thin_check ends with $r"
	fi
	return 1
}

# Run machines on images of this seed until one ends by itself.
pool()
{
	local n=1 nr number r after

	between "${machines[@]}"
	nr=$number

	rm -rf "$dir" "${sockets:?}"/*
	mkdir -p "$dir"
	truncate -s 192M "$dir/data"
	truncate -s 12M "$dir/meta"
	disks=()
	if [ "$volatile$native" = 10 ]; then
		volatile_disk data
		volatile_disk meta
	fi
	while :; do
		after=
		if [ $n -lt "$nr" ] && [ $SECONDS -lt "$seconds" ]; then
			between "${life[@]}"
			# Some die while they recover.
			[ $((RANDOM % 5)) != 0 ] || between "${early[@]}"
			after=$((number / 10)).$((number % 10))
			say "machine $n, killed after $after s"
			machine $n 1000 "$after"
		else
			say "machine $n, the last one"
			machine $n 1
		fi
		r=$?
		settle_disks $n
		if ! nothing_promised; then
			check $n || r=1
		fi
		[ $r = 0 ] || { tail -n 40 "$dir/output.$n"; break; }
		[ -n "$after" ] || break
		n=$((n + 1))
	done
	stop_disks
	return $r
}

# Damage caused by -x was found, as opposed to a machine that did not boot or hangs.
damage_found()
{
	[ -e "$dir/damaged" ] ||
		grep -hs '^FAILED' "$dir"/output.* |
		grep -qvE ': (cannot|nothing happens|the pool stays full)'
}

SECONDS=0
nr=0
failures=0
worked=0	# those of them after recovery
volatile=0
r=0
rm -rf "$out"
while [ $SECONDS -lt "$seconds" ]; do
	RANDOM=$seed
	volatile=$((seed / 7 % 2))
	[ "$harm" != lie ] || volatile=1
	disk=virtio
	if [ $native = 1 ]; then
		disk=nbd
		[ $((seed / 14 % 2)) = 0 ] || disk=ubd
		[ "$disk$volatile" != ubd1 ] || disk=loop
	fi
	dir=$work/$seed
	say "kernel $kernel, seed $seed, $disk disks, $([ $volatile = 1 ] ||
		echo "no ")volatile cache"
	pool
	r=$?
	nr=$((nr + 1))
	if [ $r != 0 ]; then
		[ -z "$harm" ] || ! damage_found ||
			{ say "noticed, as it must be"; exit 0; }
		if [ "$work" != "$out" ]; then
			mkdir -p "$out"
			cp -r --sparse=always "$dir" "$out"
		fi
		say "FAILED; images and logs: $out/$seed; repeat: tests/endurance/run.sh -k $kernel -s $seed"
		exit 1
	fi
	rm -rf "$dir"
	seed=$((seed * 48271 % 2147483647))
done
[ -z "$harm" ] || { say "went unnoticed: $harm"; exit 1; }
say "$nr pools, $failures power failures in $SECONDS s, $worked of them while the pool was at work: all is well"
if [ "$seconds" -ge 60 ] && [ $((worked * 6000)) -lt $((wanted * seconds)) ]; then
	say "FAILED: hardly a power failure"
	exit 1
fi
if [ "$seconds" -ge 600 ] && [ $((failures * 600)) -lt $((wanted * seconds)) ]; then
	say "too few power failures: $((wanted * seconds / 600)) are wanted in $seconds s, on a machine with nothing else to do"
fi
