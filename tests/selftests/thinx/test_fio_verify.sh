#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Verified writes of many kinds: sequential, random, of odd sizes, with discards
# between them, by libaio and io_uring, direct and buffered.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 16
disk DATA 320
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
make_thin t3 3 64M
# job NAME DEVICE OPTION...
job()
{
	local what=$1 dev=$2

	shift 2
	ok "$what" timeout 900 fio --name=j --filename="/dev/mapper/$dev" \
		--size=64M --verify=crc32c --verify_fatal=1 --randseed=7 \
		--output="$scratch/fio" "$@"
}
job "sequential, large" t1 --direct=1 --ioengine=libaio --iodepth=8 \
	--rw=write --bs=1M
job "random, small, io_uring" t2 --direct=1 --ioengine=io_uring --iodepth=16 \
	--rw=randwrite --bs=4k --io_size=12M
job "random, odd sizes and places" t2 --direct=1 --ioengine=libaio \
	--iodepth=16 --rw=randrw --bsrange=512-300k --io_size=24M
job "buffered" t3 --ioengine=psync --rw=randwrite --bs=8k --io_size=16M \
	--end_fsync=1
job "with discards between" t3 --direct=1 --ioengine=psync --rw=randtrimwrite \
	--bs=64k --io_size=24M --verify=0
job "two volumes at once" "t1:/dev/mapper/t3" --direct=1 --ioengine=libaio \
	--iodepth=16 --rw=randwrite --bs=16k --io_size=24M
for k in 1 2 3; do
	ok "flushes between writes ($k)" timeout 900 fio --name=f \
		--filename=/dev/mapper/t$k --direct=1 --ioengine=libaio \
		--iodepth=8 --rw=randwrite --bs=4k --size=64M --io_size=4M \
		--fsync=8 --verify=crc32c --verify_fatal=1 --output="$scratch/fio"
done
finish
