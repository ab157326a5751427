#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# io_uring requests across scattered blocks, on a data device that has to refuse what
# it cannot take at once: no request fails because of that.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Two requests at a time, each completed a moment later by a timer.
modprobe -q null_blk nr_devices=0 || skip_all "no null_blk"
require modprobe configfs
mountpoint -q /sys/kernel/config ||
	require mount -t configfs none /sys/kernel/config
null=/sys/kernel/config/nullb/nullb0
require mkdir $null
attribute() { echo "$2" > "$null/$1" || bail "null_blk: $1"; }
attribute size 256
attribute memory_backed 1
attribute irqmode 2
attribute completion_nsec 200000
attribute hw_queue_depth 2
attribute power 1
data=/dev/nullb0

disk META 8
make_pool "$META" "$data"
make_thin t1 1 32M
t=/dev/mapper/t1
require blockio write $t 0 32M 1
snapshot t1 1 2
# Breaking sharing in random order scatters the blocks.
ok "scattered" timeout 900 fio --name=w --filename=$t --direct=1 --rw=randwrite \
	--bs=64k --size=32M --randseed=7 --ioengine=libaio --iodepth=1 \
	--output="$scratch/fio"
for rw in randread randwrite randrw; do
	ok "$rw of 1 MiB" timeout 900 fio --name=u --filename=$t --direct=1 \
		--ioengine=io_uring --iodepth=8 --numjobs=2 --rw=$rw --bs=1M \
		--size=32M --io_size=48M --output="$scratch/fio"
done
ok "written and verified" timeout 900 fio --name=v --filename=$t --direct=1 \
	--ioengine=io_uring --iodepth=8 --rw=randwrite --bs=1M --size=32M \
	--verify=crc32c --verify_fatal=1 --output="$scratch/fio"
activate s 2 32M
ok "the snapshot is as it was" blockio verify /dev/mapper/s 0 32M 1
remove s t1 pool
ok "thin_check" thin_check -q "$META"
_metadata=()
attribute power 0
require rmdir $null
require modprobe -r null_blk
finish
