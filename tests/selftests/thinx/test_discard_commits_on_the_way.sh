#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A volume of widely scattered blocks is discarded while commits take long.  Nothing is
# passed down, so the data device slows nothing down.  What one transaction changes
# stays bounded all the same, and so does the memory it takes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "counts thinx's trace events"
n=130000
disk META 64
disk DATA 520000
# No two of them share what is kept of 64 neighbours.
format_scattered "$META" "$DATA" $n 64
modprobe -q dm-delay || skip_all "no dm-delay"
wrap data "$DATA"
make_pool "$META" /dev/mapper/data no_discard_passdown
activate t1 1 8125M
is "$(data_used)" $n "as restored"
# Flushes take 5 s; nothing else is delayed.
rewrap data delay "$DATA" 0 0 "$DATA" 0 0 "$DATA" 0 5000

t=/sys/kernel/tracing
echo 8192 > $t/buffer_size_kb
echo > $t/trace
echo 1 > $t/events/thinx/thinx_discard_step/enable
echo 1 > $t/events/thinx/thinx_commit/enable
ok "discarded" timeout 600 blkdiscard /dev/mapper/t1
echo 0 > $t/events/thinx/enable
is "$(data_used)" 0 "all blocks come back"
# The number of blocks unmapped between one commit and the next, one per line
transactions()
{
	sed -nE 's/.*thinx_discard_step: .*\[([0-9]+), ([0-9]+)\).*/\1 \2/p
		/was clean/d; s/.*thinx_commit: .*/commit/p' $t/trace |
		awk '$1 == "commit" { print sum + 0; sum = 0; next }
			{ sum += $2 - $1 } END { print sum + 0 }'
}
transactions > "$scratch/transactions"
is "$(awk '{ s += $1 } END { print s }' "$scratch/transactions")" $n \
	"in steps that were traced"
# Twice the limit: one transaction changes while the previous one is written.
most=$(sort -n "$scratch/transactions" | tail -n 1)
ok "no more than 70000 between two commits ($most)" test "$most" -le 70000
remove t1 pool
finish
