#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A newly provisioned block shows nothing of what the data device held before, unless
# skip_block_zeroing allows it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
require blockio write "$DATA" 0 64M 99
make_pool "$META" "$DATA"
make_thin t1 1 64M
t=/dev/mapper/t1
export BLOCKIO_SIZE=4k
ok "4 KiB in the middle of a block" blockio write $t 32k 4k 1
ok "before it zeros" blockio zeros $t 0 32k
ok "it" blockio verify $t 32k 4k 1
ok "after it zeros" blockio zeros $t 36k 28k
ok "the first sector of a block" env BLOCKIO_SIZE=512 blockio write $t 64k 512 1
ok "zeros after it" env BLOCKIO_SIZE=512 blockio zeros $t 66048 65024
ok "the last sector of a block" env BLOCKIO_SIZE=512 blockio write $t 196096 512 1
ok "zeros before it" env BLOCKIO_SIZE=512 blockio zeros $t 128k 65024
export BLOCKIO_SIZE=1M
ok "across three blocks, ragged at both ends" blockio write $t 1040k 176k 2
ok "before" blockio zeros $t 1M 16k
ok "it" blockio verify $t 1040k 176k 2
ok "after" blockio zeros $t 1216k 64k

# Four writers at once, each in its own quarter of the same fresh blocks.
ok "neighbours in one block at the same time" fio --name=n --filename=$t \
	--direct=1 --ioengine=libaio --iodepth=32 --rw=randwrite --bs=4k \
	--offset=8M --size=4M --io_size=2M --verify=crc32c \
	--verify_fatal=1 --randrepeat=1 --output="$scratch/fio"
ok "what was never written is zero" bash -c \
	"dd if=$t bs=4k skip=2048 count=1024 status=none iflag=direct |
	 perl -e 'while (read STDIN, \$b, 4096) {
		next if \$b =~ /^\\x0*\$/; \$n++ } exit(\$n == 512 ? 0 : 1)'"
remove t1 pool

make_pool "$META" "$DATA" skip_block_zeroing
activate t1 1 64M
ok "skip_block_zeroing: 4 KiB of a block" blockio write $t 30M 4k 3
ok "it is there" blockio verify $t 30M 4k 3
fails "the rest is what the data device held" wanted \
	blockio zeros $t 30724k 60k
ok "holes still read as zeros" blockio zeros $t 40M 4M
finish
