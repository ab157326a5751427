#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Five hundred volumes are active and idle while another is trimmed, in so many
# pieces that discards have to wait, and a neighbour calls fsync.  The workers of
# the idle ones do not run.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "counts passes of thinx's workers"
n=500 blocks=20000
disk META 64
disk DATA 2560
format_scattered "$META" "$DATA" $blocks
make_pool "$META" "$DATA"
p=/dev/mapper/pool
activate t1 1 1250M
make_thin t2 2 64M
batch "$n idle volumes" < <(seq 3 $((n + 2)) |
	awk -v t="$TARGET_THIN" -v p=$p '{ print "msg pool create_thin", $1
		print "create v" $1, 20480, t, p, $1 }')
is "$(data_used)" $blocks "as restored"

t=/sys/kernel/tracing
event=$t/events/workqueue/workqueue_execute_start
worker=$(awk '$3 == "thinx_deferred_work" { print $1 }' /proc/kallsyms)
require test -n "$worker"
echo 16384 > $t/buffer_size_kb
echo > $t/trace
echo "function == 0x$worker" > $event/filter
echo 1 > $event/enable
spawn blkdiscard /dev/mapper/t1
discard=$spawned
fsyncs=0
begin=$(date +%s%N)
while running "$discard"; do
	require blockio fua /dev/mapper/t2 $((fsyncs % 1000 * 64))k 4k $fsyncs
	fsyncs=$((fsyncs + 1))
done
wait "$discard"
is $? 0 "the discard ends well"
freed() { [ "$(data_used)" -lt 1001 ]; }
ok "all blocks come back" wait_until 240 freed
echo "# $((($(date +%s%N) - begin) / 1000000)) ms, $fsyncs fsyncs meanwhile"
echo 0 > $event/enable
echo 0 > $event/filter

passes=$(grep -c thinx_deferred_work $t/trace)
echo "# $passes passes"
ok "the workers of both did run" test "$passes" -gt 5
is "$(grep -o 'work struct [^ ]*' $t/trace | sort -u | wc -l)" 2 \
	"and those of no other"
batch "removed" < <(seq 3 $((n + 2)) | awk '{ print "remove v" $1 }')
finish
