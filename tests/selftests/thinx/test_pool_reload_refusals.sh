#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What a table loaded over a live pool cannot change: block size, devices, whether
# discards are accepted.  The pool goes on as before.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk META2 8
disk DATA2 64
make_pool "$META" "$DATA"
make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 4M 1
before=$(dmsetup table pool)
n=$(size_of "$DATA")

# refused ERRNO WORDS TABLE
refused()
{
	log_mark
	fails "$3: refused" "" dmsetup load pool --table "0 $n $TARGET_POOL $3"
	logged "$TARGET_POOL: $2 \(-$1\)" "$3: $1, '$2'"
	is "$(dmsetup info -c --noheadings -o tables_loaded pool)" Live \
		"$3: nothing is loaded"
}

refused EINVAL "different pool cannot replace a pool" "$META2 $DATA 128 0"
refused EBUSY "data device already in use by a pool" "$META $DATA2 128 0"
refused EINVAL "Discard support cannot be disabled once enabled" \
	"$META $DATA 128 0 1 ignore_discard"
# The stock target accepts these and ignores the difference.
if is_thinx; then
	for size in 256 64000 2097152; do
		refused EINVAL "(Block size cannot be changed|Invalid block size)" \
			"$META $DATA $size 0"
	done
	refused EINVAL "Invalid number of pool feature arguments" \
		"$META $DATA 128 0 0 read_only"
	refused EINVAL "Invalid number of pool feature arguments" \
		"$META $DATA 128 0 1 skip_block_zeroing read_only"
fi
ok "a resume without a table" dmsetup resume pool
is "$(dmsetup table pool)" "$before" "the table is the old one"
ok "the data is there" blockio verify /dev/mapper/t1 0 4M 1
ok "and it can be written" blockio write /dev/mapper/t1 8M 4M 1
remove t1 pool
make_pool "$META" "$DATA" ignore_discard
log_mark
fails "discards cannot be turned on, either" "" \
	dmsetup load pool --table "$(pool_table "$META" "$DATA")"
logged "Discard support cannot be disabled once enabled" "says so"
finish
