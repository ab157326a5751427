#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Run the tests; the last lines are prove's summary.
#
#   scripts/test.sh            style, builds, sparse, user-space tests; all
#                              selftests on the native debug kernel, those that
#                              race on the native one as well; endurance on both;
#                              what matters most on each of Debian's kernels, and
#                              real programs on one of them and on today's Debian
#   scripts/test.sh --quick    no virtual machines; builds for the kernels that are
#                              here
#   scripts/test.sh --all      every test on each kernel, real programs on all of
#                              Debian's, what matters most on the drop-in, the life of
#                              packages, and both commands on fresh machines
#   scripts/test.sh -k KERNEL  (repeatable) all selftests, tests/kernel and
#                              endurance on these kernels, instead of the above
#
# Installs and builds what is missing.  Results: build/test/*.tap, one per program,
# with the output of those that failed.  The time each part took is printed at the
# end; a part that did not run is a failure.  Up to $JOBS machines run at a time
# (one more than there are processors, if there are 3.5 GiB for each).
# The endurance test takes $THINX_ENDURANCE_SECONDS (600), half of that on the debug
# kernel; give it an hour if you have one.

set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
# shellcheck source=kernels.sh
. scripts/kernels.sh

emulated=(6.1 6.12 7.3)
kernels=()
quick=0
all=0
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 ;;
	--all) all=1 ;;
	-k) kernels+=("${2:?}"); shift ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
	shift
done
chosen=${#kernels[@]}
[ "$chosen" -gt 0 ] || kernels=("${emulated[@]}" native native-debug)
[ $quick = 0 ] || kernels=()

results=$top/build/test
rm -rf "$results"
mkdir -p "$results"
# Machines spend much time waiting for timers and commits.  Each has 3 GiB.
memory=$(awk '$1 == "MemAvailable:" { print int($2 / 3500000) }' /proc/meminfo)
jobs=$(($(nproc) + 1))
[ "$jobs" -le "$memory" ] || jobs=$((memory > 0 ? memory : 1))
: "${JOBS:=$jobs}"

say() { echo "test.sh: $(date +%T) $*"; }

# has KERNEL: is it one of those to test on?
has() { [[ " ${kernels[*]-} " == *" $1 "* ]]; }

# tap NAME DESCRIPTION COMMAND...: run a program that only has an exit status; it
# becomes a line of TAP in <results>/NAME.tap
tap()
{
	local file=$results/$1.tap log=$results/$1.log what=$2 n r

	shift 2
	"$@" > "$log" 2>&1
	r=$?
	n=$(($(grep -cE '^(not )?ok ' "$file" 2>/dev/null) + 1))
	case $r in
	0) echo "ok $n - $what" ;;
	*) sed 's/^/# /' "$log" | tail -n 100
	   echo "not ok $n - $what" ;;
	esac >> "$file"
	if [ $r != 0 ]; then
		say "FAILED: $what"
		tail -n 15 "$log"
	fi
	return $r
}

plan()
{
	echo "1..$(grep -cE '^(not )?ok ' "$results/$1.tap")" >> "$results/$1.tap"
}

builds_quietly()
{
	local out

	# From scratch: what is already built would not warn again.
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

get_kernel()
{
	case $1 in
	native*) scripts/native-kernel.sh "$1" ;;
	*) scripts/deps.sh --kernel "$1" ;;
	esac
}

make_check() { tap "$name" "make -C $1 check" timeout 3600 make -s -C "$1" check; }

dependencies()
{
	local k

	tap "$name" "what the tests need can be had" scripts/deps.sh --test --kernel "$kernel_default"
	tap "$name" "checkpatch can be had" scripts/deps.sh --scripts
	for k in "${builds[@]}"; do
		tap "$name" "kernel $k can be had" get_kernel "$k"
	done
	# Now, because the machines run on this one's files.
	if [ ${#clients[@]} -gt 0 ]; then
		if [ ${#old[@]} = 0 ]; then
			tap "$name" "real programs can be had" scripts/deps.sh --clients
		else
			tap "$name" "a tree of Debian 12 can be had" \
				scripts/deps.sh --tree bookworm
		fi
		tap "$name" "a tree of today's Debian can be had" \
			scripts/deps.sh --tree trixie
	fi
	plan "$name"
}

style()
{
	scripts/style.sh > "$results/$name.tap"
	grep '^not ok' "$results/$name.tap"
}

# build_for KERNEL
build_for()
{
	tap "$name" "the module builds for $1 without a warning" builds_quietly "$1"
	[ "$1" != "$kernel_default" ] ||
		tap "$name" "sparse finds nothing (endianness, locks)" sparse_is_quiet
	plan "$name"
}

# What the machines use.
first=(tests/selftests tests/endurance tests/packaging)
programs()
{
	local d

	for d in "${first[@]}"; do
		make_check "$d"
	done
	plan "$name"
}

#
# The rest are jobs, several at a time.
#
user_space()
{
	local d

	for d in tests/*/Makefile; do
		d=${d%/Makefile}
		[[ " ${first[*]} " == *" $d "* ]] || make_check "$d"
	done
	plan "$name"
}

# one_line DESCRIPTION COMMAND...: a job that only has an exit status
one_line()
{
	tap "$name" "$@"
	plan "$name"
}

# speaks_tap COMMAND...: a job that prints TAP itself, within $LIMIT seconds
speaks_tap()
{
	timeout "${LIMIT:-3600}" "$@" > "$results/$name.tap" 2> "$results/$name.log" ||
		say "FAILED: $name"
}

# many OPTION...: tests that write their own TAP files, NAME-test_*
many()
{
	local t r

	scripts/selftests.sh "$@" -o "$results/vm-$name" > "$results/vm-$name.log" 2>&1
	r=$?
	grep -E '^test_.*(FAILED|skipped)' "$results/vm-$name.log" | sed "s/^/$name: /"
	for t in "$results/vm-$name"/tap/*.tap; do
		if [ -e "$t" ]; then
			mv "$t" "$results/$name-$(basename "$t")"
		else
			{ tail -n 20 "$results/vm-$name.log" | sed 's/^/# /'
			  echo "not ok 1 - $name: no results"; echo 1..1
			} > "$results/$name.tap"
		fi
	done
	if [ $r != 0 ] && ! grep -qs '^not ok' "$results/$name".tap "$results/$name"-*.tap; then
		printf 'not ok 1 - %s: selftests.sh ends well, not with %s\n1..1\n' \
			"$name" $r > "$results/$name.tap"
	fi
}

#
# part NAME FUNCTION ARGUMENT...: results go to NAME*.tap, the time it took to
# NAME.took.  The function sees $name.
#
part()
{
	local name=$1 begun

	shift
	begun=$(date +%s)
	say "$name"
	"$@"
	echo $(($(date +%s) - begun)) > "$results/$name.took"
	say "$name ended"
}

start()
{
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n
	done
	echo "$1" >> "$results/parts"
	part "$@" &
}

# in_turn NAME FUNCTION: everything else waits for it
in_turn()
{
	echo "$1" >> "$results/parts"
	part "$@"
}

#
# What to do.  The module is built for every kernel, whichever are tested.
#
full=$((all || chosen > 0))
builds=("${emulated[@]}" native)
if [ $quick = 1 ]; then
	builds=("$kernel_default")
	for k in "${emulated[@]}" native; do
		[ "$k" = "$kernel_default" ] || ! kernel_find "$k" || builds+=("$k")
	done
fi
# Debian 12's programs, because later Dockers lack the driver.
old=()
[ "$thinx_debian" = bookworm ] || old=(-R bookworm)
clients=()
for k in "${kernels[@]+"${kernels[@]}"}"; do
	[[ " ${builds[*]} " == *" $k "* ]] || builds+=("$k")
	case $k in
	6.12) clients+=("$k") ;;
	6.1) [ $all = 0 ] || clients+=("$k") ;;
	esac
done

# selftests_on KERNEL: tests that do one thing at a time get one processor, which
# costs much less than emulating two and using one
selftests_on()
{
	case $full$1 in
	?native-debug)
		start "$1-1" many -k "$1" -p 1/2
		start "$1-2" many -k "$1" -p 2/2 ;;
	0native)
		start races many -k native -m ;;
	0*)	start "$1" many -k "$1" -e -j 1 ;;
	*)	start "$1-1" many -k "$1" -m
		start "$1-2" many -k "$1" -n -j 1 -p 1/2
		start "$1-3" many -k "$1" -n -j 1 -p 2/2 ;;
	esac
}

endurance_on()
{
	local seconds=${THINX_ENDURANCE_SECONDS:-600}

	[ "$1" != native-debug ] || seconds=$((seconds / 2))
	# The only part that does as much as it can in a given time.
	start "endurance-$1" one_line "endurance on $1" nice -n -5 \
		tests/endurance/run.sh -k "$1" -t "$seconds" -o "$results/endurance-$1"
}

# The endurance test must find what it is there for.
notices()
{
	local x

	for x in flush lie corrupt; do
		tap "$name" "the endurance test notices: $x" \
			tests/endurance/run.sh -k native -x $x -t 180 -o "$results/$name-$x"
	done
	plan "$name"
}

in_turn dependencies dependencies
# The other parts use these, and must not see them being built.
for k in "${builds[@]}"; do
	start "build-$k" build_for "$k"
done
wait
start style style
in_turn programs programs

# The longest ones first.
for k in "${clients[@]+"${clients[@]}"}"; do
	start "clients-$k" many -k "$k" -c -j 1 "${old[@]+"${old[@]}"}"
done
! has native-debug || selftests_on native-debug
start user-space user_space
[ $quick = 1 ] || [ "$chosen" -gt 0 ] ||
	start clients-trixie many -k native -c -R trixie
for k in "${kernels[@]+"${kernels[@]}"}"; do
	[ "$k" = native-debug ] || selftests_on "$k"
done
for k in "${kernels[@]+"${kernels[@]}"}"; do
	if [ $full = 1 ] || [[ $k == native* ]]; then
		endurance_on "$k"
	fi
	start "kernel-$k" one_line "tests/kernel on $k" timeout 3600 tests/kernel/run.sh "$k"
done
! has native || start endurance-notices notices
if has native-debug; then
	start checkers speaks_tap tests/kernel/checkers.sh
	start leaks many -k native-debug -e -p 1/2 -a kmemleak=on
fi
for k in "${clients[@]+"${clients[@]}"}"; do
	start "reboot-$k" speaks_tap tests/clients/docker-reboot.sh "$k"
done
if [ $all = 1 ] && [ $quick = 0 ]; then
	start drop-in-6.12 many -k 6.12 -d -e
	start packages one_line "packages are installed, upgraded and removed" \
		timeout 3600 make -s -C tests/packaging check-long
	LIMIT=14400 start fresh-machines speaks_tap tests/packaging/fresh-machine.sh
fi
wait

#
# The report.
#
cd "$results" || exit 1
while read -r name; do
	if [ ! -e "$name.took" ] ||
	   ! grep -hsE '^(not )?ok ' "$name.tap" "$name"-test_*.tap |
	     grep -qvi '# skip'; then
		printf 'not ok 1 - %s was run\n1..1\n' "$name" > "$name-missing.tap"
	fi
done < parts
for t in ./*.tap; do
	grep -q '^not ok' "$t" || continue
	echo
	echo "$t:"
	awk '/^not ok/ { n = 16 } n > 0 { print; n-- }' "$t" | cut -c1-300 |
		head -n 60
done
echo
echo "seconds each part took, of $SECONDS:"
while read -r name; do
	printf '%7s  %s\n' "$(cat "$name.took" 2> /dev/null || echo '?')" "$name"
done < parts
prove -Q -e cat ./*.tap
