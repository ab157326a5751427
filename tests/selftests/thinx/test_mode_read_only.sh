#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Read-only by the table: what changes no metadata works, the rest fails; a table
# without the feature switches to write mode, and one with it back.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

modes_setup 8
remove t1 t2 t4 t5 pool
log_mark
make_pool /dev/mapper/meta "$DATA" read_only
logged "switching pool to read-only mode" "the mode is logged"
is "$(events)" 1 "and raises an event"
modes_activate
pool_status_is "20/64 - ro discard_passdown queue_if_no_space - 512"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
is "$(status t5)" "0 65536 $TARGET_THIN 0 -" "an empty one's"
tables_are "1 read_only"
modes_reads ok
modes_writes ok EIO
modes_written no
modes_messages refused
ok "a discard succeeds" blockio discard /dev/mapper/t1 256k 64k
ok "and does nothing" blockio verify /dev/mapper/t1 256k 64k 1
modes_stays ro
is "$(events)" 1 "no other event"

log_mark
reload_pool /dev/mapper/meta "$DATA"
is "$(pool_mode)" rw "a table without the feature"
logged "switching pool to write mode" "is logged"
is "$(events)" 2 "and raises an event"
modes_writes ok ok
modes_written ok
reload_pool /dev/mapper/meta "$DATA" read_only
is "$(pool_mode)" ro "and back"
is "$(events)" 3 "another event"
modes_written ok
modes_messages refused
finish
