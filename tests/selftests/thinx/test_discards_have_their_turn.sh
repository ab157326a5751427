#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Writes keep coming to a volume on a slow data device, so that there is always one
# under way to a new block.  Discards of the whole volume have their turn all the
# same, and so have the writes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "says nothing about the stock target"
require modprobe dm-delay
disk META 8
disk DATA 256
wrap data "$DATA"
make_pool "$META" /dev/mapper/data
make_thin t1 1 128M
# Writes take a tenth of a second, and more than one begins in that time.
rewrap data delay "$DATA" 0 0 "$DATA" 0 100 "$DATA" 0 0
spawn fio --name=w --filename=/dev/mapper/t1 --direct=1 --ioengine=libaio \
	--iodepth=32 --rw=randwrite --bs=64k --size=128M --time_based \
	--runtime=3000 --norandommap --randrepeat=0
writer=$spawned
require wait_until 120 loaded t1
written() { awk '{ print $5 }' "/sys/dev/block/$(major_minor /dev/mapper/t1)/stat"; }
n=$(written)
begin=$(date +%s%N)
for i in 1 2 3 4 5; do
	ok "discard $i of the whole volume" timeout 60 blkdiscard /dev/mapper/t1
done
n=$(($(written) - n))
echo "# $((($(date +%s%N) - begin) / 1000000)) ms, $n writes meanwhile"
ok "few writes overtake them" test $n -lt 8000
# shellcheck disable=SC2016 # for the other shell
ok "many at a time" timeout 120 bash -c 'for i in $(seq 0 31); do
	blockio discard /dev/mapper/t1 $((i * 2))M $((i % 7 * 10 + 1))M & done; wait'
ok "the writer is still at it" running "$writer"
n=$(written)
sleep 2
ok "and gets on" test "$(written)" -gt "$n"
stop "$writer"
rewrap data linear "$DATA" 0
ok "the last one" blkdiscard /dev/mapper/t1
is "$(data_used)" 0 "unmaps all"
ok "and shows" blockio zeros /dev/mapper/t1 0 128M
finish
