#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Every malformed or impossible pool table is refused with the documented errno and
# message.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk OTHER 8
disk DATA2 64
n=$(size_of "$DATA")

# refused ERRNO WORDS TABLE-AFTER-TARGET
refused()
{
	log_mark
	fails "$3: fails" "" dmsetup create bad --table "0 $n $TARGET_POOL $3"
	logged "$TARGET_POOL: $2 \(-$1\)" "$3: $1, '$2'"
}

count="Invalid argument count"
refused EINVAL "$count" ""
refused EINVAL "$count" "$META"
refused EINVAL "$count" "$META $DATA"
refused EINVAL "$count" "$META $DATA 128"
refused EINVAL "Error setting metadata or data device" "$META $META 128 0"

features="Invalid number of pool feature arguments"
refused EINVAL "$features" "$META $DATA 128 0 x"
refused EINVAL "$features" "$META $DATA 128 0 5 a b c d e"
refused EINVAL "$features" "$META $DATA 128 0 2 read_only"
refused EINVAL "$features" "$META $DATA 128 0 -1"
if is_thinx; then
	# The stock target ignores them, so a missing feature would go unnoticed.
	refused EINVAL "$features" "$META $DATA 128 0 0 read_only"
	refused EINVAL "$features" "$META $DATA 128 0 1 skip_block_zeroing read_only"
fi
refused EINVAL "Unrecognised pool feature requested" "$META $DATA 128 0 1 readonly"

# From 6.12 on dm core returns ENOENT for a path that does not exist.
refused "(ENODEV|ENOENT)" "Error opening metadata block device" "/nonexistent $DATA 128 0"
refused "(ENODEV|ENOENT)" "Error getting data device" "$META /nonexistent 128 0"

for size in 0 64 127 129 130 192 2097153 2097280 4194304 -128 0x80 128k ""1e3; do
	refused EINVAL "Invalid block size" "$META $DATA $size 0"
done
for mark in x -1 0x10 18446744073709551616 1k; do
	refused EINVAL "Invalid low water mark" "$META $DATA 128 $mark"
done

# Random bytes, a wrong magic or checksum, another block size.
refused EPERM "Error creating metadata object" "$META $DATA 128 0 1 read_only"
require dd if=/dev/urandom of="$OTHER" bs=4k count=4 status=none oflag=direct
refused ENOTBLK "Error creating metadata object" "$OTHER $DATA 128 0"

ok "a pool" dmsetup create pool --table "0 $n $TARGET_POOL $META $DATA 128 0"
refused EBUSY "metadata device already in use by a pool" "$META $DATA2 128 0"
remove pool
refused EINVAL "Error creating metadata object" "$META $DATA 256 0"

# The checksum of block 0: its first four bytes, little-endian.
require dd if="$META" of="$scratch/sb" bs=4k count=1 status=none
require dd if="$META" of="$OTHER" bs=4k count=512 status=none oflag=direct
printf '\377\377\377\377' | dd of="$OTHER" bs=1 conv=notrunc status=none
refused EILSEQ "Error creating metadata object" "$OTHER $DATA 128 0"
require dd if="$scratch/sb" of="$OTHER" bs=4k status=none oflag=direct
# The magic number, 8 bytes at offset 32.
printf 'x' | dd of="$OTHER" bs=1 seek=32 conv=notrunc status=none
refused EILSEQ "Error creating metadata object" "$OTHER $DATA 128 0"

if is_thinx; then
	# The stock target accepts it and fails when it is resumed.
	huge=$(((1 << 47) + 128))
	require dmsetup create huge --table "0 $huge zero"
	log_mark
	fails "more blocks than the format has" "" dmsetup create bad \
		--table "0 $huge $TARGET_POOL $META /dev/mapper/huge 128 0"
	logged "more data blocks than the format" "says so"
	remove huge
fi

# Refused by dm core.
fails "a table longer than the data device" "" \
	dmsetup create bad --table "0 $((n + 128)) $TARGET_POOL $META $DATA 128 0"
fails "a read-only table" "" \
	dmsetup create bad -r --table "0 $n $TARGET_POOL $META $DATA 128 0"
fails "not at sector 0" "" \
	dmsetup create bad --table "128 128 $TARGET_POOL $META $DATA 128 0"

ok "the device is unharmed" thin_check "$META"
finish
