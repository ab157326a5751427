#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A volume is extended by a new table: under load, in a full pool and in a read-only
# one, but not while the pool is suspended.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 200
make_thin t1 1 8M
t=/dev/mapper/t1

# extend SIZE [SUSPEND-OPTION...]
extend()
{
	local size=$1

	shift
	require dmsetup load t1 --table "$(thin_table 1 "$size")"
	require timeout 120 dmsetup suspend "$@" t1
	require timeout 120 dmsetup resume t1
	is "$(size_of $t)" "$(sectors "$size")" "extended to $size"
}

busy fio --filename=$t --direct=1 --ioengine=libaio --iodepth=8 \
	--rw=randrw --bsrange=4k-64k --size=8M --io_size=8M \
	--verify=crc32c --verify_fatal=1 --verify_backlog=32
load=$spawned
require wait_until 120 loaded t1
for ((size = 8192; size < 16000; size += 300)); do
	extend $((size + 300))k
	sleep 0.2
done
ok "the load is still running" running "$load"
calm
wait "$load"
ok "fio found every block as written" test $? = 0
like "$(tr '\n' ' ' < "$scratch/fio")" "err= 0" "and saw no error"
extend 32M
ok "the new part is zeros" blockio zeros $t 16M 16M
require blockio write $t 0 8M 1
ok "its end can be written" blockio write $t 32704k 64k 2
ok "and read" blockio verify $t 32704k 64k 2
fails "nothing past it" "" blockio write $t 32M 64k 2

# Full, with a write that waits.
used=$(data_used)
require blockio write $t 8M $(((200 - used) * 64))k 3
spawn blockio write $t 24M 64k 4
writer=$spawned
becomes out_of_data_space "full"
extend 40M --noflush --nolockfs
ok "the writer is held" running "$writer"
ok "the new part is zeros" blockio zeros $t 32M 8M
resize_pool 300
succeeds "$writer" "with space the writer ends"
ok "it is there" blockio verify $t 24M 64k 4
ok "the new part can be written" blockio write $t 39M 1M 5

# Read-only, and suspended.
reload_pool "$META" "$DATA" read_only
extend 48M
ok "read-only: the new part is zeros" blockio zeros $t 40M 8M
fails "and cannot be written" EIO blockio write $t 47M 64k 5
reload_pool "$META" "$DATA"
require dmsetup suspend pool
log_mark
fails "suspended pool: refused" "Invalid argument" \
	dmsetup load t1 --table "$(thin_table 1 56M)"
logged "Unable to activate thin device while pool is suspended" "says so"
require dmsetup resume pool
extend 56M
ok "resumed: the new part can be written" blockio write $t 55M 1M 6

# A smaller table does not lose what is past its end.
extend 4M
ok "smaller" blockio verify $t 0 4M 1
is "$(status t1 | cut -d' ' -f5)" 114687 "status is not clipped"
extend 56M
ok "larger again: all is there" blockio verify $t 55M 1M 6
ok "elsewhere, too" blockio verify $t 39M 1M 5
ok "and before that" blockio verify $t 4M 4M 1
finish
