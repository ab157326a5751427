#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Data space runs out with queueing: the sequence of events, status and held I/O, as
# measured with dm-thin, until the pool grows.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=5
timeout=0 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
log_mark
require blockio write $t 0 960k 1
is "$(events)" 0 "15 of 20 blocks, mark 5: no event"
require blockio write $t 960k 64k 1
is "$(events)" 1 "the 16th raises one"
logged "reached low water mark for data device: sending event" "and is logged"
require blockio write $t 1M 256k 1
is "$(dmsetup status pool | cut -d' ' -f6-8)" "20/20 - rw" "full, still rw"
is "$(events)" 1 "no further event"

spawn blockio write $t 1280k 64k 1
writer=$spawned
becomes out_of_data_space "the 21st: out of data space"
raised 2 "a second event"
logged "switching pool to out-of-data-space \(queue IO\) mode" "logged"
is "$(pool_field 10)" queue_if_no_space "status says queue"
ok "the writer hangs" running $writer
ok "mapped blocks can be read" blockio verify $t 0 1280k 1
ok "mapped blocks can be written" blockio write $t 256k 64k 2
ok "unmapped ones can be read" blockio zeros $t 2M 1M
ok "create_thin works" msg create_thin 2
ok "create_snap works" msg create_snap 3 1
ok "delete works" msg delete 2
ok "delete the snapshot" msg delete 3
ok "the writer still hangs" running $writer

log_mark
resize_pool 40
succeeds $writer "with more space the writer ends"
logged "switching pool to write mode" "back to write mode"
logged "growing the data device from 20 to 40 blocks" "growth is logged"
raised 3 "a third event"
is "$(dmsetup status pool | cut -d' ' -f6-8)" "21/40 - rw" "status"
ok "what it wrote is there" blockio verify $t 1280k 64k 1
ok "and what was before" blockio verify $t 0 256k 1
finish
