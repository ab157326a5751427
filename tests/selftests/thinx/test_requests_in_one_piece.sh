#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A request goes to the data device in one piece as far as its blocks are neighbours
# there, and is split where they are not.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool data 8 128
make_thin t1 1 64M
make_thin t2 2 64M
t=/dev/mapper/t1

count() { io_counts /dev/mapper/data "\$$1"; }

# pieces FIELD COMMAND...: how many requests it takes; FIELD as for io_counts
pieces()
{
	local before field=$1

	before=$(count "$field")
	shift
	require "$@"
	echo $(($(count "$field") - before))
}

write_synced $t 0 32M 1
n=$(pieces 1 blockio verify $t 0 16M 1)
echo "# 16 requests of 1 MiB were read in $n pieces"
# A request too large for the device is split in any case.
if is_thinx; then
	ok "reads are submitted in large pieces" test "$n" -le 64
else
	ok "the stock target: a piece for each block" test "$n" -ge 256
fi
n=$(pieces 5 blockio write $t 0 16M 2)
echo "# 16 requests of 1 MiB were overwritten in $n pieces"
! is_thinx || ok "so do writes" test "$n" -le 64
n=$(pieces 1 env BLOCKIO_SIZE=128k blockio verify $t 32k 8M 2)
! is_thinx || is "$n" 64 "a small request across a border is not split"

# Every other block is another volume's.
for ((i = 0; i < 32; i++)); do
	require blockio write $t $((40960 + i * 64))k 64k 3
	require blockio write /dev/mapper/t2 $((i * 64))k 64k 4
done
n=$(pieces 1 blockio verify $t 40M 2M 3)
is "$n" 32 "scattered blocks: a piece for each"
ok "overwritten in one request" blockio write $t 40M 1M 5
ok "read in one request" blockio verify $t 40M 1M 5
ok "the other volume is unharmed" blockio verify /dev/mapper/t2 0 2M 4
finish
