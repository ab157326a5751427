#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool raises device-mapper events and no uevents: udev would handle each of these
# as a change of the device.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

uevents() { cat /sys/kernel/uevent_seqnum; }

# tells N DESCRIPTION COMMAND...: it raises N more events and no uevent
tells()
{
	local n=$1 what=$2 was before

	shift 2
	was=$(events)
	before=$(uevents)
	"$@" > /dev/null 2>&1
	raised $((was + n)) "$what: $n more"
	is "$(uevents)" "$before" "$what: no uevent"
}

disk META 8
disk DATA 64
wrap meta "$META"
t=/dev/mapper/t1
pool_sectors=$((20 * 128)) low=5
make_pool /dev/mapper/meta "$DATA" error_if_no_space
make_thin t1 1 32M
# Nothing else raises uevents any more.
silent()
{
	local n

	n=$(uevents)
	sleep 2
	[ "$(uevents)" = "$n" ]
}
ok "there are no other uevents" wait_until 120 silent
before=$(uevents)
suspend_and_resume pool
ok "a resume makes one: they can be seen here" test "$(uevents)" -gt "$before"

tells 0 "writing" blockio write $t 0 512k 1
tells 1 "the low water mark" blockio write $t 512k 512k 1
tells 1 "no space" blockio write $t 1M 1M 1
is "$(pool_mode)" out_of_data_space "the mode has changed"
tells 1 "space again" blockio discard $t 0 512k
is "$(pool_mode)" rw "the mode is the old one"
broken meta "$META"
tells 1 "a metadata device that fails" msg create_thin 2
is "$(pool_mode) $(pool_field 11)" "ro needs_check" "it is read-only"
remove t1 pool
healed meta "$META"
require thin_check --clear-needs-check-flag /dev/mapper/meta
finish
