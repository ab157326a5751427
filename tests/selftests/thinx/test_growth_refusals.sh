#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Which new sizes a pool refuses, with which messages, and how to recover.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

small_pool 100
make_thin t1 1 16M
t=/dev/mapper/t1
require blockio write $t 0 4M 1
spawn fio --name=w --filename=$t --direct=1 --ioengine=libaio --iodepth=4 \
	--rw=randwrite --bs=16k --offset=8M --size=2M --time_based --runtime=3000
load=$spawned
require wait_until 120 loaded t1
n=$(events)

# Data, smaller by one block.
log_mark
pool_sectors=$((99 * 128))
require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
fails "one block less: the resume fails" "Invalid argument" dmsetup resume pool
logged "pool target \(99 blocks\) too small: expected 100" "and says why"
like "$(dmsetup info -c --noheadings -o suspended pool)" "^Suspended" \
	"the pool stays suspended"
like "$(status)" "/100 - rw " "status has the old size"
fails "resuming again does not help" "Invalid argument" dmsetup resume pool
ok "a message is accepted" msg create_thin 7
# A length that ends inside a block counts only the blocks before it.
pool_sectors=$((100 * 128 + 127))
log_mark
reload_pool "$META" "$DATA"
not_logged "growing|small" "a hundred blocks and a bit: no change"
ok "the load went on" running "$load"
like "$(status)" "/100 - rw " "status"

# Longer than the data device.
log_mark
pool_sectors=$(($(size_of "$DATA") + 1))
require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
fails "longer than the device: the resume fails" "" dmsetup resume pool
logged "too small for target" "and says why"
ok "the old table is resumed" dmsetup resume pool
pool_sectors=$((100 * 128))
ok "the pool goes on" msg create_thin 8

# Other devices, another block size, another start.
disk OTHER 64
log_mark
fails "another metadata device" "Invalid argument" \
	dmsetup load pool --table "$(pool_table "$OTHER" "$DATA")"
logged "different pool cannot replace a pool" "says so"
log_mark
fails "another data device" "busy" \
	dmsetup load pool --table "$(pool_table "$META" "$OTHER")"
logged "data device already in use by a pool" "says so"
log_mark
fails "ignore_discard" "Invalid argument" dmsetup load pool \
	--table "$(pool_table "$META" "$DATA" ignore_discard)"
logged "Discard support cannot be disabled once enabled" "says so"
if is_thinx; then
	log_mark
	fails "another block size" "Invalid argument" dmsetup load pool \
		--table "$(bs=256 pool_table "$META" "$DATA")"
	logged "Block size cannot be changed" "says so"
fi
fails "another target" "Invalid argument" bash -c \
	"dmsetup load pool --table '0 1000 linear $OTHER 0' &&
	 dmsetup resume pool"
dmsetup clear pool
like "$(dmsetup table pool)" "$TARGET_POOL" "the pool is still a pool"

# The metadata device, smaller.
stop "$load"
require dmsetup suspend pool
require truncate -s 4M "$scratch/META"
require losetup -c "$META"
log_mark
fails "smaller metadata device: the resume fails" "Invalid argument" \
	dmsetup resume pool
logged "metadata device \(1024 blocks\) too small: expected 2048" \
	"and says why"
disk_grow META 8
ok "the old size: resumed" dmsetup resume pool
is "$(pool_mode)" rw "write mode"
is "$(events)" "$n" "none of it raised an event"
ok "data is unharmed" blockio verify $t 0 4M 1

# Read-only: nothing grows.
resize_pool 150 read_only
like "$(status)" "/100 - ro " "read-only: data does not grow"
disk_grow META 16
suspend_and_resume pool
like "$(status)" "/2048 [0-9]+/100 - ro " "nor does metadata"
log_mark
reload_pool "$META" "$DATA"
logged "growing the data device from 100 to 150 blocks" "writable: data grows"
logged "growing the metadata device from 2048 to 4096 blocks" "so does metadata"
like "$(status)" "/4096 [0-9]+/150 - rw " "status"
ok "data is unharmed" blockio verify $t 0 4M 1
ok "and can be written" blockio write $t 0 4M 2
finish
