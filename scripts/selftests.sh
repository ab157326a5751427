#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Run the tests of tests/selftests in a virtual machine.
#
#   scripts/selftests.sh [-k KERNEL] [-c] [-s] [-d] [-e] [-m] [-n] [-p I/N]
#                        [-j CPUS] [-R SUITE] [-o DIR] [TEST]...
#
#   -c          those of tests/clients instead: real programs on the drop-in
#   -k KERNEL   6.1, 6.12, 7.3, native, native-debug; default: this Debian's
#   -R SUITE    with the programs of that Debian (trixie, bookworm; see
#               scripts/tree.sh), or of a system in a directory
#   -s          against the kernel's own dm-thin instead of thinx: this tests the
#               tests themselves
#   -d          against the drop-in: thinx under dm-thin's names
#   -e          only those listed in tests/selftests/everywhere
#   -m          only those listed in tests/selftests/parallel
#   -n          only those not listed there
#   -p I/N      every Nth of these, beginning with the Ith: one of N parts
#   -j CPUS     processors of the machine (2); emulating one costs a third less
#               than emulating two and using one
#   -a WORDS    more kernel arguments
#   -o DIR      where the TAP files go; default: build/selftests/<kernel>-<pid>,
#               removed when all is well
#   TEST        names or parts of names; default: all
#
# If a test leaves its machine dirty, another one is booted for the rest.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=kernels.sh
. scripts/kernels.sh

kernel=$kernel_default
stock=0
drop_in=0
clients=0
out=
lists=()
others=()
part=1/1
cpus=2
kargs=
tree=
while getopts k:csdemno:p:j:a:R: opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	c) clients=1 ;;
	s) stock=1 ;;
	d) drop_in=1 ;;
	e) lists+=(everywhere) ;;
	m) lists+=(parallel) ;;
	n) others+=(parallel) ;;
	p) part=$OPTARG ;;
	j) cpus=$OPTARG ;;
	a) kargs=$OPTARG ;;
	R) tree=$OPTARG ;;
	o) out=$OPTARG ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

die() { echo "selftests.sh: $*" >&2; exit 1; }

[ $((stock + drop_in)) -lt 2 ] || die "-s and -d exclude each other"
[ $((clients + drop_in)) -lt 2 ] || die "-c implies -d"

dir=tests/selftests/thinx
if [ $clients = 1 ]; then
	dir=tests/clients
	[ -n "$tree" ] || scripts/deps.sh --clients || die "cannot install the clients"
fi
case $tree in
""|*/*) ;;
*) tree=$(scripts/deps.sh --tree "$tree") || exit ;;
esac

# is_wanted TEST: is it in all of the lists and in none of the others?
is_wanted()
{
	local l

	for l in "${lists[@]+"${lists[@]}"}"; do
		grep -qx "$1" "tests/selftests/$l" || return 1
	done
	for l in "${others[@]+"${others[@]}"}"; do
		! grep -qx "$1" "tests/selftests/$l" || return 1
	done
}

tests=()
n=0
for t in "$dir"/test_*.sh; do
	is_wanted "$(basename "$t" .sh)" || continue
	if [ $# -gt 0 ]; then
		found=0
		for want in "$@"; do
			[[ ${t##*/} == *"$(basename -- "$want" .sh)"* ]] && found=1
		done
		[ $found = 1 ] || continue
	fi
	n=$((n + 1))
	[ $((n % ${part#*/})) = $((${part%/*} % ${part#*/})) ] || continue
	tests+=("../../$t")
done
[ ${#tests[@]} -gt 0 ] || die "no such test"

make -s -C tests/selftests programs || die "cannot build the test programs"
if [ $stock = 1 ]; then
	env=(TARGET_POOL=thin-pool TARGET_THIN=thin)
else
	module=$(scripts/module.sh -k "$kernel") || die "cannot build the module"
	env=("THINX_MODULE=$module")
	[ $drop_in = 0 ] || env+=(TARGET_POOL=thin-pool TARGET_THIN=thin)
fi
keep=1
if [ -z "$out" ]; then
	keep=0
	out=build/selftests/$kernel-$$
fi
rm -rf "$out"
mkdir -p "$out/tap"
limit=20000
if [ "$kernel" = native-debug ]; then
	limit=40000
fi

# not_ok TEST WHAT < DIAGNOSIS: write its TAP file, as it could not itself
not_ok()
{
	{
		sed 's/^/# /'
		echo "not ok 1 - $2"
		echo 1..1
	} > "$out/tap/$1.tap"
}

missing()
{
	local t

	for t in "${tests[@]}"; do
		t=$(basename "$t" .sh)
		[ -e "$out/tap/$t.tap" ] || echo "$t"
	done
}

for attempt in 1 2 3 4 5 6; do
	rm -f "$out/running"
	scripts/vm.sh -k "$kernel" -t "${SELFTESTS_LIMIT:-$limit}" -r "$out" \
		-d 2G -d 2G -w -m 3072 -c "$cpus" -a "$kargs" \
		${tree:+-R "$tree"} -- \
		env "${env[@]}" tests/selftests/run.sh "${tests[@]}"
	r=$?
	if [ $r = 127 ]; then
		for name in $(missing); do
			not_ok "$name" "the test was run" < "$out/refused"
		done
		break
	fi
	for f in dmesg kmemleak; do
		[ ! -e "$out/$f" ] || mv "$out/$f" "$out/$f.$attempt"
	done
	mv "$out/console.log" "$out/console.$attempt"
	# 3: a test left it dirty.  Otherwise the machine died: during a test,
	# after it, or before the first one, which is no test's fault.
	if [ $r -ne 0 ] && [ $r -ne 3 ]; then
		name=$(cat "$out/running" 2> /dev/null)
		echo "selftests.sh: a machine died (status $r): ${name:-no test had begun}"
		[ ! -e "$out/tap/$name.tap" ] || name=$name-aftermath
		tail -n 60 "$out/console.$attempt" | tr -d '\r' > "$out/end"
		if [ -e "$out/running" ]; then
			not_ok "$name" "the machine survives (status $r)" < "$out/end"
		else
			cat "$out/end"
		fi
	fi
	[ -n "$(missing)" ] || break
done
for name in $(missing); do
	not_ok "$name" "the test was run" <<< "$attempt machines did not get that far"
done
# What the machines' leak detectors found.
if [[ $kargs == *kmemleak=on* ]]; then
	found=("$out"/kmemleak.*)
	{
		head -n 100 "${found[@]}" | sed 's/^/# /'
		if [ -e "${found[0]}" ] && [ -z "$(cat "${found[@]}")" ]; then
			echo "ok 1 - no memory is leaked"
		else
			echo "not ok 1 - leaks were looked for, and none found"
		fi
		echo 1..1
	} > "$out/tap/kmemleak.tap" 2>&1
fi
prove -Q -e cat "$out"/tap/*.tap
r=$?
if [ $r = 0 ] && [ $keep = 0 ]; then
	rm -rf "$out"
else
	echo "selftests.sh: results in $out"
fi
exit $r
