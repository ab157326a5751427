#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Every test there is; the last lines are prove's summary.
#
#   scripts/test.sh            style, build, sparse, user-space tests, and the
#                              tests in virtual machines: all on the kernel this
#                              Debian has (12: 6.1, 13: 6.12), what matters most
#                              on the next one (6.12, 7.3), too, and real clients
#                              on 6.12
#   scripts/test.sh --quick    without the virtual machines; builds for all
#                              kernels that are here
#   scripts/test.sh --debug    the machines with the debug kernel (KASAN,
#                              lockdep, fault injection) instead
#   scripts/test.sh --all      every test on each kernel, 7.3 and debug as well,
#                              real clients on 6.1, too, and what matters most in
#                              drop-in mode on 6.12
#   scripts/test.sh -k KERNEL  (repeatable) with these kernels
#
# Installs what is missing.  Results: build/test/*.tap, one per program; what a
# failed one said is in it.  $JOBS (processors) machines run at a time.  The
# endurance test takes $THINX_ENDURANCE_SECONDS (300), an hour if you have one; it
# runs on the last of the kernels, with --all on each.

set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
# shellcheck source=kernels.sh
. scripts/kernels.sh

kernels=()
quick=0
debug=0
all=0
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 ;;
	--debug) debug=1 ;;
	--all) all=1 ;;
	-k) kernels+=("${2:?}"); shift ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
	shift
done
[ $debug = 1 ] && [ ${#kernels[@]} = 0 ] && kernels=(debug)
# This Debian's, and the next one.
[ ${#kernels[@]} -gt 0 ] || [ "$thinx_debian" != trixie ] || kernels=(6.12 7.3)
[ ${#kernels[@]} -gt 0 ] || kernels=(6.1 6.12)
[ $all = 0 ] || kernels=(6.1 6.12 7.3 debug)
[ $quick = 0 ] || kernels=()

results=$top/build/test
rm -rf "$results"
mkdir -p "$results"
: "${JOBS:=$(nproc)}"

say() { echo "test.sh: $(date +%T) $*"; }

# tap NAME DESCRIPTION COMMAND...: a program that only has an exit status, as
# a line of TAP in <results>/NAME.tap
tap()
{
	local file=$results/$1.tap log=$results/$1.log what=$2 n r

	shift 2
	"$@" > "$log" 2>&1
	r=$?
	n=$(($(grep -cE '^(not )?ok ' "$file" 2>/dev/null) + 1))
	case $r in
	0) echo "ok $n - $what" ;;
	4) echo "ok $n - $what # SKIP $(tail -n 1 "$log")" ;;
	*) sed 's/^/# /' "$log" | tail -n 100
	   echo "not ok $n - $what" ;;
	esac >> "$file"
	if [ $r != 0 ] && [ $r != 4 ]; then
		say "FAILED: $what"
		tail -n 15 "$log"
	fi
	return $r
}

plan()
{
	echo "1..$(grep -cE '^(not )?ok ' "$results/$1.tap")" >> "$results/$1.tap"
}

say "dependencies"
scripts/deps.sh --test --kernel "$kernel_default" || exit 1
scripts/deps.sh --scripts > /dev/null
for k in "${kernels[@]+"${kernels[@]}"}"; do
	case $k in
	debug) tap dependencies "the debug kernel builds" scripts/debug-kernel.sh ;;
	"$kernel_default") ;;
	*) tap dependencies "kernel $k can be had" scripts/deps.sh --kernel "$k" ;;
	esac
done
# Now: the machines run on this one's files.
clients=()
for k in "${kernels[@]+"${kernels[@]}"}"; do
	case $all$k in
	?6.12|16.1) clients+=("$k") ;;
	esac
done
[ ${#clients[@]} = 0 ] ||
	tap dependencies "real clients can be had" scripts/deps.sh --clients
[ ! -e "$results/dependencies.tap" ] || plan dependencies

say "style"
scripts/style.sh > "$results/style.tap"
grep '^not ok' "$results/style.tap"

say "module"
builds_quietly()
{
	local out

	# From nothing: what is built already warns no more.
	rm -rf "build/module-$1"
	out=$(scripts/module.sh -k "$1" 2>&1 >/dev/null) || { echo "$out"; return 1; }
	! grep -E 'warning|error' <<< "$out"
}
sparse_is_quiet()
{
	local out

	out=$(scripts/module.sh C=2 CF=-D__CHECK_ENDIAN__ 2>&1 >/dev/null) ||
		{ echo "$out"; return 1; }
	! grep -E 'warning:|error:' <<< "$out"
}
# Without machines: for each that is here.
for k in 6.1 6.12 7.3; do
	if [ $quick = 1 ] && kernel_find "$k"; then here+=("$k"); fi
done
for k in "$kernel_default" "${kernels[@]+"${kernels[@]}"}" "${here[@]+"${here[@]}"}"; do
	[ -z "${built[*]+x}" ] || [[ " ${built[*]} " != *" $k "* ]] || continue
	built+=("$k")
	tap module "builds for $k without a warning" builds_quietly "$k"
done
tap module "sparse finds nothing (endianness, locks)" sparse_is_quiet
plan module

make_check() { tap user-space "make -C $1 check" timeout 3600 make -s -C "$1" check; }

# What the machines use.
say "programs"
first=(tests/selftests tests/endurance tests/packaging)
for d in "${first[@]}"; do
	make_check "$d"
done

#
# The rest are jobs, some at a time.  Each leaves files NAME.tap in $results.
#
user_space()
{
	local d

	say "user-space tests"
	for d in tests/*/Makefile; do
		d=${d%/Makefile}
		[[ " ${first[*]} " == *" $d "* ]] || make_check "$d"
	done
	plan user-space
	say "user-space tests are done"
}

# one_line NAME DESCRIPTION COMMAND...: a job that only has an exit status
one_line()
{
	local name=$1 what=$2

	shift 2
	if "$@" > "$results/$name.log" 2>&1; then
		echo "ok 1 - $what"
	else
		sed 's/^/# /' "$results/$name.log" | tail -n 80
		echo "not ok 1 - $what"
		say "FAILED: $what" >&2
	fi > "$results/$name.tap"
	echo 1..1 >> "$results/$name.tap"
}

# speaks_tap NAME COMMAND...: a job that prints its own
speaks_tap()
{
	local name=$1

	shift
	timeout 3600 "$@" > "$results/$name.tap" 2> "$results/$name.log" ||
		say "FAILED: $name"
}

# many NAME GROUP OPTION...: tests that leave TAP files of their own: GROUP-test_*
many()
{
	local name=$1 group=$2 t to

	shift 2
	say "virtual machine: $name"
	scripts/selftests.sh "$@" -o "$results/vm-$name" > "$results/vm-$name.log" 2>&1
	grep -E '^test_.*(FAILED|skipped)' "$results/vm-$name.log" | sed "s/^/$name: /"
	for t in "$results/vm-$name"/tap/*.tap; do
		if [ -e "$t" ]; then
			to=$group-$(basename "$t")
			[[ $t == */test_* ]] || to=$name-$(basename "$t")
			mv "$t" "$results/$to"
		else
			{ tail -n 20 "$results/vm-$name.log" | sed 's/^/# /'
			  echo "not ok 1 - $name: no results"; echo 1..1
			} > "$results/vm-$name.tap"
		fi
	done
	say "virtual machine $name is done"
}

start()
{
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n
	done
	"$@" &
}

# The longest ones first.  What does one thing after the other does so on one
# processor, which costs much less than one of two that are emulated; the debug
# kernel, which is to find races, has two.
for k in "${clients[@]+"${clients[@]}"}"; do
	start many "clients-$k" "clients-$k" -k "$k" -c -j 1
done
start user_space
for k in "${kernels[@]+"${kernels[@]}"}"; do
	if [ "$k" = debug ]; then
		start many debug-bios debug-bios -k debug -a 'slub_debug=A,bio-*' \
			memory_failures_of_bios
		for part in 1/3 2/3 3/3; do
			start many "$k-${part%/*}" "$k" -k "$k" -p "$part"
		done
	elif [ $all = 1 ] || [ "$k" = "${kernels[0]}" ]; then
		start many "$k-1" "$k" -k "$k" -m
		start many "$k-2" "$k" -k "$k" -n -j 1 -p 1/2
		start many "$k-3" "$k" -k "$k" -n -j 1 -p 2/2
	else
		start many "$k-1" "$k" -k "$k" -e -m
		start many "$k-2" "$k" -k "$k" -e -n -j 1
	fi
done
[ $all = 0 ] || [ $quick = 1 ] || start many drop-in-6.12 drop-in-6.12 -k 6.12 -d -e
for k in "${clients[@]+"${clients[@]}"}"; do
	start speaks_tap "reboot-$k" tests/clients/docker-reboot.sh "$k"
done
for k in "${kernels[@]+"${kernels[@]}"}"; do
	start one_line "kernel-$k" "tests/kernel on $k" \
		timeout 3600 tests/kernel/run.sh "$k"
	# Long enough on one kernel, the last one, in a short run.
	[ $all = 1 ] || [ "$k" = "${kernels[-1]}" ] || continue
	start one_line "endurance-$k" "endurance on $k" tests/endurance/run.sh \
		-k "$k" -t "${THINX_ENDURANCE_SECONDS:-300}" -o "$results/endurance-$k"
done
wait

cd "$results" || exit 1
for t in ./*.tap; do
	grep -q '^not ok' "$t" || continue
	echo
	echo "$t:"
	awk '/^not ok/ { n = 16 } n > 0 { print; n-- }' "$t" | cut -c1-300 |
		head -n 60
done
prove -Q -e cat ./*.tap
