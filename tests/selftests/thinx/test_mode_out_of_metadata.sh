#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Out of metadata space: "ro" without needs_check, and nothing is lost.  What takes
# new metadata blocks waits, all else goes on, and growing the metadata device
# ends the mode.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

echo 0 > "$parameters/no_space_timeout"
modes_setup 512k
log_mark
i=100
while [ $i -lt 300 ] && msg create_thin $i > /dev/null 2>&1; do
	i=$((i + 1))
done
is "$(pool_mode)" ro "the mode"
logged "No free metadata blocks" "the reason is logged"
logged "switching pool to read-only mode" "is logged"
pool_status_is "20/64 - ro discard_passdown queue_if_no_space - 32"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
tables_are 0
n=$(events)
modes_reads ok
if is_thinx; then
	modes_writes ok held
	ok "a block of its own can be overwritten" \
		blockio write /dev/mapper/t1 64k 64k 11
	ok "flushed, although a write of this volume waits" \
		blockio sync /dev/mapper/t1
	modes_messages shrink
else
	modes_writes ok EIO
	modes_written no
	modes_messages refused
fi
ok "a discard succeeds" blockio discard /dev/mapper/t1 256k 64k
if is_thinx; then
	ok "and unmaps" blockio zeros /dev/mapper/t1 256k 64k
	is "$(data_used)" 19 "a data block is free"
else
	ok "and does nothing" blockio verify /dev/mapper/t1 256k 64k 1
fi
modes_stays ro
! is_thinx || held_still "after suspending and resuming"
activate t6 6 32M
ok "a volume can be activated" blockio zeros /dev/mapper/t6 0 1M
remove t6
is "$(events)" "$n" "none of it raised an event"
is "$(pool_field 11)" - "no needs_check"

# A new table asks for write mode, which lasts until the next change.
reload_pool /dev/mapper/meta "$DATA"
# The writes that thinx holds are such changes.
is_thinx || is "$(pool_mode)" rw "a new table: write mode"
ok "an event" wait_until 60 _events_reach $((n + 1))
msg create_thin 299 > /dev/null 2>&1
becomes ro "the next change ends it"
raised $((n + 2)) "another event"
is "$(pool_field 11)" - "no needs_check"
n=$(events)

log_mark
disk_grow META 8M
require dmsetup load meta --table "0 $(size_of "$META") linear $META 0"
require dmsetup resume meta
suspend_and_resume pool
logged "growing the metadata device from 128 to 2048 blocks" "grown"
is "$(pool_mode)" rw "write mode"
logged "switching pool to write mode" "is logged"
is "$(events)" $((n + 1)) "with an event"
! is_thinx || held_end ok 120
pool_status_is "[0-9]+/64 - rw discard_passdown queue_if_no_space - 512"
modes_writes ok ok
modes_written ok
modes_messages ok
is "$(events)" $((n + 1)) "and no more"
finish
