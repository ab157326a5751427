#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Does the debug kernel find what it is there for?  test-checkers.c commits a known
# bug in a machine of its own; the machine must fail with the right report.
#
#   tests/kernel/checkers.sh [KERNEL]      native-debug (default)
#
# TAP on standard output.

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

kernel=${1:-native-debug}
number=0
result()
{
	number=$((number + 1))
	[ "$1" = 0 ] || printf 'not '
	echo "ok $number - $2"
}

kernel_find "$kernel" || { echo "1..0 # SKIP kernel '$kernel' is not here"; exit 4; }
copy=$PWD/build/test-checkers-$kernel
rm -rf "$copy"
mkdir -p "$copy"
cp tests/kernel/test-checkers.c "$copy"
echo "obj-m := test-checkers.o" > "$copy/Kbuild"
if ! kernel_make "$copy" > "$copy/log" 2>&1; then
	sed 's/^/# /' "$copy/log"
	echo "not ok 1 - the module builds"
	echo 1..1
	exit 1
fi

# commit BUG: in a machine; returns its status, leaves its output in $copy/log
commit()
{
	# shellcheck disable=SC2016 # expanded in the guest
	scripts/vm.sh -k "$kernel" -c 1 -m 512 -d none -r "$copy/results" \
		-a "$([ "$1" != leak ] || echo kmemleak=on)" -- \
		sh -c 'insmod "$1" bug="$2"; dmesg | grep -q "committing $2"' \
		sh "$copy/test-checkers.ko" "$1" > "$copy/log" 2>&1
}

# finds BUG WORDS: the run fails, and the log says why
finds()
{
	local r

	commit "$1"
	r=$?
	if [ $r != 0 ] && [ $r != 1 ] && grep -qE "$2" "$copy/results/splats"; then
		result 0 "it finds $1"
		return
	fi
	result 1 "it finds $1"
	{ echo "status $r, wanted: $2"; tail -n 20 "$copy/log"; } | sed 's/^/# /'
}

commit none
result $? "it has nothing against no bug"
finds use-after-free "KASAN: (slab-)?use-after-free"
finds out-of-bounds "KASAN: slab-out-of-bounds"
finds lock-order "possible circular locking"
finds sleep-in-atomic "sleeping function called from invalid context"
finds list-twice "WARNING: .*list_debug"
finds rcu-unlocked "suspicious RCU usage"
finds free-active-timer "ODEBUG: free active"
finds shift "UBSAN: shift-out-of-bounds"
finds leak "unreferenced object"
echo "1..$number"
