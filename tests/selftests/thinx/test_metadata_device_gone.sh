#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata can be neither read nor written: the pool fails for good and says so
# everywhere; set up again, it is as at the last commit.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 8 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 4M 1
log_mark
rewrap meta error
fails "a write that must be committed" EIO blockio fua $t 8M 64k 2
ok "the pool fails" wait_until 120 is_failed
logged "switching pool to fail mode" "logged"
is "$(status)" "0 131072 $TARGET_POOL Fail" "pool status"
is "$(status t1)" "0 65536 $TARGET_THIN Fail" "volume status"
like "$(dmsetup table pool)" " 128 0 0 $" "the pool's table is readable"
fails "reads fail" EIO blockio read $t 20M 64k
fails "writes fail" EIO blockio write $t 0 64k 2
fails "fsync fails" EIO blockio sync $t
fails "messages fail" "not supported" msg create_thin 2
ok "suspend and resume succeed" dmsetup suspend pool
ok "both" dmsetup resume pool
is "$(status)" "0 131072 $TARGET_POOL Fail" "and it stays failed"
remove t1
fails "no volume can be activated" "" dmsetup create t2 --table "$(thin_table 1 1M)"
logged "Couldn't open thin device, Pool is in fail mode" "says why"
remove pool
healed meta "$META"
make_pool /dev/mapper/meta "$DATA"
like "$(pool_mode)" "^r[wo]$" "set up again on the healed device"
activate t1 1 32M
ok "what was committed is there" blockio verify $t 0 4M 1
finish
