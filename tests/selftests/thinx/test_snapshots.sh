#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A snapshot keeps what the origin held, whichever is written afterwards; chains of
# snapshots; deletion frees exactly what is not shared.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 32M
o=/dev/mapper/t1
require blockio write $o 0 16M 1
is "$(data_used)" 256 "256 blocks in use"
snapshot t1 1 2
activate s2 2 32M
s=/dev/mapper/s2
is "$(data_used)" 256 "a snapshot takes no data blocks"
is "$(status s2)" "0 65536 $TARGET_THIN 32768 32767" "it maps as many"
ok "it reads the origin's data" blockio verify $s 0 16M 1

ok "overwrite the origin, whole blocks" blockio write $o 1M 1M 2
is "$(data_used)" 272 "16 blocks were copied"
ok "the origin has the new data" blockio verify $o 1M 1M 2
ok "the snapshot has the old data" blockio verify $s 0 16M 1
export BLOCKIO_SIZE=4k
ok "overwrite the origin, 4 KiB in the middle of a block" \
	blockio write $o 4100k 4k 3
ok "it has the new data" blockio verify $o 4100k 4k 3
ok "before it: copied" blockio verify $o 4M 4k 1
ok "after it: copied" blockio verify $o 4104k 56k 1
ok "the snapshot has the old data there" blockio verify $s 4M 64k 1
is "$(data_used)" 273 "one block was copied"
ok "again in the same block" blockio write $o 4120k 4k 3
is "$(data_used)" 273 "nothing is copied twice"
# part WHAT BLOCK BEGIN LENGTH: overwrite LENGTH KiB of a block in one request
part()
{
	local block=$(($2 * 64)) at=$(($2 * 64 + $3)) end=$(($3 + $4))

	BLOCKIO_SIZE=${4}k ok "overwrite $1" blockio write $o ${at}k "${4}k" 3
	ok "it has the new data" blockio verify $o ${at}k "${4}k" 3
	[ "$3" = 0 ] || ok "before it: copied" \
		blockio verify $o ${block}k "${3}k" 1
	[ $end = 64 ] || ok "after it: copied" \
		blockio verify $o $((block + end))k $((64 - end))k 1
	ok "the snapshot has the old data there" blockio verify $s ${block}k 64k 1
}

part "the first 4 KiB of a block" 66 0 4
part "the last 4 KiB of a block" 67 60 4
part "all of a block but its ends" 68 4 56
part "a third of a block, in the middle" 69 20 20
is "$(data_used)" 277 "a block was copied for each"
export BLOCKIO_SIZE=1M

ok "overwrite the snapshot" blockio write $s 8M 1M 4
ok "it has the new data" blockio verify $s 8M 1M 4
ok "the origin does not" blockio verify $o 8M 1M 1
ok "write the snapshot where the origin has a hole" blockio write $s 20M 1M 5
ok "the origin still reads zeros there" blockio zeros $o 20M 1M
ok "write the origin where the snapshot has a hole" blockio write $o 24M 1M 6
ok "the snapshot still reads zeros there" blockio zeros $s 24M 1M

# A chain: 3 is a snapshot of 2, and 4 of 3; each is changed.
snapshot s2 2 3
activate s3 3 32M
ok "change the second" blockio write /dev/mapper/s3 2M 1M 30
snapshot s3 3 4
activate s4 4 32M
ok "change the third" blockio write /dev/mapper/s4 2M 512k 40
ok "the first in the chain is the same" blockio verify $s 2M 1M 1
ok "the second" blockio verify /dev/mapper/s3 2M 1M 30
ok "the third, new part" blockio verify /dev/mapper/s4 2M 512k 40
ok "the third, inherited part" blockio verify /dev/mapper/s4 2560k 512k 30

# Discarding in one does not disturb the other.
ok "discard in the origin" blockio discard $o 12M 1M
ok "zeros there" blockio zeros $o 12M 1M
ok "the snapshot keeps its data" blockio verify $s 12M 1M 1

remove t1
require msg delete 1
ok "the snapshot outlives its origin" blockio verify $s 0 8M 1
ok "with its own data" blockio verify $s 8M 1M 4
remove s2
require msg delete 2
ok "the chain's end outlives the middle" \
	blockio verify /dev/mapper/s4 2560k 512k 30
remove s3 s4
require msg delete 3
require msg delete 4
is "$(data_used)" 0 "all deleted: nothing in use"
finish
