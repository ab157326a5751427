#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The timeout of writes that wait in a full pool stops while the pool is suspended
# and starts anew when it is resumed; suspending does not wait for it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
echo 30 > "$parameters/no_space_timeout"
spawn blockio write $t 2M 64k 2
writer=$spawned
becomes out_of_data_space "full"
require timeout 120 dmsetup suspend pool
raised 2 "low water mark and mode: two events"
n=2
sleep 33
ok "suspended: the writer is held" running $writer
is "$(pool_field 10) $(events)" "queue_if_no_space $n" "queueing, no event"
begin=$SECONDS
require dmsetup resume pool
sleep 2
ok "resumed: held for a while" running $writer
ok "then it ends" wait_until 120 stopped $writer
took=$((SECONDS - begin))
ok "after the whole time ($took s)" test $took -ge 28
like "$(cat "$scratch/out")" ENOSPC "with ENOSPC"
raised $((n + 1)) "one event"
is "$(pool_mode) $(pool_field 10)" "out_of_data_space error_if_no_space" "status"
finish
