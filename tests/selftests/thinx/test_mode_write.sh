#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Write mode: everything works, and none of it raises an event.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

modes_setup 8
is "$(events)" 0 "no event yet"
pool_status_is "20/64 - rw discard_passdown queue_if_no_space - 512"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
is "$(status t5)" "0 65536 $TARGET_THIN 0 -" "an empty one's"
tables_are 0
modes_reads ok
modes_writes ok ok
modes_written ok
is "$(data_used)" 24 "four blocks were taken"
modes_messages ok
ok "a discard" blockio discard /dev/mapper/t1 0 64k
ok "takes effect" blockio zeros /dev/mapper/t1 0 64k
is "$(data_used)" 23 "one block was freed"
is "$(status t1)" "0 65536 $TARGET_THIN 2176 34943" "a volume's status"
modes_stays rw
is "$(events)" 0 "no event at all"
finish
