#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool and its volumes are used in every way that changes no mode and leaves plenty
# of space: nothing raises an event.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=10
small_pool 200
is "$(events)" 0 "a new pool"
make_thin t1 1 32M
t=/dev/mapper/t1
is "$(events) $(events t1)" "0 0" "a volume is made"
require blockio write $t 0 4M 1
require blockio fua $t 0 64k 1
require blockio sync $t
dmsetup status pool > /dev/null
is "$(events) $(events t1)" "0 0" "writes and commits"
snapshot t1 1 2
activate t2 2 32M
require blockio write $t 0 1M 2
require blockio write /dev/mapper/t2 1M 1M 3
is "$(events) $(events t1)" "0 0" "snapshots and breaking of sharing"
require blockio discard $t 0 2M
require blockio discard /dev/mapper/t2 0 32M
remove t2
require msg delete 2
require msg reserve_metadata_snap
require msg release_metadata_snap
require msg set_transaction_id 0 1
is "$(events) $(events t1)" "0 0" "discards and messages"
msg create_thin 1 > /dev/null 2>&1
msg nonsense > /dev/null 2>&1
is "$(events)" 0 "refused messages"
suspend_and_resume pool
require dmsetup suspend --noflush --nolockfs pool
require dmsetup resume pool
is "$(events)" 0 "suspend and resume"
reload_pool "$META" "$DATA"
reload_pool "$META" "$DATA" error_if_no_space
reload_pool "$META" "$DATA" skip_block_zeroing no_discard_passdown
reload_pool "$META" "$DATA"
is "$(events)" 0 "new tables"
resize_pool 300
disk_grow META 16
suspend_and_resume pool
is "$(events)" 0 "growth"
require dmsetup suspend t1
require dmsetup load t1 --table "$(thin_table 1 48M)"
require dmsetup resume t1
is "$(events) $(events t1)" "0 0" "a volume grows"
remove t1
is "$(events)" 0 "a volume is removed"
remove pool
make_pool "$META" "$DATA"
is "$(events)" 0 "the pool is set up again"
finish
