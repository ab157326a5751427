#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A map cache that is too small and evicts all the time answers as correctly as a
# large one, and gives memory back when the kernel asks for it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
is_thinx || skip_all "dm-thin has no map cache"

limit=$parameters/map_cache_limit_bytes
bytes() { cat "$parameters/map_cache_bytes"; }

disk META 32
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
make_thin t1 1 200M
make_thin big 9 1024G
t=/dev/mapper/t1

# 200 MiB are 50 chunks of 536 bytes; leave room for three of them.
default=$(cat "$limit")
is "$default" "$(awk '$1 == "MemTotal:" { print $2 * 32 }' /proc/meminfo)" \
	"a thirty-second part of the memory is the limit at first"
echo 1700 > "$limit"
drop_caches()
{
	while sleep 0.1; do
		echo 2 > /proc/sys/vm/drop_caches
	done
}
drop_caches &
dropper=$!

ok "fill the volume" blockio write $t 0 200M 1
ok "all of it is there" blockio verify $t 0 200M 1
ok "the cache keeps to its limit" test "$(bytes)" -le 1700
snapshot t1 1 2
activate t2 2 200M
export BLOCKIO_SIZE=64k
ok "break sharing of a part" blockio write $t 50M 20M 2
ok "discard another" blockio discard $t 100M 30M
ok "volume: before" blockio verify $t 0 50M 1
ok "volume: new" blockio verify $t 50M 20M 2
ok "volume: between" blockio verify $t 70M 30M 1
ok "volume: discarded" blockio zeros $t 100M 30M
ok "volume: after" blockio verify $t 130M 70M 1
ok "snapshot: all as it was" blockio verify /dev/mapper/t2 0 200M 1
export BLOCKIO_SIZE=1M

# Random writes verified by fio while the other volume is read.
spawn fio --name=other --filename=/dev/mapper/t2 --direct=1 --rw=randread \
	--bs=16k --time_based --runtime=3000 --thread
reader=$spawned
require wait_until 120 loaded t2
ok "random writes are read back" fio --name=v --filename=$t --direct=1 \
	--rw=randwrite --bs=32k --iodepth=8 --ioengine=libaio --size=200M \
	--io_size=20M --verify=crc32c --verify_fatal=1 --thread
ok "while the other is being read" running "$reader"
stop "$reader"
ok "snapshot: still as it was" blockio verify /dev/mapper/t2 0 200M 1

kill $dropper
wait $dropper 2> /dev/null
echo "$default" > "$limit"

# Holes far apart: each lookup fills several chunks.
ok "read holes all over a large volume" fio --name=h \
	--filename=/dev/mapper/big --direct=1 --rw=randread --bs=4k \
	--size=1024G --number_ios=500 --thread
ok "they are cached" test "$(bytes)" -gt 1000000
given_back()
{
	echo 2 > /proc/sys/vm/drop_caches
	[ "$(bytes)" -lt 100000 ]
}
ok "until the kernel wants the memory back" wait_until 120 given_back
finish
