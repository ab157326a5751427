# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of and for lib.sh
# Copyright (C) 2026 The thinx authors.
#
# Sourced by guest.sh: space allocated and freed, a GiB at a time.

case_zero_gib()
{
	punches
	populate
	volume_mib=1024
	setup
	seconds seconds blkdiscard -z "$dev"
	cmp -n $((1 << 30)) "$dev" /dev/zero || fail "not all of it reads as zeros"
	is_linear || figure blocks "$(used)"
}

case_discard_gib()
{
	volume_mib=1024
	mapped_volume
	punches
	seconds seconds blkdiscard "$dev"
	still 0
	is_linear || check "used blocks" "$(used)" 0
}
