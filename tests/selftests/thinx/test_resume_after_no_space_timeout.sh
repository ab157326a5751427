#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# After no_space_timeout a full pool fails writes; a suspend and resume makes it queue
# them again, as its table says, for the whole time.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=2 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
fails "full: a write fails after the timeout" ENOSPC timeout 120 blockio write $t 2M 64k 2
is "$(pool_mode) $(pool_field 10)" "out_of_data_space error_if_no_space" "status"
fails "the next one at once" ENOSPC timeout 120 blockio write $t 2M 64k 2
n=$(events)
echo 40 > "$parameters/no_space_timeout"
log_mark
begin=$SECONDS
suspend_and_resume pool
is "$(pool_mode) $(pool_field 10)" "out_of_data_space queue_if_no_space" \
	"resumed: still full, but queueing"
is "$(events)" "$n" "no event"
spawn blockio write $t 2M 64k 2
writer=$spawned
ok "a write waits" wait_until 240 stopped "$writer"
took=$((SECONDS - begin))
ok "for forty seconds ($took s)" test $took -ge 38
like "$(cat "$scratch/out")" ENOSPC "then fails with ENOSPC"
raised $((n + 1)) "one event"
logged "switching pool to out-of-data-space \(error IO\) mode" "logged"
is "$(pool_field 10)" error_if_no_space "status"
finish
