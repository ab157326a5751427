#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Out of data space, failing: what needs a new block gets ENOSPC at once, all else
# goes on; a deletion brings write mode back.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

modes_setup 8 error_if_no_space
require blockio write /dev/mapper/t5 0 64k 5
require msg create_snap 8 5
fill_pool
n=$(events)
log_mark
modes_writes ok ENOSPC
is "$(pool_mode)" out_of_data_space "the mode"
logged "switching pool to out-of-data-space \(error IO\) mode" "is logged"
raised $((n + 2)) "events: the low water mark and the mode"
pool_status_is "64/64 - out_of_data_space discard_passdown error_if_no_space - 512"
is "$(status t2)" "0 65536 $TARGET_THIN 512 511" "a volume's status"
tables_are "1 error_if_no_space"
modes_reads ok
modes_writes ok ENOSPC
modes_written no
modes_messages ok
modes_stays out_of_data_space
is "$(events)" $((n + 2)) "no more events"

# Block 0 of t5 was shared with 8 and has been overwritten: only 8 has it now.
log_mark
ok "delete a snapshot that has a block of its own" msg delete 8
becomes rw "write mode again"
logged "switching pool to write mode" "which is logged"
raised $((n + 3)) "with an event"
ok "the block can be allocated" blockio write /dev/mapper/t1 16M 64k 12
fails "but no second one" ENOSPC timeout 120 blockio write /dev/mapper/t1 17M 4k 12
becomes out_of_data_space "out of data space again"
ok "what was written is there" blockio verify /dev/mapper/t1 16M 64k 12
finish
