#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# error_if_no_space: writes that need a block fail with ENOSPC at once, everything
# else goes on; deleting a volume makes room.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

small_pool 20 error_if_no_space
make_thin t1 1 64M
make_thin t2 2 64M
t=/dev/mapper/t1
require blockio write $t 0 1M 1
require blockio write /dev/mapper/t2 0 256k 2
log_mark
fails "a write without space" ENOSPC timeout 50 blockio write $t 2M 64k 1
becomes out_of_data_space "mode"
logged "switching pool to out-of-data-space \(error IO\) mode" "logged"
is "$(pool_field 10)" error_if_no_space "status"
fails "buffered: fsync reports it" "" dd if=/dev/zero of=$t bs=64k seek=40 \
	count=2 conv=fsync,notrunc status=none
ok "fsync of the other volume" blockio sync /dev/mapper/t2
ok "overwriting works" blockio write $t 512k 512k 3
ok "so does reading" blockio verify $t 0 512k 1
require msg create_snap 3 1
fails "breaking sharing does not" ENOSPC timeout 50 blockio write $t 0 64k 4
ok "the shared data is unharmed" blockio verify $t 0 512k 1
require msg delete 3

remove t2
ok "delete the other volume" msg delete 2
becomes rw "back to rw"
ok "its blocks can be used" blockio write $t 2M 256k 5
ok "and hold what was written" blockio verify $t 2M 256k 5
ok "the rest is unharmed" blockio verify $t 512k 512k 3
is "$(data_used)" 20 "all in use again"

# From error to queue by a reload, and back.
echo 0 > "$parameters/no_space_timeout"
reload_pool "$META" "$DATA"
is "$(pool_field 10)" queue_if_no_space "reloaded as queueing"
spawn blockio write $t 3M 64k 6
writer=$spawned
becomes out_of_data_space "full"
ok "the writer hangs" running $writer
reload_pool "$META" "$DATA" error_if_no_space
ok "reloaded as failing: it ends" wait_until 120 stopped $writer
like "$(cat "$scratch/out")" ENOSPC "with ENOSPC"
finish
