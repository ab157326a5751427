#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The queue limits that pool and volume show to devices stacked on them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 128
t=/dev/mapper/t1
p=/dev/mapper/pool
make_pool "$META" "$DATA"
make_thin t1 1 64M
for d in $p $t; do
	is "$(queue "$d" minimum_io_size)" 65536 "${d##*/}: minimum_io_size"
	is "$(queue "$d" optimal_io_size)" 65536 "${d##*/}: optimal_io_size"
	is_thinx || is "$(queue "$d" write_zeroes_max_bytes)" 0 "${d##*/}: no write zeroes"
	is "$(queue "$d" logical_block_size)" 512 "${d##*/}: logical block"
done
is "$(queue $t discard_granularity)" 65536 "volume: discard granularity"
if is_thinx; then
	# That of the stock target depends on the kernel.
	is "$(queue $t discard_max_bytes)" 17179869184 "volume: largest discard"
	is "$(queue $t write_zeroes_max_bytes)" 1073741824 "volume: most zeros at once"
fi
is "$(queue $t fua)" 1 "volume: FUA"
is "$(queue $t write_cache)" "write back" "volume: write cache"
is "$(queue $t zoned)" none "volume: not zoned"
remove t1 pool
blank "$META"
bs=384
make_pool "$META" "$DATA"
make_thin t1 1 64M
is "$(queue $t minimum_io_size)" 196608 "192 KiB blocks: minimum_io_size"
is "$(queue $t optimal_io_size)" 196608 "192 KiB blocks: optimal_io_size"
granularity=196608
is_thinx && granularity=65536
is "$(queue $t discard_granularity)" $granularity \
	"192 KiB blocks: discard granularity"
remove t1 pool
blank "$META"
bs=8192
make_pool "$META" "$DATA"
make_thin t1 1 64M
is "$(queue $t optimal_io_size)" 4194304 "4 MiB blocks: optimal_io_size"
is $((4194304 % $(queue $t minimum_io_size))) 0 \
	"4 MiB blocks: minimum_io_size divides the block"
case $(uname -r) in
6.1.*)	# Later kernels do not let a target choose max_sectors.
	is $((4096 % $(queue $p max_sectors_kb))) 0 \
		"max_sectors divides the block" ;;
esac
ok "stacking works" dmsetup create top --table "0 131072 linear $t 0"
is "$(queue /dev/mapper/top optimal_io_size)" 4194304 "a linear on top inherits"
ok "writes through it" blockio write /dev/mapper/top 1M 9M 1
ok "are in the volume" blockio verify $t 1M 9M 1
wanted='v1\.(2[0-9]|[3-9][0-9])\.'
! is_thinx || wanted=' v1\.23\.0$'
like "$(dmsetup targets | grep "^$TARGET_POOL ")" "$wanted" \
	"the target's version tells LVM of every feature"
finish
