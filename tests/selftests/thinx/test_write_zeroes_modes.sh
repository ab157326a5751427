#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Zeros written to a volume with an external origin, to a full pool, in the other
# modes, during a suspend, and before a crash.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin writes pages of zeros"
t=/dev/mapper/t1
punch() { fallocate -p -o "$2" -l "$3" "$1"; }
disk META 8
disk DATA 32
require blockio write "$DATA" 0 32M 99

# --- an external origin that ends in a block ---

disk ORIGIN 8
require blockio write "$ORIGIN" 0 8M 7
require dmsetup create origin --table "0 $((4 * 2048 + 64)) linear $ORIGIN 0"
make_pool "$META" "$DATA"
require msg create_thin 1
activate t1 1 32M /dev/mapper/origin
ok "zeros behind the origin" blockio zeroout $t 5M 20M
is "$(data_used)" 0 "take no block"
ok "zeros over it, ragged" blockio zeroout $t 1000k 1100k
ok "before" blockio verify $t 0 1000k 7
ok "zeros" blockio zeros $t 1000k 1100k
ok "behind" blockio verify $t 2100k 1996k 7
is "$(data_used)" 18 "take the blocks they touch"
ok "a hole punched over them and further on" punch $t 960k 2112k
ok "shows zeros, not the origin" blockio zeros $t 960k 2112k
ok "behind" blockio verify $t 3M 1M 7
ok "over the end of the origin" punch $t 4M 2M
ok "zeros" blockio zeros $t 4M 2M
require blockio sync $t
snapshot t1 1 2
ok "zeros over what is shared" blockio zeroout $t 0 6M
ok "zeros" blockio zeros $t 0 6M
activate s 2 32M /dev/mapper/origin
ok "the snapshot has its own" blockio verify /dev/mapper/s 0 960k 7
remove s t1
require msg delete 1
require msg delete 2
require dmsetup remove origin

# --- a full pool ---

make_thin t1 3 128M
require blockio write $t 0 24M 1
require blockio sync $t
snapshot t1 3 4
require blockio write $t 0 8M 2
is "$(data_used)" 512 "the pool is full"
require reload_pool "$META" "$DATA" error_if_no_space
# One write finds that out.
fails "a write" ENOSPC blockio write $t 64M 64k 3
is "$(pool_mode)" out_of_data_space "out of data space"
ok "zeros over holes" blockio zeroout $t 32M 96M
ok "zeros over blocks of its own" blockio zeroout $t 0 4M
ok "are there" blockio zeros $t 0 4M
ok "zeros over shared ones" blockio zeroout $t 8M 4M
ok "are there" blockio zeros $t 8M 4M
fails "part of a shared block" ENOSPC blockio zeroout $t 12M 4k
ok "nothing has changed there" blockio verify $t 12M 12M 1
ok "punch" punch $t 4M 4M
ok "zeros" blockio zeros $t 4M 4M
ok "space comes back" wait_until 60 mode_is rw
activate s 4 128M
ok "the snapshot is whole" blockio verify /dev/mapper/s 0 24M 1
remove s
require msg delete 4

# --- while it is suspended ---

require blockio write $t 0 4M 5
require dmsetup suspend pool
spawn blockio zeroout $t 1M 2M
zeroing=$spawned
# Not both at once: each claims the device for a moment, and may find it claimed.
require wait_until 60 blocked "$zeroing"
spawn_out=$scratch/out2 spawn fallocate -p -o 3M -l 512k $t
punching=$spawned
sleep 0.5
ok "both wait for the pool" running "$zeroing"
ok "a noflush suspend does not" timeout 60 dmsetup suspend --noflush --nolockfs t1
require dmsetup resume pool
require dmsetup resume t1
ok "zeros are written" wait "$zeroing" || diag < "$scratch/out"
ok "the hole is punched" wait "$punching"
ok "before" blockio verify $t 0 1M 5
ok "zeros" blockio zeros $t 1M 2560k
ok "behind" blockio verify $t 3584k 512k 5

# --- together with writes and snapshots ---

spawn fio --name=n --filename=$t --direct=1 --ioengine=libaio --iodepth=16 \
	--rw=randwrite --bs=4k --size=8M --io_size=24M --verify=crc32c \
	--verify_fatal=1 --randrepeat=1 --output="$scratch/fio1"
writer=$spawned
for ((i = 0; i < 10; i++)); do
	ok "$i: zeros" blockio zeroout $t $((32 + i))M 1M
	ok "$i: a write" blockio write $t $((32 + i))M 512k "$i"
	require msg create_snap 9 3
	ok "$i: zeros over it" blockio zeroout $t $((32 + i))M 256k
	ok "$i: a hole" punch $t $((32 * 1024 + i * 1024 + 256))k 128k
	ok "$i: zeros" blockio zeros $t $((32 + i))M 384k
	ok "$i: the rest" blockio verify $t $(((32 + i) * 1024 + 384))k 128k "$i"
	activate s 9 128M
	ok "$i: the snapshot" blockio verify /dev/mapper/s $((32 + i))M 512k "$i"
	remove s
	require msg delete 9
done
fio_succeeded 1 "$writer"

# --- read-only, and failed ---

require blockio write $t 0 1M 6
require punch $t 20M 1M
require blockio sync $t
require msg create_snap 5 3
require dmsetup suspend pool
require dmsetup load pool --table "$(pool_table "$META" "$DATA" read_only)"
require dmsetup resume pool
is "$(pool_mode)" ro "read-only"
ok "zeros over holes" blockio zeroout $t 64M 64M
ok "a hole over holes" punch $t 64M 64M
fails "zeros over shared blocks" EIO blockio zeroout $t 0 1M
fails "a hole over shared blocks" "put/output error" punch $t 0 1M
ok "nothing has changed" blockio verify $t 0 1M 6
remove t1 pool
finish
