#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Out of data space, queueing: only what needs a new block waits; a discard brings
# write mode back, and what waited completes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

echo 0 > "$parameters/no_space_timeout"
modes_setup 8
fill_pool
n=$(events)
log_mark
modes_writes ok held
becomes out_of_data_space "the mode"
logged "switching pool to out-of-data-space \(queue IO\) mode" "is logged"
# One for the low water mark, one for the mode.
raised $((n + 2)) "events"
pool_status_is "64/64 - out_of_data_space discard_passdown queue_if_no_space - 512"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
tables_are 0
modes_reads ok
ok "a block of its own can be overwritten" \
	blockio write /dev/mapper/t1 64k 64k 11
ok "with FUA" blockio fua /dev/mapper/t1 192k 4k 11
ok "flushed, although a write of this volume waits" \
	blockio sync /dev/mapper/t1
modes_messages ok
modes_stays out_of_data_space
held_still "after suspending and resuming"
activate t6 6 32M
ok "a volume can be activated" blockio zeros /dev/mapper/t6 0 1M
remove t6
is "$(events)" $((n + 2)) "no more events"

log_mark
ok "a discard" blockio discard /dev/mapper/t5 0 256k
require blockio sync /dev/mapper/t5
nudge
held_end ok 120
logged "switching pool to write mode" "back in write mode"
modes_written ok
ok "the discarded blocks read as zeros" blockio zeros /dev/mapper/t5 0 256k
is "$(data_used)" 64 "the four blocks are in use again"
is "$(pool_mode)" rw "the mode"
finish
