#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A new table for a full pool asks for write mode: held writes are retried under the
# table's setting, with the events that go with it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=3
timeout=0 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
spawn blockio write $t 2M 64k 2
writer=$spawned
becomes out_of_data_space "out of data space"
raised 2 "low water mark and mode: two events"

# The same table again: write mode, low water mark, and full again.
log_mark
reload_pool "$META" "$DATA"
events_are() { [ "$(events)" = "$1" ]; }
ok "the same table: three events" wait_until 120 events_are 5
logged "switching pool to write mode" "write mode"
logged "reached low water mark for data device" "the low water mark"
logged "switching pool to out-of-data-space \(queue IO\) mode" "and full"
ok "status says so" wait_until 60 mode_is out_of_data_space
sleep 0.5
ok "the writer is held" running $writer

# Failing instead.
log_mark
reload_pool "$META" "$DATA" error_if_no_space
ok "error_if_no_space: the writer ends" wait_until 120 stopped $writer
like "$(cat "$scratch/out")" ENOSPC "with ENOSPC"
ok "three events" wait_until 120 events_are 8
logged "switching pool to write mode" "write mode"
logged "reached low water mark for data device" "the low water mark"
logged "switching pool to out-of-data-space \(error IO\) mode" "and full"
is "$(pool_mode) $(pool_field 10)" "out_of_data_space error_if_no_space" "status"

# And back: no write is held, so nothing notices that the pool is still full.
reload_pool "$META" "$DATA"
is "$(pool_mode) $(pool_field 10)" "rw queue_if_no_space" \
	"queueing again: write mode until a block is wanted"
is "$(events)" 9 "one event"
spawn blockio write $t 2M 64k 2
writer=$spawned
becomes out_of_data_space "then full"
raised 11 "two events"
ok "the writer is held" running $writer

# Read-only: held writes fail.
reload_pool "$META" "$DATA" read_only
ok "read-only: the writer ends" wait_until 120 stopped $writer
like "$(cat "$scratch/out")" EIO "with EIO"
is "$(pool_mode)" ro "status"
raised 12 "one event"
ok "nothing was harmed" blockio verify $t 0 1280k 1
finish
