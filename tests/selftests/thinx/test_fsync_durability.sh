#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What was written before a completed fsync survives a power failure: from one
# moment on no write reaches either device.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
wrap meta "$META"
wrap data "$DATA"
t=/dev/mapper/t1
for round in 1 2 3; do
	make_pool /dev/mapper/meta /dev/mapper/data
	if [ $round = 1 ]; then make_thin t1 1 64M; else activate t1 1 64M; fi
	require blockio write $t 0 8M $round
	require blockio fua $t 8M 192k $((round + 50))
	require blockio discard $t 16M 4M
	require blockio sync $t
	# Not synced: it may survive or not.
	blockio write $t 32M 4M $((round + 100)) > /dev/null 2>&1
	# The metadata first: mappings on the disk must have their data.
	rewrap meta flakey "$META" 0 0 1 1 drop_writes
	rewrap data flakey "$DATA" 0 0 1 1 drop_writes
	blockio write $t 40M 4M $((round + 200)) > /dev/null 2>&1
	blockio write $t 0 1M $((round + 300)) > /dev/null 2>&1
	timeout 120 dmsetup remove t1
	timeout 120 dmsetup remove pool
	healed meta "$META"
	healed data "$DATA"
	ok "sound metadata ($round)" thin_check /dev/mapper/meta
	make_pool /dev/mapper/meta /dev/mapper/data
	activate t1 1 64M
	ok "fsynced data ($round)" blockio verify $t 0 8M $round
	ok "FUA data ($round)" blockio verify $t 8M 192k $((round + 50))
	ok "fsynced discard ($round)" blockio zeros $t 16M 4M
	ok "later writes are gone ($round)" blockio zeros $t 40M 4M
	write_synced $t 16M 4M 77
	remove t1 pool
done
finish
