#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A delete is worked on by the pool's own threads, whatever the priority and the
# quota of the process that asks for it: it holds the metadata lock again and again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target deletes in the process that asks"
events=/sys/kernel/tracing/events/thinx/thinx_commit
[ -d $events ] || mount -t tracefs nodev /sys/kernel/tracing 2> /dev/null
[ -d $events ] || skip_all "this kernel has no tracepoints"
disk META 8
disk DATA 64
make_pool "$META" "$DATA"
require msg create_thin 1
echo 1 > $events/enable
at_end sh -c "echo 0 > $events/enable"

# who COMMAND...: threads that commit meanwhile
who()
{
	: > /sys/kernel/tracing/trace
	require "$@"
	awk '/thinx_commit:/ { sub(/-[0-9]+$/, "", $1); print $1 }' \
		/sys/kernel/tracing/trace | sort -u
}
like "$(who nice -n 19 dmsetup message pool 0 create_thin 2)" dmsetup \
	"a short message is worked on by who sends it"
is "$(who nice -n 19 dmsetup message pool 0 delete 1 | grep -vc kworker)" 0 \
	"a delete is not"
fails "its errors come back" "No data available" msg delete 1
is "$(who dmsetup message pool 0 reserve_metadata_snap)" dmsetup "taken"
is "$(who dmsetup message pool 0 release_metadata_snap | grep -vc kworker)" 0 \
	"nor is the release of a metadata snapshot"
finish
