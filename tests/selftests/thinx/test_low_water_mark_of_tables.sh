#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The data low water mark is that of the live table: the mark of a new table takes
# effect when it is resumed, and each resume re-arms it, also far below the mark.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=0
small_pool 100
make_thin t1 1 64M
t=/dev/mapper/t1
at=0

# take BLOCKS: write that many new blocks
take()
{
	require blockio write $t ${at}k $(($1 * 64))k 1
	at=$((at + $1 * 64))
}

take 50
is "$(events)" 0 "mark 0: no event"
low=60
require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
take 1
is "$(events)" 0 "a table that is not live does not count"
require dmsetup resume pool
is "$(events)" 0 "resuming raises none, although fewer blocks are free"
log_mark
take 1
is "$(events)" 1 "the next allocation does"
logged "reached low water mark for data device: sending event" "and is logged"
take 5
is "$(events)" 1 "just one"
is "$(dmsetup table pool | cut -d' ' -f7)" 60 "the table shows the mark"
for i in 1 2; do
	require dmsetup suspend --noflush --nolockfs pool
	require dmsetup resume pool
	is "$(events)" "$i" "resumed ($i): no event"
	require blockio write $t 0 1M 1
	is "$(events)" "$i" "overwriting: none"
	take 1
	is "$(events)" $((i + 1)) "the next allocation: one"
done
n=$(events)
suspend_and_resume t1
require msg create_thin 2
require msg delete 2
require blockio discard $t 0 3M
dmsetup status pool > /dev/null
at=0
take 48
is "$(events)" "$n" "suspending a volume, messages and discards do not re-arm it"
at=$((60 * 64))
low=18446744073709551615
reload_pool "$META" "$DATA"
take 1
is "$(events)" $((n + 1)) "the largest mark"
low=0
reload_pool "$META" "$DATA"
used=$(data_used)
take $((100 - used))
is "$(events)" $((n + 1)) "mark 0: none for the last block"
pool_sectors=$((101 * 128)) low=1
reload_pool "$META" "$DATA"
is "$(events)" $((n + 1)) "growth: none"
take 1
is "$(events)" $((n + 2)) "mark 1: for the last block"
finish
