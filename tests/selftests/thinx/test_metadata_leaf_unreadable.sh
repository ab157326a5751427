#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A block of one volume's mappings cannot be read, or is damaged: I/O of the volume
# fails where it needs the block, and nothing else fails.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 8 64
make_thin t1 1 32M
make_thin t2 2 32M
# 77 mappings in one leaf, which is how the leaf is found on the device.
require blockio write /dev/mapper/t1 0 4928k 1
require blockio write /dev/mapper/t2 0 1M 2
remove t1 t2 pool
leaves_of_77()
{
	sync
	python3 - "$scratch/META" << 'PYTHON'
import struct, sys
# Leaf, its own number, 77 entries, values of 8 bytes, keys from 0 on.
d = open(sys.argv[1], 'rb').read()
for b in range(len(d) // 4096):
    _, flags, nr, n, _, size, _ = struct.unpack_from('<IIQIIII', d, b * 4096)
    keys = struct.unpack_from('<77Q', d, b * 4096 + 32)
    if flags == 2 and nr == b and n == 77 and size == 8 and keys[76] == 76:
        print(b)
PYTHON
}
leaf=$(leaves_of_77)
like "$leaf" '^[0-9]+$' "the leaf is found" || finish

# with_leaf TARGET: put TARGET in place of the leaf on the wrapped device
with_leaf()
{
	swap_table meta << TABLE
0 $((leaf * 8)) linear $META 0
$((leaf * 8)) 8 $1
$((leaf * 8 + 8)) $(($(size_of "$META") - leaf * 8 - 8)) linear $META $((leaf * 8 + 8))
TABLE
}

# questions ERRNO: what fails, with that, and what works
questions()
{
	local m

	activate t1 1 32M
	activate t2 2 32M
	fails "a mapped block: $1" "$1" blockio read /dev/mapper/t1 0 64k
	fails "a write: $1" "$1" blockio write /dev/mapper/t1 0 64k 3
	ok "the other volume can be read" blockio verify /dev/mapper/t2 0 1M 2
	ok "and written" blockio write /dev/mapper/t2 0 2M 2
	ok "and flushed" blockio sync /dev/mapper/t2
	is "$(pool_mode) $(pool_field 11)" "rw -" "the pool goes on"
	m=$(status t1)
	is "$m" "0 65536 $TARGET_THIN Error" "the volume's status"
	ok "a message" msg create_thin 9
	ok "and another" msg delete 9
}

with_leaf error
make_pool /dev/mapper/meta "$DATA"
questions EIO
is "$(events)" 0 "no event"
healed meta "$META"
ok "readable again: the volume works at once" \
	blockio verify /dev/mapper/t1 0 4928k 1
ok "and can be written" blockio write /dev/mapper/t1 0 1M 3
ok "and read" blockio verify /dev/mapper/t1 0 1M 3
remove t1 t2 pool

# A damaged leaf: the same, except in the log.
require thin_check -q /dev/mapper/meta
damaged=$(leaves_of_77)
for b in $damaged; do
	dd if="$scratch/META" of="$scratch/leaf.$b" bs=4k skip="$b" count=1 \
		status=none
	printf 'damaged' | dd of="$scratch/META" bs=1 seek=$((b * 4096 + 2000)) \
		conv=notrunc status=none
done
sync
log_mark
make_pool /dev/mapper/meta "$DATA"
activate t1 1 32M
fails "a damaged block: an error" "" blockio read /dev/mapper/t1 0 64k
activate t2 2 32M
ok "the other volume works" blockio verify /dev/mapper/t2 0 2M 2
remove t1 t2 pool
for b in $damaged; do
	dd if="$scratch/leaf.$b" of="$scratch/META" bs=4k seek="$b" count=1 \
		conv=notrunc status=none
done
sync
make_pool /dev/mapper/meta "$DATA"
activate t1 1 32M
ok "put back: all is well" blockio verify /dev/mapper/t1 0 1M 3
finish
