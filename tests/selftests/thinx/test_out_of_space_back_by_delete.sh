#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Writes held for lack of space complete when a device is deleted; none of its data
# shows up in their blocks.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 20
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t1 0 640k 1
require blockio write /dev/mapper/t2 0 640k 2
remove t2
n=$(events)
spawn blockio write /dev/mapper/t1 8M 512k 3
writer=$spawned
becomes out_of_data_space "out of data space"
spawn_out=$scratch/partial spawn blockio write /dev/mapper/t1 16M 4k 4
partial=$spawned
require wait_until 120 blocked $partial
sleep 1
ok "held" running $writer
ok "a part of a block, too" running $partial
log_mark
ok "delete the other device" msg delete 2
succeeds $writer "the first ends"
succeeds $partial "the second ends"
logged "switching pool to write mode" "write mode"
is "$(pool_mode)" rw "status says so"
raised $((n + 3)) "three events: low water mark and two changes of mode"
ok "what was written is there" blockio verify /dev/mapper/t1 8M 512k 3
ok "the other, too" blockio verify /dev/mapper/t1 16M 4k 4
ok "around it are zeros" blockio zeros /dev/mapper/t1 16388k 60k
ok "the rest is unharmed" blockio verify /dev/mapper/t1 0 640k 1
is "$(data_used)" 19 "blocks in use"
finish
