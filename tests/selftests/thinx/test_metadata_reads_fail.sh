#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata blocks can be written but not read.  A change or a commit fails; whether
# the mode is then read-only or fail depends on whether the rollback has to read
# these blocks.  Either way needs_check is written as soon as the superblock can be
# read and written, and everything committed is there once the blocks can be read
# again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target lets messages succeed and forgets the flag"
require modprobe dm-flakey
disk META 8
disk DATA 128
wrap meta "$META"
wrap data "$DATA"
t=/dev/mapper/t1

make_pool /dev/mapper/meta /dev/mapper/data
make_thin t1 1 64M
require blockio write $t 0 4M 1
# More than fits in one leaf.
make_thin t2 2 64M
require blockio write /dev/mapper/t2 0 32M 2
remove t1 t2 pool

# block_of WHAT: the number of that block
block_of()
{
	sync
	python3 - "$scratch/META" "$1" << 'PYTHON'
import struct, sys
# See docs/format.md: the superblock, and nodes of trees.
d = open(sys.argv[1], 'rb').read()
what = sys.argv[2]
def u64(b, at):
    return struct.unpack_from('<Q', d, b * 4096 + at)[0]
def entries(b):
    _, flags, _, n, most = struct.unpack_from('<IIQII', d, b * 4096)
    return flags, [(u64(b, 32 + 8 * i), u64(b, 32 + 8 * (most + i)))
                   for i in range(n)]
if what == 'superblock':
    print(0)
elif what == 'space-map':
    print(u64(0, 192 + 16))
elif what == 'details':
    print(u64(0, 328))
elif what == 'bitmap':
    # Of the data space map, whose tree has one entry.
    print(entries(u64(0, 64 + 16))[1][0][1])
else:
    # The last leaf of device 2.
    b = dict(entries(u64(0, 320))[1])[2]
    while entries(b)[0] & 1:
        b = entries(b)[1][-1][1]
    print(b)
PYTHON
}

# unreadable BLOCK...: on the wrapped device.  The superblock is not unreadable but
# damaged when read; all can be written.
unreadable()
{
	local b at=0 end

	end=$(size_of "$META")
	for b in $(printf '%s\n' "$@" | sort -n) $((end / 8)); do
		b=$((b * 8))
		[ $b = $at ] || echo "$at $((b - at)) linear $META $at"
		at=$((b + 8))
		[ $b -lt "$end" ] || break
		if [ $b = 0 ]; then
			echo "0 8 flakey $META 0 0 1 5 corrupt_bio_byte 33 r 1 0"
		else
			echo "$b 8 error"
		fi
	done > "$scratch/table"
	swap_table meta "$scratch/table"
}

# Does the wrapped device show a damaged superblock?  In 6.1 flakey cannot damage what
# is read from a loop device.
is_damaged()
{
	! cmp -s <(dd if=/dev/mapper/meta bs=4k count=1 iflag=direct) \
		<(dd if="$META" bs=4k count=1 iflag=direct)
}

# fail_by WHAT: it fails, and with it the transaction
fail_by()
{
	case $1 in
	"a commit")
		broken data "$DATA"
		fails "$1: a message" "Input/output error" msg create_thin 9
		healed data "$DATA"
		;;
	"a deletion")
		fails "$1: a message" "Input/output error" msg delete 2
		;;
	"a write")
		fails "$1: a new block" EIO blockio write $t 32M 64k 3
		;;
	esac
}

while IFS=: read -r by blocks mode flag; do
	name="$by, unreadable $blocks"
	make_pool /dev/mapper/meta /dev/mapper/data
	activate t1 1 64M
	require blockio read $t 0 64k
	numbers=()
	for b in $blocks; do
		numbers+=("$(block_of "$b")")
	done
	echo "# $blocks: ${numbers[*]}"
	unreadable "${numbers[@]}"
	if [[ $blocks == *superblock* ]] && ! is_damaged; then
		ok "$name # SKIP flakey damages nothing here" true
		healed meta "$META"
		remove t1 pool
		continue
	fi
	log_mark
	fail_by "$by"
	if [ "$mode" = Fail ]; then
		ok "$name: fail mode" wait_until 120 is_failed
		logged "failed to abort metadata transaction" "$name: logged"
		fails "$name: no reads" EIO blockio read $t 0 64k
		fails "$name: no flush" EIO blockio sync $t
	else
		becomes ro "$name: read-only"
		is "$(pool_field 11)" needs_check "$name: needs_check"
		ok "$name: reads" blockio verify $t 0 4M 1
		ok "$name: in-place writes" blockio write $t 0 64k 1
		fails "$name: no new blocks" EIO blockio write $t 32M 64k 3
	fi
	logged "switching pool to (fail|read-only) mode" "$name: the mode is logged"
	is "$(events)" 1 "$name: one event"
	if [ "$flag" = now ]; then
		ok "$name: the flag is on the disk all the same" \
			wait_until 120 flagged "$META"
		healed meta "$META"
	else
		fails "$name: the flag is not on the disk" "" flagged "$META"
		healed meta "$META"
		ok "$name: once healed it is, while the pool is up" \
			wait_until 120 flagged "$META"
	fi
	remove t1 pool
	make_pool /dev/mapper/meta /dev/mapper/data
	is "$(pool_mode) $(pool_field 11)" "ro needs_check" \
		"$name: set up again: read-only"
	remove pool
	ok "$name: thin_check clears the flag" \
		thin_check -q --clear-needs-check-flag /dev/mapper/meta
	make_pool /dev/mapper/meta /dev/mapper/data
	is "$(pool_mode) $(pool_field 11)" "rw -" "$name: writable"
	is "$(pool_field 6)" "576/2048" "$name: as many blocks in use as before"
	activate t1 1 64M
	activate t2 2 64M
	ok "$name: new blocks" blockio fua $t 32M 64k 3
	ok "$name: discarded" blockio discard $t 32M 64k
	ok "$name: what was committed is there" blockio verify $t 0 4M 1
	ok "$name: in the other volume, too" \
		blockio verify /dev/mapper/t2 0 32M 2
	ok "$name: what a message created is not" msg create_thin 9
	ok "$name: messages work" msg delete 9
	remove t1 t2 pool
done << 'CASES'
a commit:details:Fail:now
a commit:space-map:Fail:now
a commit:superblock:Fail:later
a write:bitmap:ro:now
a write:bitmap details:Fail:now
a deletion:leaf:ro:now
a deletion:leaf details:Fail:now
a deletion:leaf superblock:Fail:later
CASES
finish
