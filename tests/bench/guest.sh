#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The benchmark inside the virtual machine, run by run.sh: every case on linear, dm-thin
# and thinx, in rounds, each of which starts with another kind.  Each measurement is a
# JSON line in $VM_RESULTS/raw.jsonl; so is a failed case, after which the others go on.

set -eu

: "${ROUNDS:=3}" "${SECONDS_EACH:=4}" "${VM_RESULTS:=/tmp}"
: "${KINDS:=linear dm-thin thinx}"
# shellcheck source=lib.sh
. tests/bench/lib.sh
# shellcheck source=cases-io.sh
. tests/bench/cases-io.sh
# shellcheck source=cases-space.sh
. tests/bench/cases-space.sh
# shellcheck source=cases-neighbour.sh
. tests/bench/cases-neighbour.sh
# shellcheck source=cases-big.sh
. tests/bench/cases-big.sh

# Not for linear.
pools_only=" discard_neighbour neigh_snapshots neigh_discard idle_2000 activate_big
	delete delete_big cold_read_slow "

load_modules()
{
	local m

	for m in dm-mod dm-bufio libcrc32c; do
		modprobe -q $m || :
	done
	modprobe dm-thin-pool
	insmod "$THINX_MODULE"
	modprobe brd rd_nr=2 rd_size=$((ram_mib * 1024))
}

# Setting up and removing two thousand volumes would otherwise mostly wait for grace
# periods.  This speeds up suspending and resuming as well.
hurry() { echo 1 > /sys/kernel/rcu_expedited; }

is_known() { declare -F "case_$1" > /dev/null; }

# takes CASE KIND: this kind has the case
takes()
{
	[ "$2" != linear ] || [[ ! " ${pools_only//[[:space:]]/ } " == *" $1 "* ]]
}

# Children of a failed case must not outlive it.
end_jobs()
{
	local p

	for p in $(jobs -p); do
		kill -KILL "$p" 2> /dev/null || :
	done
}

clean_up() { [ "$kind" = linear ] || targets; remove_all; }

# one CASE KIND ROUND: $failed says whether it failed.  Do not call this in a condition:
# there the shell would not stop a case at its first failing command.
one()
{
	local case=$1 kind=$2 round=$3

	rm -f "$scratch/failure"
	set +e
	( set -e; trap end_jobs EXIT; "case_$case" ) > "$scratch/out" 2> "$scratch/err"
	failed=$?
	( clean_up ) 2>> "$scratch/err" || failed=1
	set -e
	[ $failed = 0 ] || tell_failure
}

tell_failure()
{
	local why=

	if [ -e "$scratch/failure" ]; then
		why=$(head -n 1 "$scratch/failure")
	else
		why=$(tail -n 1 "$scratch/err")
	fi
	# Only what needs no escaping in JSON
	why=$(tr -cd '[:alnum:] .,:;/()%+=_-' <<< "${why:-status $failed}")
	echo "FAILED: $case, $kind, round $round: $why"
	tail -n 20 "$scratch/err"
	printf '{"case": "%s", "kind": "%s", "round": %d, "failed": "%s"}\n' \
		"$case" "$kind" "$round" "$why" >> "$raw"
}

# rotated N WORD...: the words, rotated by N
rotated()
{
	local n=$1

	shift
	n=$((n % $#))
	echo "${@:n+1}" "${@:1:n}"
}

# all_rounds CASE: a kind that fails is left out of the remaining rounds
all_rounds()
{
	local case=$1 kind round failed out=

	for round in $(seq "$ROUNDS"); do
		# shellcheck disable=SC2086 # words
		for kind in $(rotated "$round" $KINDS); do
			takes "$case" "$kind" || continue
			[[ $out != *" $kind "* ]] || continue
			one "$case" "$kind" "$round"
			[ $failed = 0 ] || out+=" $kind "
		done
	done
	failures+=$out
}

mkdir -p "$scratch"
: > "$raw"
load_modules
hurry
cat /proc/kallsyms > "$VM_RESULTS/kallsyms"
: > "$VM_RESULTS/ready"
for name; do
	is_known "$name" || { echo "bench: there is no case '$name'" >&2; exit 2; }
done
failures=
for name; do
	from=$SECONDS
	all_rounds "$name"
	echo "$name: $((SECONDS - from)) s"
done
[ -z "$failures" ]
