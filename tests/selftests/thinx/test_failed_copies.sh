#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What has to be copied or zeroed for a small write cannot be: that write fails,
# the mapping stays, nobody sees what the new block held before, and the block
# is not lost.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 32
disk ORIGIN 4
# What others left on the device must not be seen.
require blockio write "$DATA" 0 32M 99
require blockio write "$ORIGIN" 0 4M 7
wrap data "$DATA"
wrap origin "$ORIGIN"
make_pool "$META" /dev/mapper/data
# The stock target lets go of a block it could not fill without giving it back.
is_thinx || damaged "$META"
t=/dev/mapper/t1
o=/dev/mapper/t3
make_thin t1 1 8M
require blockio write $t 0 1M 1
snapshot t1 1 2
activate t2 2 8M
make_thin t3 3 4M /dev/mapper/origin
require blockio sync $t
used=$(data_used)
is "$used" 16 "blocks in use"

# of_blocks FIRST SECOND: the data device, whose blocks 0 to 15 have FIRST, and
# all others SECOND, in place of their second half; "-" for what it holds
of_blocks()
{
	local b half

	for ((b = 0; b < 512; b++)); do
		half=$1
		[ $b -lt 16 ] || half=$2
		[ "$half" != - ] || half="linear $DATA $((b * 128 + 64))"
		echo "$((b * 128)) 64 linear $DATA $((b * 128))"
		echo "$((b * 128 + 64)) 64 $half"
	done
}

with()
{
	of_blocks "$@" > "$scratch/table"
	swap_table data "$scratch/table"
}

unchanged()
{
	is "$(pool_mode)" rw "$1: the pool goes on"
	ok "$1: the blocks are as they were" blockio verify $t 0 1M 1
	ok "$1: the snapshot's, too" blockio verify /dev/mapper/t2 0 1M 1
	ok "$1: the holes" blockio zeros $t 1M 7M
	ok "$1: what shows the origin" blockio verify $o 0 4M 7
	ok "$1: flushed" blockio sync $t
	if is_thinx; then
		is "$(data_used)" "$used" "$1: no block was lost"
	fi
}

# Three places: copied before and behind in one piece, only behind, in two pieces.
with error -
for at in "16k 4k" "0 4k" "4k 24k"; do
	# shellcheck disable=SC2086 # words
	fails "the old block cannot be read: write of $at: EIO" EIO \
		blockio write $t $at 2
done
fails "with FUA" EIO blockio fua $t 16k 4k 2
# dm-thin would have two of them overwritten as a whole.
if is_thinx; then
	fails "some blocks" EIO blockio write $t 68k 216k 2
fi
healed data "$DATA"
unchanged "unreadable"

with - error
for at in "16k 4k" "0 4k" "4k 24k"; do
	# shellcheck disable=SC2086 # words
	fails "no copy can be written: write of $at: EIO" EIO \
		blockio write $t $at 2
	# shellcheck disable=SC2086 # words
	fails "no copy of the origin: write of $at: EIO" EIO \
		blockio write $o $at 2
done
fails "no zeros can be written: EIO" EIO blockio write $t 2M 4k 2
fails "with FUA" EIO blockio fua $t 2M 4k 2
fails "some blocks" EIO blockio write $t 2052k 192k 2
healed data "$DATA"
unchanged "unwritable"

rewrap origin error
fails "the origin cannot be read: a hole: EIO" EIO blockio read $o 0 64k
for at in "16k 4k" "0 4k" "4k 24k"; do
	# shellcheck disable=SC2086 # words
	fails "a write over it of $at: EIO" EIO blockio write $o $at 2
done
ok "a whole block needs no copy" blockio write $o 2M 64k 7
used=$((used + 1))
ok "and can be read" blockio verify $o 2M 64k 7
rewrap origin linear "$ORIGIN" 0
unchanged "no origin"
is "$(events)" 0 "no event by all that"

ok "all is well: a copy" blockio write $t 16k 4k 2
ok "copied before it" blockio verify $t 0 16k 1
ok "written" blockio verify $t 16k 4k 2
ok "copied behind it" blockio verify $t 20k 44k 1
ok "a new block" blockio write $t 2M 4k 2
ok "written" blockio verify $t 2M 4k 2
ok "zeroed" blockio zeros $t 2052k 60k
ok "a copy of the origin" blockio write $o 16k 4k 2
ok "copied before it" blockio verify $o 0 16k 7
ok "written" blockio verify $o 16k 4k 2
ok "copied behind it" blockio verify $o 20k 44k 7
finish
