# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced by every test of a real client:
#
#   . "$(dirname "$0")/lib.sh"
#   need lvm dmeventd                   # skip the test if one is missing
#   ... everything of tests/selftests/lib.sh ...
#   finish
#
# thinx is loaded with the drop-in, under dm-thin's names, and
# `modprobe dm-thin-pool`, which clients and the kernel itself run, loads it as well.
# The last lines of each test say that dm-thin's own module was never loaded, not even
# for a moment: without that no result would mean anything.
#
# Without $THINX_MODULE (selftests.sh -s) the same tests run against dm-thin.

client_on_stock=0
[ -n "${THINX_MODULE:-}" ] || client_on_stock=1
TARGET_POOL=thin-pool
TARGET_THIN=thin

# Before anything can ask for a module: every load of one is traced.
_module_traces=/sys/kernel/tracing/instances/thinx_clients

_watch_modules()
{
	[ -e /sys/kernel/tracing/trace ] ||
		mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
	mkdir "$_module_traces" 2> /dev/null
	echo > "$_module_traces/trace"
	echo 1 > "$_module_traces/events/module/module_load/enable"
}

if [ "$(id -u)" = 0 ] && [ -n "${VM:-}" ]; then
	_watch_modules
fi

# shellcheck source=../selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../selftests/lib.sh"

# need COMMAND...: skip the test if one of them is not installed
need()
{
	local c

	for c in "$@"; do
		command -v "$c" > /dev/null ||
			skip_all "no $c; scripts/deps.sh --clients installs it"
	done
}

# A module that is no part of the kernel has an O among its flags.
module_traced() { grep -qE "module_load: $1 [A-Z]*O" "$_module_traces/trace"; }

stock_traced()
{
	grep -E "module_load: dm_thin_pool( |\$)" "$_module_traces/trace" |
		grep -qvE "dm_thin_pool [A-Z]*O"
}

_never_stock()
{
	[ $_skipped = 0 ] || return
	if ! module_traced dm_thinx_pool || ! module_traced dm_thin_pool; then
		_result 1 "loading a module leaves a trace"
		tail -n 5 "$_module_traces/trace" | diag
	fi
	! stock_traced && { [ ! -e /sys/module/dm_thin_pool ] || dm_thin_is_ours; }
	_result $? "dm-thin's own module was never loaded"
}

# Registered first, so it runs last.
[ $client_on_stock = 1 ] || at_end _never_stock
