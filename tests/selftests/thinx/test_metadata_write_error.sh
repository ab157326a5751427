#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata cannot be written: the transaction is rolled back, the pool becomes
# read-only and stays so, and no flush succeeds that has lost data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 8 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 4M 1
n=$(events)
log_mark
broken meta "$META"
fails "a write that must be committed" EIO blockio fua $t 8M 64k 2
becomes ro "read-only"
is "$(pool_field 11)" needs_check "needs_check"
raised $((n + 1)) "one event"
logged "metadata operation '.*' failed: error = -5" "the failure is logged"
logged "aborting current metadata transaction" "so is the rollback"
logged "switching pool to read-only mode" "and the new mode"
ok "what was committed can be read" blockio verify $t 0 4M 1
ok "and overwritten" blockio write $t 0 1M 3
fails "new blocks are refused" EIO blockio write $t 16M 64k 2
fails "messages too" "not supported" msg create_thin 2
if is_thinx; then
	# With the stock target it may succeed.
	fails "fsync of a volume that lost writes" EIO blockio sync $t
fi

healed meta "$META"
if is_thinx; then
	ok "healed: the flag is written unasked" \
		wait_until 120 flagged "$META"
fi
suspend_and_resume pool
is "$(pool_mode) $(pool_field 11)" "ro needs_check" \
	"resuming on the healed device changes nothing"
remove t1 pool
ok "the metadata is sound but for the flag" thin_check -q /dev/mapper/meta
log_mark
make_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "ro needs_check" \
	"set up again: still read-only"
logged "unable to switch pool to write mode until repaired" "which is logged"
activate t1 1 32M
ok "the data is there" blockio verify $t 1M 3M 1
ok "the lost write reads as zeros" blockio zeros $t 8M 64k
remove t1 pool
ok "thin_check clears the flag" \
	thin_check --clear-needs-check-flag /dev/mapper/meta
make_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "rw -" "then the pool is writable"
activate t1 1 32M
ok "writes work" blockio write $t 8M 1M 4
ok "and reads" blockio verify $t 8M 1M 4
finish
