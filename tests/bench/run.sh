#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# How fast are linear, dm-thin and thinx on the same devices, in one run of one
# machine?  Prints a table of medians and ratios and writes all values as JSON.
#
#   tests/bench/run.sh [-k KERNEL] [-n ROUNDS] [-s SECONDS] [-o FILE] [CASE]...
#
#   -k KERNEL    6.12 (default), 6.1, 7.3: emulated, which makes code slow relative to
#                devices; native: code at its real speed
#   -n ROUNDS    number of rounds; the median counts (native 5, else 3)
#   -s SECONDS   duration of each timed case (native 2, else 4)
#   -o FILE      JSON (build/bench/<kernel>.json)
#   CASE         see tests/bench/report.py --list; default: all on native, else those
#                of requests (cases-io.sh) and discard_neighbour
#
# A benchmark passes whatever the figures are; it fails if a case fails or the checks
# after it do.  All cases on native in 3 rounds take about 25 minutes on an idle
# machine with two processors, and 5 GiB of memory.

set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

usage() { sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

kernel=6.12
rounds=
seconds=
json=
while getopts k:n:s:o: opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	n) rounds=$OPTARG ;;
	s) seconds=$OPTARG ;;
	o) json=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[[ $rounds$seconds =~ ^[0-9]*$ ]] || usage

if [ "$kernel" = native ]; then
	: "${rounds:=5}" "${seconds:=2}"
	[ $# -gt 0 ] || mapfile -t all < <(tests/bench/report.py --list)
else
	: "${rounds:=3}" "${seconds:=4}"
	[ $# -gt 0 ] || mapfile -t all < <(tests/bench/report.py --list requests)
fi
[ $# -gt 0 ] || set -- "${all[@]}"
: "${json:=build/bench/$kernel.json}"

mkdir -p build/bench "$(dirname "$json")"
make -s -C tests/bench programs
make -s -C tests/selftests programs
kernel_find "$kernel" || :
module=$(scripts/module.sh -k "$kernel")
results=${BENCH_RESULTS:-build/bench/results-$kernel}
rm -rf "$results"
mkdir -p "$results"
r=0
scripts/vm.sh -k "$kernel" -m 5120 -d 256M -t 7200 -r "$results" -- \
	env "THINX_MODULE=$module" "ROUNDS=$rounds" "SECONDS_EACH=$seconds" \
	"KINDS=${BENCH_KINDS:-linear dm-thin thinx}" \
	tests/bench/guest.sh "$@" || r=$?
[ ! -s "$results/raw.jsonl" ] ||
	tests/bench/report.py "$results/raw.jsonl" "$json" \
		"$kernel, ${k_release:-}" || r=1
exit $r
