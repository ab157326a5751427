#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Where the data device can write zeros by itself, a small write to a large new block
# moves little.  A device that says it can, and then refuses, gets pages of zeros, and
# nobody notices.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

t=/dev/mapper/t1
disk META 8
disk DATA 192
disk OTHER 64
ok "the data device says that it can" test "$(queue "$DATA" write_zeroes_max_bytes)" -gt 0

# again BLOCK-SIZE FEATURE...: a new pool on a device full of something else
again()
{
	bs=$1
	require dd if=/dev/zero of="$META" bs=1M count=8 status=none oflag=direct
	require blockio write "$DATA" 0 192M 99
	make_pool "$META" "$DATA" "${@:2}"
	make_thin t1 1 128M
}
gone() { remove t1 pool; }
# saved: MiB of the device's file that hold nothing any more
saved() { echo $((192 - $(used_kib DATA) / 1024)); }

# small FIRST LAST SEED: 4 KiB in the middle of blocks of 1 MiB
small()
{
	local i

	for ((i = $1; i <= $2; i++)); do
		BLOCKIO_SIZE=4k blockio write "$t" $((i * 1024 + 512))k 4k $(($3 + i)) || return
	done
}
# small_are_there FIRST LAST SEED: they are, and zeros around them
small_are_there()
{
	local i

	for ((i = $1; i <= $2; i++)); do
		blockio zeros "$t" $((i * 1024))k 512k &&
			blockio verify "$t" $((i * 1024 + 512))k 4k $(($3 + i)) &&
			blockio zeros "$t" $((i * 1024 + 516))k 508k || return
	done
}

# --- by the device ---

again 2048
ok "4 KiB to each of 32 new blocks of 1 MiB" small 0 31 1
if is_thinx; then
	is "$(saved)" 32 "the device's file shrinks by all of them, less what was written"
fi
ok "there are zeros around them" small_are_there 0 31 1
ok "over three blocks, ragged at both ends" blockio write $t 39992k 2064k 2
ok "before it" blockio zeros $t 39M 56k
ok "it" blockio verify $t 39992k 2064k 2
ok "behind it" blockio zeros $t 42056k 952k
ok "the last sector of a block" env BLOCKIO_SIZE=512 blockio write $t 53476864 512 3
ok "before it" blockio zeros $t 50M 1048064
ok "many writers in the same new blocks" fio --name=n --filename=$t --direct=1 \
	--ioengine=libaio --iodepth=32 --rw=randwrite --bs=4k --offset=64M \
	--size=16M --io_size=2M --verify=crc32c --verify_fatal=1 --randrepeat=1 \
	--output="$scratch/fio"
ok "what they did not write is zero" bash -c \
	"dd if=$t bs=4k skip=16384 count=4096 status=none iflag=direct |
	 perl -e 'while (read STDIN, \$b, 4096) {
		next if \$b =~ /^\\x0*\$/; \$n++ } exit(\$n == 512 ? 0 : 1)'"
gone

# Small blocks: less than a request is worth.
again 128
ok "4 KiB to new blocks of 64 KiB" small 0 15 1
ok "zeros around" blockio zeros $t 560k 16k
! is_thinx || is "$(saved)" 0 "are filled up by pages"
gone

again 2048 skip_block_zeroing
ok "skip_block_zeroing: 4 KiB to each of 16 new blocks" small 0 15 1
is "$(saved)" 0 "leaves the device alone"
fails "and the rest as it was" wanted blockio zeros $t 0 512k
gone

# Past the end of an external origin there are zeros in any case.
disk ORIGIN 8
require blockio write "$ORIGIN" 0 8M 7
require dmsetup create origin --table "0 $((5 * 2048 + 256)) linear $ORIGIN 0"
again 2048 skip_block_zeroing
remove t1
activate t1 1 128M /dev/mapper/origin
ok "an origin that ends in a block: 4 KiB behind its end" blockio write $t 5632k 4k 4
ok "the origin" blockio verify $t 5M 128k 7
ok "zeros" blockio zeros $t 5248k 384k
ok "it" blockio verify $t 5632k 4k 4
ok "zeros" blockio zeros $t 5636k 508k
ok "the same, in the part that is copied" blockio write $t 4160k 4k 4
ok "the origin" blockio verify $t 4164k 956k 7
ok "a block behind it" blockio write $t 8M 4k 4
ok "zeros" blockio zeros $t 8196k 1020k
gone
require dmsetup remove origin

# --- by a device that refuses ---

# Without discards a loop device refuses what it says it can.
limit() { echo "/sys/dev/block/$(major_minor "$1")/queue/discard_max_bytes"; }
# From 0 nothing leads back.
at_end disk_gone DATA OTHER
refuse() { echo 0 > "$(limit "$1")" || bail "no discards"; }
refuse "$DATA"
ok "the data device still says that it can" \
	test "$(queue "$DATA" write_zeroes_max_bytes)" -gt 0
fails "and refuses" "unsupported" fallocate -p -o 1M -l 1M "$DATA"
again 2048
ok "4 KiB to each of 16 new blocks" small 0 15 1
is "$(saved)" 0 "the device's file keeps its size"
ok "there are zeros around them" small_are_there 0 15 1
ok "many writers in the same new blocks" fio --name=n --filename=$t --direct=1 \
	--ioengine=libaio --iodepth=32 --rw=randwrite --bs=4k --offset=64M \
	--size=16M --io_size=2M --verify=crc32c --verify_fatal=1 --randrepeat=1 \
	--output="$scratch/fio"
ok "what they did not write is zero" bash -c \
	"dd if=$t bs=4k skip=16384 count=4096 status=none iflag=direct |
	 perl -e 'while (read STDIN, \$b, 4096) {
		next if \$b =~ /^\\x0*\$/; \$n++ } exit(\$n == 512 ? 0 : 1)'"
ok "flushed" blockio sync $t
require dmsetup suspend pool
require dmsetup resume pool
ok "a resumed pool asks again, and is refused again" small 16 31 1
ok "zeros around all of them" small_are_there 0 31 1
gone

# One of two disks refuses its part of a block.
disk WILLING 64
require blockio write "$WILLING" 0 64M 99
require dmsetup create two --table "0 131072 linear $WILLING 0
131072 131072 linear $OTHER 0"
require blockio write "$OTHER" 0 64M 99
refuse "$OTHER"
require dd if=/dev/zero of="$META" bs=1M count=8 status=none oflag=direct
bs=$((48 * 2048))
make_pool "$META" /dev/mapper/two
make_thin t1 1 96M
ok "4 KiB of a block that lies on both" blockio write $t 40M 4k 5
ok "4 KiB of another" blockio write $t 80M 4k 6
ok "zeros before the first" blockio zeros $t 0 40M
ok "it" blockio verify $t 40M 4k 5
ok "zeros between" blockio zeros $t $((40 * 1024 + 4))k $((40 * 1024 - 4))k
ok "the other" blockio verify $t 80M 4k 6
ok "zeros behind" blockio zeros $t $((80 * 1024 + 4))k $((16 * 1024 - 4))k
gone
require dmsetup remove two

# --- the largest blocks ---

if is_thinx; then
	disk HUGE 3G
	require dd if=/dev/zero of="$META" bs=1M count=8 status=none oflag=direct
	bs=2097152
	make_pool "$META" "$HUGE"
	make_thin t1 1 2G
	ok "4 KiB of a block of 1 GiB" blockio write $t 512M 4k 1
	ok "4 KiB of another" blockio write $t 1600M 4k 2
	ok "move next to nothing" test "$(used_kib HUGE)" -lt 2048
	ok "are there" blockio verify $t 512M 4k 1
	ok "the other one, too" blockio verify $t 1600M 4k 2
	ok "with zeros before it" blockio zeros $t 1536M 64M
	ok "and behind it" blockio zeros $t $((1600 * 1024 + 4))k 63M
	is "$(data_used)" 2 "two blocks are in use"
	gone
fi
finish
