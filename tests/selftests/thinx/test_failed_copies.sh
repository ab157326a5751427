#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The copying or zeroing that a small write needs fails: the write fails, the
# mapping stays, the old contents of the new block are never shown, and the block is
# not leaked.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 32
disk ORIGIN 4
# Old contents of the device, which must not be seen.
require blockio write "$DATA" 0 32M 99
require blockio write "$ORIGIN" 0 4M 7
wrap data "$DATA"
wrap origin "$ORIGIN"
make_pool "$META" /dev/mapper/data
# The stock target leaks a block that it could not fill.
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

# of_blocks FIRST SECOND: a table for the data device in which FIRST replaces the
# second half of each of the blocks 0 to 15, and SECOND that of all others; "-"
# replaces nothing
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
	ok "$1: so are the snapshot's" blockio verify /dev/mapper/t2 0 1M 1
	ok "$1: the holes" blockio zeros $t 1M 7M
	ok "$1: the origin shows through" blockio verify $o 0 4M 7
	ok "$1: flushed" blockio sync $t
	if is_thinx; then
		is "$(data_used)" "$used" "$1: no block was leaked"
	fi
}

# Three places: the copy is before and after the write in one block, only after it,
# and in two pieces.
with error -
for at in "16k 4k" "0 4k" "4k 24k"; do
	# shellcheck disable=SC2086 # words
	fails "the old block cannot be read: write of $at: EIO" EIO \
		blockio write $t $at 2
done
fails "with FUA" EIO blockio fua $t 16k 4k 2
# dm-thin would overwrite the two whole ones.
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
is "$(events)" 0 "none of it raised an event"

ok "errors gone: a copy" blockio write $t 16k 4k 2
ok "copied before it" blockio verify $t 0 16k 1
ok "written" blockio verify $t 16k 4k 2
ok "copied after it" blockio verify $t 20k 44k 1
ok "a new block" blockio write $t 2M 4k 2
ok "written" blockio verify $t 2M 4k 2
ok "zeroed" blockio zeros $t 2052k 60k
ok "a copy of the origin" blockio write $o 16k 4k 2
ok "copied before it" blockio verify $o 0 16k 7
ok "written" blockio verify $o 16k 4k 2
ok "copied after it" blockio verify $o 20k 44k 7
finish
