#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The size of the data device's sectors and whether the metadata device can be written
# are looked at whenever a pool is resumed.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target does not look at either"
disk META 8
disk SMALL 64
disk FILE 64
disk ORIGIN 2
large=$(losetup -f --show --sector-size 4096 "$scratch/FILE") || bail losetup
_loops+=("$large")
t=/dev/mapper/t1
n=$(size_of "$SMALL")

# move FROM TO: the data device, below a pool whose table is loaded already
move()
{
	require dmsetup suspend pool
	require dmsetup load pool --table "$(pool_table "$META" /dev/mapper/data)"
	require dmsetup suspend --nolockfs data
	require dd if="$1" of="$2" bs=1M iflag=direct oflag=direct status=none
	require dmsetup load data --table "0 $n linear $2 0"
	require dmsetup resume data
	require dmsetup resume pool
}

# --- sectors ---

# An origin that ends in the middle of a sector of 4 KiB.
require dmsetup create origin --table "0 1001 linear $ORIGIN 0"
require dmsetup create data --table "0 $n linear $SMALL 0"
make_pool "$META" /dev/mapper/data
require msg create_thin 1
ok "an origin of 1001 sectors: well with sectors of 512 bytes" \
	dmsetup create t1 --table "$(thin_table 1 32M /dev/mapper/origin)"
require blockio write $t 1M 4M 1
remove t1
move "$SMALL" "$large"
is "$(queue /dev/mapper/pool logical_block_size)" 4096 "the sectors became larger"
log_mark
fails "an origin of 1001 sectors can no longer be filled in" "" \
	dmsetup create t1 --table "$(thin_table 1 32M /dev/mapper/origin)"
logged "external origin has 1001 sectors, not a multiple of the data device's blocks of 8" \
	"the log says why"
activate t1 1 32M
is "$(queue $t logical_block_size)" 4096 "the volume has such sectors"
ok "and its data" blockio verify $t 1M 4M 1
ok "which can be written" blockio write $t 4M 4M 2
remove t1
move "$large" "$SMALL"
ok "with small sectors it is well again" \
	dmsetup create t1 --table "$(thin_table 1 32M /dev/mapper/origin)"
is "$(queue $t logical_block_size)" 512 "the volume has small ones, too"
ok "its data" blockio verify $t 4M 4M 2
ok "the end of the origin and zeros behind it" env BLOCKIO_SIZE=512 \
	blockio write $t 524800 512 3
ok "a table that does not end with a large sector is taken for small ones" \
	dmsetup load pool --table "$(pool_sectors=$((n - 4)) pool_table "$META" /dev/mapper/data)"
dmsetup clear pool
remove t1

# --- write protection ---

require blockdev --setro "$META"
require dmsetup suspend pool
log_mark
ok "the metadata device became write-protected: resumed" dmsetup resume pool
logged "metadata device \(${META#/dev/}\) is write-protected" "the log says so"
is "$(pool_mode) $(pool_field 11)" "ro -" "the pool can be read"
writes() { awk '{ print $5 + $12 }' "/sys/dev/block/$(major_minor "$META")/stat"; }
before=$(writes)
activate t1 1 32M
ok "so can its volumes" blockio verify $t 4M 4M 2
ok "a mapped block can be written" blockio write $t 4M 64k 3
fails "a new one cannot" EIO blockio write $t 16M 64k 3
fails "nor is a message taken" "Operation not supported" msg create_thin 2
require dmsetup suspend pool
require dmsetup resume pool
is "$(writes)" "$before" "nothing is written to it"
ok "a table is loaded while it is protected" dmsetup load pool \
	--table "$(pool_table "$META" /dev/mapper/data)"
require blockdev --setrw "$META"
require dmsetup resume pool
is "$(pool_mode) $(pool_field 11)" "rw -" "and is read-write once it is not"
ok "new blocks can be written" blockio write $t 16M 64k 3
ok "and flushed" blockio sync $t
ok "messages are taken" msg create_thin 2
remove t1 pool

# The other way: opened read-only on a device that cannot be written.
require blockdev --setro "$META"
make_pool "$META" /dev/mapper/data read_only
is "$(pool_mode)" ro "opened read-only"
require blockdev --setrw "$META"
reload_pool "$META" /dev/mapper/data
is "$(pool_mode) $(pool_field 11)" "rw -" "a later table without read_only can write"
activate t1 1 32M
ok "new blocks" blockio write $t 20M 1M 4
ok "which are flushed" blockio sync $t
is "$(pool_mode) $(pool_field 11)" "rw -" "and nothing has failed"
remove t1 pool origin data
finish
