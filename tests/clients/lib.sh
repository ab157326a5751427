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
# thinx is loaded in drop-in mode, under dm-thin's target names, and
# `modprobe dm-thin-pool`, which clients and the kernel itself run, loads it as well.
# The last lines of each test say that dm-thin's own module was never loaded, not even
# for a moment: without that no result would mean anything.
#
# With TARGET_POOL=thin-pool (selftests.sh -s) the same tests run against
# dm-thin.

client_on_stock=0
[ "${TARGET_POOL:-thinx-pool}" != thin-pool ] || client_on_stock=1
if [ $client_on_stock = 0 ]; then
	# shellcheck disable=SC2034 # for the library
	module_parameters="drop_in=1"
fi

#
# Before anything can ask for a module: modprobe is made to load thinx for
# dm-thin-pool, and every load of a module is traced.
#
_module_traces=/sys/kernel/tracing/instances/thinx_clients

_watch_modules()
{
	[ -e /sys/kernel/tracing/trace ] ||
		mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
	mkdir "$_module_traces" 2> /dev/null
	echo > "$_module_traces/trace"
	echo 1 > "$_module_traces/events/module/module_load/enable"
}

_divert_modprobe()
{
	mkdir -p /etc/modprobe.d
	cat > /etc/modprobe.d/thinx-clients.conf <<-CONF
	install dm-thin-pool test -e /sys/module/dm_thinx_pool || { /sbin/modprobe dm-bufio; /sbin/modprobe libcrc32c; /sbin/insmod $THINX_MODULE drop_in=1; }
	CONF
}

if [ "$(id -u)" = 0 ] && [ -n "${VM:-}" ]; then
	_watch_modules
	[ $client_on_stock = 1 ] || _divert_modprobe
fi

# shellcheck source=../selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../selftests/lib.sh"

# For make_pool, make_thin and so on from here on.
TARGET_POOL=thin-pool
TARGET_THIN=thin

# need COMMAND...: skip the test if one of them is not installed
need()
{
	local c

	for c in "$@"; do
		command -v "$c" > /dev/null ||
			skip_all "no $c; scripts/deps.sh --clients installs it"
	done
}

module_traced() { grep -q "module_load: $1 " "$_module_traces/trace"; }

_never_stock()
{
	[ $_skipped = 0 ] || return
	if ! module_traced dm_thinx_pool; then
		_result 1 "loading a module leaves a trace"
		tail -n 5 "$_module_traces/trace" | diag
	fi
	! module_traced dm_thin_pool && ! grep -q '^dm_thin_pool ' /proc/modules
	_result $? "dm-thin's own module was never loaded"
}

# Registered first, so it runs last.
[ $client_on_stock = 1 ] || at_end _never_stock
