#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Messages are worked on by the pool's own threads, whatever the priority and the
# quota of the process that sends them: who holds the metadata lock holds up all.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target works on them in the process that sends them"
events=/sys/kernel/tracing/events/thinx/thinx_commit
[ -d $events ] || mount -t tracefs nodev /sys/kernel/tracing 2> /dev/null
[ -d $events ] || skip_all "this kernel has no tracepoints"
disk META 8
disk DATA 64
make_pool "$META" "$DATA"
require msg create_thin 1
echo 1 > $events/enable
at_end sh -c "echo 0 > $events/enable"

# by_worker DESCRIPTION COMMAND...: it commits, in a worker
by_worker()
{
	local who

	: > /sys/kernel/tracing/trace
	ok "$1" nice -n 19 dmsetup message pool 0 "${@:2}"
	who=$(awk '/thinx_commit:/ { print $1 }' /sys/kernel/tracing/trace)
	like "$who" kworker "in a worker"
	is "$(grep -c dmsetup <<< "$who")" 0 "and not in the process that sends it"
}
by_worker "a creation" create_thin 2
by_worker "a deletion" delete 1
by_worker "a metadata snapshot" reserve_metadata_snap
by_worker "its release" release_metadata_snap
fails "errors come back" "No data available" msg delete 1
finish
