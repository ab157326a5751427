#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Read-only after a failed metadata operation: like read-only by the table, but no
# resume, table or growth makes the pool writable until the flag is cleared.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

modes_setup 8
n=$(events)
log_mark
broken meta "$META"
fails "a write that must be committed" EIO blockio fua /dev/mapper/t5 0 64k 5
becomes ro "read-only"
logged "aborting current metadata transaction" "the abort is logged"
logged "switching pool to read-only mode" "so is the mode"
raised $((n + 1)) "one event"
if is_thinx; then
	fails "the flag could not be written" "" flagged "$META"
	healed meta "$META"
	ok "healed: the flag is written, while the pool is up" \
		wait_until 120 flagged "$META"
else
	healed meta "$META"
fi
n=$(events)
pool_status_is "20/64 - ro discard_passdown queue_if_no_space needs_check 512"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
tables_are 0
modes_reads ok
modes_writes ok EIO
modes_written no
modes_messages refused
ok "a discard succeeds" blockio discard /dev/mapper/t1 256k 64k
ok "and does nothing" blockio verify /dev/mapper/t1 256k 64k 1
log_mark
modes_stays ro
not_logged "until repaired" "resuming the same table does not ask for more"

log_mark
reload_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "ro needs_check" "a new table changes nothing"
logged "unable to switch pool to write mode until repaired\." "and says why"
modes_blocks=80
pool_sectors=$((modes_blocks * bs))
log_mark
reload_pool /dev/mapper/meta "$DATA"
logged "unable to grow the data device until repaired\." "data does not grow"
pool_status_is "20/64 - ro discard_passdown queue_if_no_space needs_check 512"
log_mark
disk_grow META 16M
require dmsetup load meta --table "0 $(size_of "$META") linear $META 0"
require dmsetup resume meta
suspend_and_resume pool
logged "unable to grow the metadata device until repaired\." \
	"metadata does not grow"
like "$(pool_field 5)" "/2048$" "status says so"
is "$(events)" "$n" "none of it raised an event"
modes_written no

remove t1 t2 t4 t5 pool
ok "the flag is on the disk, and nothing is damaged" \
	thin_check -q /dev/mapper/meta
log_mark
make_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "ro needs_check" "set up again: the same"
logged "unable to switch pool to write mode until repaired\." "and says why"
is "$(events)" 1 "one event"
remove pool
ok "thin_check clears the flag" \
	thin_check -q --clear-needs-check-flag /dev/mapper/meta
log_mark
make_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "rw -" "writable"
is "$(events)" 0 "no event"
logged "growing the data device from 64 to 80 blocks" "data has grown"
logged "growing the metadata device from 2048 to 4096 blocks" "so has metadata"
modes_activate
modes_writes ok ok
modes_written ok
finish
