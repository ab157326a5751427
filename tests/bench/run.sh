#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# How fast are linear, dm-thin and thinx on one ramdisk, in one virtual machine?
# Prints a table of ratios to linear and writes JSON.
#
#   tests/bench/run.sh [-k KERNEL] [-n ROUNDS] [-s SECONDS] [-o FILE] [CASE]...
#
#   -k KERNEL    6.12 (default), 6.1
#   -n ROUNDS    of everything; the median counts (3)
#   -s SECONDS   of each timed case (4)
#   -o FILE      JSON (build/bench/<kernel>.json)
#   CASE         names from guest.sh; default: all but "delete"
#
# "tests/bench/run.sh delete" measures what a neighbour feels while a volume of
# four million mappings is deleted.  A benchmark informs: it passes whatever the
# numbers are.

set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

kernel=6.12
rounds=3
seconds=4
json=
while getopts k:n:s:o: opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	n) rounds=$OPTARG ;;
	s) seconds=$OPTARG ;;
	o) json=$OPTARG ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
: "${json:=build/bench/$kernel.json}"

mkdir -p build/bench "$(dirname "$json")"
module=$(scripts/module.sh -k "$kernel")
results=build/bench/results-$kernel
rm -rf "$results"
mkdir -p "$results"
scripts/vm.sh -k "$kernel" -m 5120 -d none -t 3600 -r "$results" -- \
	env "THINX_MODULE=$module" "ROUNDS=$rounds" "SECONDS_EACH=$seconds" \
	tests/bench/guest.sh "$@"
tests/bench/report.py "$results/raw.jsonl" "$json"
