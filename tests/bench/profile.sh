#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Where does the kernel spend its time in a case of the benchmark?  Runs the case on a
# native machine under perf and prints the 30 functions with the most samples during
# the measurements.
#
#   tests/bench/profile.sh [-s SECONDS] CASE [KIND]
#
#   -s SECONDS   duration of a timed case (5)
#   CASE         see tests/bench/report.py --list
#   KIND         linear, dm-thin, thinx (default)
#
# Samples processor time by a clock, without hardware counters.  Needs perf
# (scripts/deps.sh --bench).

set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

die() { echo "profile.sh: $*" >&2; exit 1; }
usage() { sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

seconds=5
while getopts s: opt; do
	case $opt in
	s) seconds=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || [ $# = 2 ] || usage
case=$1
kind=${2:-thinx}
[[ " linear dm-thin thinx " == *" $kind "* ]] || usage

# Any version will do; some have the version in their names.
find_perf()
{
	local p

	for p in $(printf '%s\n' /usr/bin/perf_* | sort -rV) perf; do
		if "$p" --version > /dev/null 2>&1; then
			echo "$p"
			return
		fi
	done
	die "no perf here: scripts/deps.sh --bench installs it"
}

# kernel_process PID: the pid of the machine's kernel, which is that or a descendant
kernel_process()
{
	local p

	if [ "$(readlink "/proc/$1/exe")" = "$(realpath "$k_image")" ]; then
		echo "$1"
		return
	fi
	for p in $(pgrep -P "$1"); do
		kernel_process "$p" && return
	done
	return 1
}

perf=$(find_perf)
kernel_find native || die "there is no native kernel: scripts/native-kernel.sh native makes it"
results=build/bench/profile-$case-$kind
rm -rf "$results"
mkdir -p "$results"

BENCH_RESULTS=$results BENCH_KINDS=$kind tests/bench/run.sh -k native -n 1 \
	-s "$seconds" -o "$results/figures.json" "$case" \
	> "$results.report" 2>&1 &
run=$!
# The machine writes its symbols when all modules are loaded.
until [ -e "$results/ready" ]; do
	kill -0 $run 2> /dev/null || { cat "$results.report" >&2; die "the machine has ended"; }
	sleep 0.1
done
pid=$(kernel_process "$(cat "$results/pid")") || die "the machine's process is gone"
"$perf" record -q -e cpu-clock -F 1999 --clockid CLOCK_REALTIME -p "$pid" \
	-o "$results/perf.data" > "$results/perf.log" 2>&1 || :
r=0
wait $run || r=$?
cat "$results.report"
[ -s "$results/perf.data" ] || { cat "$results/perf.log" >&2; die "perf recorded nothing"; }
"$perf" script --ns -i "$results/perf.data" -F pid,time,ip,sym,dso \
	> "$results/samples" 2>> "$results/perf.log"
tests/bench/profile.py "$results" "$pid"
exit $r
