#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Run tests one after the other inside the virtual machine; the TAP of each goes
# to $VM_RESULTS/tap/<name>.tap.  If a test leaves something behind that would
# disturb the next one, the run ends with status 3 and the caller boots another
# machine for the remaining ones.  $VM_RESULTS/running names the test started
# last, in case the machine dies.
#
#   tests/selftests/run.sh thinx/test_basic.sh ...

set -u
cd "$(dirname "$0")" || exit 1
: "${VM_RESULTS:?only in a virtual machine}" "${TEST_LIMIT:=1500}"
mkdir -p "$VM_RESULTS/tap"

modprobe -q loop
# Some tests hold up I/O on purpose, and machines differ.
echo 240 > /proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
for t in "$@"; do
	name=$(basename "$t" .sh)
	tap=$VM_RESULTS/tap/$name.tap
	[ ! -e "$tap" ] || continue
	begin=$SECONDS
	echo "$name" > "$VM_RESULTS/running"
	timeout -k 60 "$TEST_LIMIT" bash "$t" > "/tmp/$name.tap" 2> "/tmp/$name.err"
	r=$?
	{
		cat "/tmp/$name.tap"
		sed 's/^/# stderr: /' "/tmp/$name.err"
		case $r in
		0|1|4) ;;
		*)	echo "not ok $(($(grep -cE '^(not )?ok ' \
				"/tmp/$name.tap") + 1)) - ended by itself (status $r)"
			dmesg | tail -n 40 | sed 's/^/# /'
			;;
		esac
	} > "$tap.part"
	if ! grep -qE '^1\.\.[0-9]+' "$tap.part"; then
		echo "1..$(grep -cE '^(not )?ok ' "$tap.part")" >> "$tap.part"
	fi
	bad=$(grep -c '^not ok' "$tap.part")
	mv "$tap.part" "$tap"
	if grep -q '^1\.\.0' "$tap"; then
		echo "$name: skipped"
	elif [ "$bad" = 0 ]; then
		echo "$name: ok, $((SECONDS - begin)) s"
	else
		echo "$name: FAILED, $((SECONDS - begin)) s"
		grep -A12 '^not ok' "$tap"
	fi
	if [ "$(dmsetup ls)" != "No devices found" ] || [ $r -ge 124 ] ||
	   grep -q '^dm_thin' /proc/modules; then
		echo "$name left the machine dirty"
		exit 3
	fi
done
exit 0
