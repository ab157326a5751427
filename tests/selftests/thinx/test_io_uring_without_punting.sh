#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# If every layer supports NOWAIT, io_uring submits I/O to mapped blocks directly: it
# punts none of it to worker threads.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no NOWAIT"
events=/sys/kernel/tracing/events/io_uring/io_uring_queue_async_work
[ -e $events ] || skip_all "no io_uring trace event"
# A ramdisk, because every layer below has to support NOWAIT, too.
disk META 8
require modprobe brd rd_nr=1 rd_size=262144
make_pool "$META" /dev/ram0
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 64M 1
require blockio read $t 0 64M

punts() { grep -c io_uring_queue_async_work /sys/kernel/tracing/trace; }
# run FIO-RW DEVICE: the number of punted requests is in $punted
run()
{
	echo > /sys/kernel/tracing/trace
	echo 1 > $events/enable
	ok "fio $1" timeout 900 fio --name=u --filename="$2" --direct=1 \
		--ioengine=io_uring --iodepth=16 --rw="$1" --bs=4k --size=64M \
		--io_size=12M --output="$scratch/fio"
	echo 0 > $events/enable
	punted=$(punts)
}
echo 4096 > /sys/kernel/tracing/buffer_size_kb
run randread /dev/ram0
is "$punted" 0 "the ramdisk alone: none of 3072 punted"
run randread $t
is "$punted" 0 "mapped blocks read: none punted"
run randwrite $t
is "$punted" 0 "mapped blocks overwritten: none punted"
ok "RWF_NOWAIT reads are served" blockio nowait $t 0 1M
require blockio discard $t 0 32M
run randread $t
ok "holes: few punted ($punted)" test "$punted" -lt 600
run randwrite $t
ok "new blocks ($punted punted)" test "$punted" -le 3072
make_thin t2 2 64M
snapshot t1 1 3
run randwrite $t
ok "breaking sharing ($punted punted)" test "$punted" -le 3072
ok "verify through io_uring" fio --name=v --filename=/dev/mapper/t2 --direct=1 \
	--ioengine=io_uring --iodepth=16 --rw=randwrite --bs=4k --size=16M \
	--io_size=4M --verify=crc32c --verify_fatal=1 --output="$scratch/fio"
remove t1 t2 pool
ok "thin_check" thin_check "$META"
_metadata=()
require rmmod brd
finish
