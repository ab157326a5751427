#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A data device without a cache needs no flush, but the metadata of new blocks still
# needs a commit, and no flush succeeds after a loss of data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk COPY 8
require bash -c "echo 'write through' > /sys/dev/block/$(major_minor "$DATA")/queue/write_cache"
is "$(queue "$DATA" write_cache)" "write through" "the data device has no cache"
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
make_thin t1 1 32M
t=/dev/mapper/t1

# mapped: the number of blocks mapped in the metadata as a power failure would leave it
mapped()
{
	require dd if="$META" of="$COPY" bs=4k iflag=direct oflag=direct \
		status=none
	thin_dump "$COPY" | sed -n 's/.*mapped_blocks="\([0-9]*\)".*/\1/p'
}

for round in 1 2 3; do
	require blockio write $t $((round * 4))M 1M $round
	ok "new blocks are flushed ($round)" blockio sync $t
	is "$(mapped)" $((round * 16)) "and committed ($round)"
	ok "overwritten" blockio write $t $((round * 4))M 1M $((round + 10))
	ok "flushed with nothing to commit ($round)" blockio sync $t
done

if is_thinx; then
	broken meta "$META"
	require blockio write $t 24M 64k 9
	fails "a flush whose commit fails" EIO blockio sync $t
	becomes ro "read-only"
	fails "a later one fails, too" EIO blockio sync $t
	healed meta "$META"
fi
remove t1 pool
finish
