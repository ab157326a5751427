#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The data device fails the flush before a commit: the commit fails, the transaction
# is rolled back, and the pool is read-only with needs_check.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool data 8 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 1M 1
n=$(events)
log_mark
broken data "$DATA"
if is_thinx; then
	fails "a message" "Input/output error" msg create_thin 2
else
	ok "a message" msg create_thin 2
fi
becomes ro "read-only"
is "$(pool_field 11)" needs_check "needs_check"
if is_thinx; then
	ok "the flag is written at once" flagged "$META"
fi
raised $((n + 1)) "one event"
logged "metadata operation '.*' failed: error = -5" "logged"
logged "aborting current metadata transaction" "so is the abort"
logged "switching pool to read-only mode" "and the new mode"
healed data "$DATA"
ok "what was committed is there" blockio verify $t 0 1M 1
ok "and can be overwritten" blockio write $t 0 64k 2
ok "and flushed" blockio sync $t
fails "no new blocks" EIO blockio write $t 2M 64k 3
remove t1 pool
ok "thin_check clears the flag" thin_check -q --clear-needs-check-flag "$META"
make_pool "$META" /dev/mapper/data
is "$(pool_mode) $(pool_field 11)" "rw -" "writable"
ok "the device of the failed message does not exist" msg create_thin 2
activate t1 1 32M
ok "new blocks can be written" blockio fua $t 2M 64k 3
finish
