#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A volume of scattered blocks is discarded as a whole: so many discards for a slow
# data device that the volume has to wait for it.  A suspend without flushing does
# not wait.  All discards are passed down, all blocks are freed, and meanwhile other
# volumes go on.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "counts thinx's trace events"
n=40000
disk META 32
disk DATA 5120
format_scattered "$META" "$DATA" $n
modprobe -q dm-delay || skip_all "no dm-delay"
wrap data "$DATA"
# slow MS: discards and writes take that long; flushes take no time
slow() { rewrap data delay "$DATA" 0 0 "$DATA" 0 "$1" "$DATA" 0 0; }
slow 300000
make_pool "$META" /dev/mapper/data
activate t1 1 2500M
make_thin t2 2 64M
is "$(data_used)" $n "as restored"
t=/sys/kernel/tracing
echo 8192 > $t/buffer_size_kb
echo > $t/trace
echo 1 > $t/events/thinx/thinx_passdown/enable

# 16384 blocks are unmapped and wait; no more are.
spawn blkdiscard /dev/mapper/t1
discard=$spawned
mapped() { dmsetup status --noflush t1 | awk '{ print $4 / 128 }'; }
crowded() { [ "$(mapped)" -le $((n - 16384)) ]; }
ok "discards wait for the data device" wait_until 240 crowded
ok "a suspend without flushing does not wait" \
	timeout 200 dmsetup suspend --noflush --nolockfs t1
ok "not even for the discard" running "$discard"
rest=$(mapped)
ok "many blocks are still mapped" test "$rest" -gt $((n / 4))
slow 20
busy w --filename=/dev/mapper/t2 --direct=1 --ioengine=libaio --iodepth=4 \
	--rw=randwrite --bs=64k --size=64M --io_size=4M --fsync=8
neighbour=$spawned
require dmsetup resume t1
wait "$discard"
is $? 0 "which then goes on and succeeds"
is "$(mapped)" 0 "all is unmapped"
ok "another volume's writer is still running" running "$neighbour"
calm
wait "$neighbour"
is $? 0 "and succeeds"
remove t2
require msg delete 2
freed() { [ "$(data_used)" = 0 ]; }
ok "all blocks are freed" wait_until 240 freed
# A suspend waits for what is in flight.
suspend_and_resume pool
echo 0 > $t/events/thinx/thinx_passdown/enable
is "$(grep -c thinx_passdown: $t/trace)" $n "each was passed down"
remove t1 pool
finish
