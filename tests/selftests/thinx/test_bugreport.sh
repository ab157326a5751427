#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# scripts/bugreport.sh tells what is needed, leaves out names on request, and changes
# nothing but for a metadata snapshot that it takes and releases.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

report() { timeout 300 "$top/scripts/bugreport.sh" "$@"; }
held() { dmsetup status --noflush "$pool" | awk '{ print $7 }'; }

is_thinx || skip_all "about thinx"
disk META 8
disk DATA 64
pool=secret-pool
make_pool "$META" "$DATA"
make_thin secret+vol.1 7 16M
require blockio write "/dev/mapper/secret+vol.1" 0 4M 1
echo "device-mapper: a line about secret-pool: and secret+vol.1, in a test" > /dev/kmsg

said=$(report)
is $? 0 "it succeeds"
like "$said" "dm_thinx_pool: version [0-9]+\.[0-9]+\.[0-9]+, flags [A-Z]*O" "the module's version"
like "$said" "no_space_timeout:60" "its parameters"
like "$said" "== pool secret-pool"$'\n'"table:  0 131072 $TARGET_POOL [0-9:]+ [0-9:]+ 128 0" \
	"the pool's table"
like "$said" "status: 0 131072 $TARGET_POOL 0 [0-9]+/2048 64/1024 - rw " "its status"
like "$said" "== volume secret\+vol\.1"$'\n'"table:  0 32768 $TARGET_THIN [0-9:]+ 7"$'\n'"status: 0 32768 $TARGET_THIN 8192 8191" \
	"the volume's"
like "$said" "commits? " "what stats tells"
like "$said" "a line about secret-pool: and secret\+vol\.1, in a test" "the log"
like "$said" "thin_check of a metadata snapshot: exit status 0" "the metadata is sound"
is "$(held)" - "the metadata snapshot is released"

said=$(report -n)
is $? 0 "without names"
like "$said" "== pool name[0-9]+"$'\n'"table:  0 131072 $TARGET_POOL " "the pool has another name"
like "$said" "a line about name[0-9]+: and name[0-9]+, in a test" "in the log, too"
is "$(grep -c secret <<< "$said")" 0 "the names are nowhere"

used=$(pool_field 5 "$pool")
said=$(report -c)
is "$(grep -c "metadata snapshot" <<< "$said")" 0 "-c: nothing is checked"
is "$(pool_field 5 "$pool")" "$used" "and nothing changes"
require dmsetup message "$pool" 0 reserve_metadata_snap
kept=$(held)
like "$(report)" "thin_check of a metadata snapshot: exit status 0" \
	"a metadata snapshot of somebody else is checked"
is "$(held)" "$kept" "and kept"
require dmsetup message "$pool" 0 release_metadata_snap
remove secret+vol.1 "$pool"
is "$(report | grep -cE '^== (pool|volume)')" 0 "without pools there is a report as well"
finish
