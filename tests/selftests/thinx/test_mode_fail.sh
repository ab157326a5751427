#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Fail mode: nothing works, and only setting up the pool again brings it back.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../modes.sh
. "$(dirname "$0")/../modes.sh"

modes_setup 8
n=$(events)
log_mark
rewrap meta error
fails "a write that must be committed" EIO blockio fua /dev/mapper/t5 0 64k 5
ok "fail mode" wait_until 120 is_failed
logged "failed to abort metadata transaction" "the reason is logged"
logged "switching pool to fail mode" "so is the mode"
raised $((n + 1)) "one event"
healed meta "$META"
n=$(events)
is "$(status)" "0 $pool_sectors $TARGET_POOL Fail" "the pool's status"
is "$(dmsetup status pool)" "0 $pool_sectors $TARGET_POOL Fail" \
	"and without --noflush"
is "$(status t1)" "0 65536 $TARGET_THIN Fail" "a volume's status"
if is_thinx; then
	tables_are 0
else
	like "$(dmsetup table t1)" " Fail$" "a volume's table"
fi
modes_reads EIO
modes_writes EIO EIO
fails "a discard" EIO blockio discard /dev/mapper/t1 256k 64k
modes_messages refused
ok "suspend" timeout 120 dmsetup suspend pool
ok "resume" timeout 120 dmsetup resume pool
is "$(status)" "0 $pool_sectors $TARGET_POOL Fail" "it is still failed"
log_mark
fails "a new table is refused" "Invalid argument" \
	dmsetup load pool --table "$(pool_table /dev/mapper/meta "$DATA")"
logged "$TARGET_POOL: Error registering metadata threshold \(-EINVAL\)" \
	"and why"
ok "suspend a volume" timeout 120 dmsetup suspend t1
ok "resume it" timeout 120 dmsetup resume t1
log_mark
fails "no volume can be activated" "" \
	dmsetup create t6 --table "$(thin_table 6 32M)"
logged "Couldn't open thin device, Pool is in fail mode" "and why"
is "$(events)" "$n" "none of it raised an event"

remove t1 t2 t4 t5 pool
make_pool /dev/mapper/meta "$DATA"
like "$(pool_mode)" "^r[wo]$" "set up again: it can be read"
modes_activate
modes_reads ok
modes_written_before() { blockio verify /dev/mapper/t1 0 1M 1; }
ok "all that was committed is there" modes_written_before
finish
