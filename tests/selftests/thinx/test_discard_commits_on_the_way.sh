#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A volume whose blocks all lie apart is discarded while commits take long: not
# passed down, so that the data device keeps nobody back.  What one transaction
# changes stays bounded all the same, and so does the memory that takes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "counts thinx's trace events"
n=260000
disk META 64
disk DATA 33000
{
	echo "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" data_block_size=\"128\" nr_data_blocks=\"528000\">"
	echo "<device dev_id=\"1\" mapped_blocks=\"$n\" transaction=\"0\" creation_time=\"0\" snap_time=\"0\">"
	seq 0 $((n - 1)) | awk '{ printf "<single_mapping origin_block=\"%d\" data_block=\"%d\" time=\"0\"/>\n", $1, 2 * $1 }'
	echo "</device></superblock>"
} > "$scratch/xml"
require thin_restore -i "$scratch/xml" -o "$META"
modprobe -q dm-delay || skip_all "no dm-delay"
wrap data "$DATA"
make_pool "$META" /dev/mapper/data no_discard_passdown
activate t1 1 16250M
is "$(data_used)" $n "as restored"
# Flushes take 5 s, nothing else does.
rewrap data delay "$DATA" 0 0 "$DATA" 0 0 "$DATA" 0 5000

t=/sys/kernel/tracing
echo 8192 > $t/buffer_size_kb
echo > $t/trace
echo 1 > $t/events/thinx/thinx_discard_step/enable
echo 1 > $t/events/thinx/thinx_commit/enable
ok "discarded" timeout 600 blkdiscard /dev/mapper/t1
echo 0 > $t/events/thinx/enable
is "$(data_used)" 0 "all blocks come back"
# blocks N of each transaction that was committed, one a line
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
# Two, because one goes on being changed while the last one is written.
most=$(sort -n "$scratch/transactions" | tail -n 1)
ok "no more than 140000 between two commits ($most)" test "$most" -le 140000
remove t1
remove pool
finish
