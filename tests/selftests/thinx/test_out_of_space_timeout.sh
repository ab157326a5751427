#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Held writes fail after no_space_timeout seconds; with space the pool goes back to
# its table's setting.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=40 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
log_mark
before=$(events)
begin=$SECONDS
spawn blockio write $t 2M 64k 1
writer=$spawned
becomes out_of_data_space "out of data space"
ok "the writer hangs" running $writer
is "$(pool_field 10)" queue_if_no_space "queueing"
ok "but not for ever" wait_until 240 stopped $writer
took=$((SECONDS - begin))
ok "for forty seconds ($took s)" test $took -ge 38
like "$(cat "$scratch/out")" ENOSPC "then fails with ENOSPC"
logged "switching pool to out-of-data-space \(error IO\) mode" "logged"
is "$(pool_field 10)" error_if_no_space "status says error"
is "$(dmsetup table pool | cut -d' ' -f8)" 0 "the table still says queue"
ok "events were raised" test "$(events)" -ge $((before + 2))
fails "new writes fail at once" ENOSPC timeout 120 blockio write $t 2M 64k 1
ok "mapped blocks are unharmed" blockio verify $t 0 1280k 1
ok "and can be written" blockio write $t 0 1280k 1

log_mark
ok "discard three blocks" blockio discard $t 64k 192k
commit_freed $t
becomes rw "back to rw"
is "$(pool_field 10)" queue_if_no_space "and to queueing"
logged "switching pool to write mode" "logged"
ok "writes find space" blockio write $t 2M 192k 2
ok "and are there" blockio verify $t 2M 192k 2
ok "exactly three blocks were free" test "$(data_used)" = 20
ok "discarded blocks read as zeros" blockio zeros $t 64k 192k
finish
