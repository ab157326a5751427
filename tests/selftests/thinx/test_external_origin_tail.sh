#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Past the end of a short external origin there are zeros, also in blocks that are
# written in part and even if new blocks are not zeroed: the data device may hold
# old data of other volumes there.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk STORE 8
require blockio write "$DATA" 0 64M 99
require blockio write "$STORE" 0 8M 7
t=/dev/mapper/t1
export BLOCKIO_SIZE=512
id=0

# origin SECTORS: make /dev/mapper/origin and a new volume t1 over it
origin()
{
	end=$(($1 * 512))
	id=$((id + 1))
	require dmsetup create origin --table "0 $1 linear $STORE 0"
	make_thin t1 $id 4M /dev/mapper/origin
}

gone() { remove t1; remove origin; }

for features in "" skip_block_zeroing; do
	if [ -n "$features" ] && ! is_thinx; then
		echo "# the stock target shows what the data device held"
		break
	fi
	for bs in 128 384; do
		block=$((bs * 512))
		blank "$META"
		id=0
		# shellcheck disable=SC2086 # words
		make_pool "$META" "$DATA" $features
		sizes="127 1000"
		[ "$bs $features" != "128 skip_block_zeroing" ] ||
			sizes="1 3 127 129 1000 1021"
		for size in $sizes; do
			what="$((bs / 2)) KiB blocks, ${features:-zeroing}, $size sectors"
			origin "$size"
			begin=$((end - end % block))
			ok "$what: a write past the end" \
				blockio write $t $((begin + block - 512)) 512 1
			[ "$end" = "$begin" ] || ok "$what: before it the origin" \
				blockio verify $t "$begin" $((end - begin)) 7
			ok "$what: then zeros" \
				blockio zeros $t "$end" $((begin + block - 512 - end))
			ok "$what: then what was written" \
				blockio verify $t $((begin + block - 512)) 512 1
			gone
			origin "$size"
			ok "$what: a write across the end" \
				blockio write $t $((end - 512)) 1024 2
			ok "$what: is there" blockio verify $t $((end - 512)) 1024 2
			[ $((end - 512)) = "$begin" ] || ok "$what: before it the origin" \
				blockio verify $t "$begin" $((end - 512 - begin)) 7
			ok "$what: after it zeros" \
				blockio zeros $t $((end + 512)) $((begin + block - end - 512))
			ok "$what: a write in a later block" \
				blockio write $t $((begin + 3 * block + 4096)) 512 3
			ok "$what: before it zeros" \
				blockio zeros $t $((begin + 3 * block)) 4096
			ok "$what: after it zeros" blockio zeros $t \
				$((begin + 3 * block + 4608)) $((block - 4608))
			gone
		done
		remove pool
		ok "sound" thin_check -q "$META"
	done
done
finish
