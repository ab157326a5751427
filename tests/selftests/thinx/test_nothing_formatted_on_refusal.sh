#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A refused table changes nothing: a blank metadata device stays blank, whatever was
# wrong with the table.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target formats first"
disk META 8
disk DATA 64
disk FILE 64
n=$(size_of "$DATA")
big=$(losetup -f --show --sector-size 4096 "$scratch/FILE") || bail losetup
_loops+=("$big")

# refused LENGTH TABLE-AFTER-TARGET
refused()
{
	fails "$1, $2: fails" "" \
		dmsetup create bad --table "0 $1 $TARGET_POOL $2"
	ok "$1, $2: the metadata device is blank" cmp -n 8388608 "$META" /dev/zero
}

log_mark
refused $((n + 1)) "$META $DATA 128 0"
logged "Data device is smaller than the table \(-EINVAL\)" "says so"
refused $((n * 2)) "$META $DATA 128 0"
log_mark
refused $((n - 4)) "$META $big 128 0"
logged "Table is not aligned to the data device's sectors \(-EINVAL\)" "says so"
refused "$n" "$META $DATA 100 0"
refused "$n" "$META $DATA 128 x"
refused "$n" "$META $DATA 128 0 1 nonsense"
refused "$n" "$META $DATA 128 0 0 nonsense"
refused "$n" "$META $DATA 128 0 1 read_only"
refused "$n" "$META $META 128 0"
refused "$n" "$META $(major_minor "$META") 128 0"
refused "$n" "$META /nonexistent 128 0"
make_pool "$META" "$DATA"
is "$(pool_mode)" rw "the right table formats it"
remove pool
require dd if=/dev/zero of="$META" bs=1M count=8 status=none oflag=direct
make_pool "$META" "$big"
make_thin t1 1 32M
is "$(queue /dev/mapper/t1 logical_block_size)" 4096 "4 KiB sectors are passed on"
ok "and written" blockio write /dev/mapper/t1 4k 1M 1
ok "and read" blockio verify /dev/mapper/t1 4k 1M 1
finish
