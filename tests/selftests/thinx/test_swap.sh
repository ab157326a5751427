#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# swap A B: two devices exchange their contents, suspended tables show them at once,
# and whatever is refused changes nothing.  dm-thin, if it is there, agrees.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
disk META 8
disk DATA 128
make_pool "$META" "$DATA"
make_thin t1 1 32M
make_thin t2 2 32M
make_thin t3 3 32M
require blockio write /dev/mapper/t1 0 4M 1
require blockio write /dev/mapper/t2 2M 8M 2
require blockio write /dev/mapper/t3 0 1M 3
mapped() { dmsetup status --noflush "$1" | awk '{ print $4, $5 }'; }
# shown NAME SEED-OF-WHICH DESCRIPTION: the contents that t1 or t2 had
shown()
{
	case $2 in
	1)	ok "$3: data" blockio verify "/dev/mapper/$1" 0 4M 1
		ok "$3: holes" blockio zeros "/dev/mapper/$1" 4M 28M
		is "$(mapped "$1")" "8192 8191" "$3: status" ;;
	2)	ok "$3: data" blockio verify "/dev/mapper/$1" 2M 8M 2
		ok "$3: holes" blockio zeros "/dev/mapper/$1" 0 2M
		is "$(mapped "$1")" "16384 20479" "$3: status" ;;
	esac
}

log_mark
fails "both are in use: EBUSY" busy msg swap 1 2
logged "cannot swap device 1: a table that is not suspended uses it" "and the log says so"
require dmsetup suspend t1
log_mark
fails "one is: EBUSY" busy msg swap 2 1
logged "cannot swap device 2: a table that is not suspended uses it" "and the log says so"
# Their map caches are full of what will be wrong.
require dmsetup resume t1
shown t1 1 "before, t1"
shown t2 2 "before, t2"
require dmsetup suspend t1
require dmsetup suspend t2
ok "both suspended" msg swap 1 2
is "$(mapped t1)" "16384 20479" "the status of a suspended volume"
require dmsetup resume t1
require dmsetup resume t2
shown t1 2 "t1"
shown t2 1 "t2"
ok "t1 is written" blockio write /dev/mapper/t1 0 64k 7
ok "and t2" blockio write /dev/mapper/t2 64k 4k 7
ok "and flushed" blockio sync /dev/mapper/t1
ok "and flushed" blockio sync /dev/mapper/t2
ok "t1 has its own" blockio verify /dev/mapper/t1 0 64k 7
ok "t2 still has the first block" blockio verify /dev/mapper/t2 0 64k 1
ok "and what was written" blockio verify /dev/mapper/t2 64k 4k 7
require blockio write /dev/mapper/t2 64k 64k 1
require blockio discard /dev/mapper/t1 0 64k

# Another table of a device counts as well; one that is only loaded does not.
activate u2 2 32M
require dmsetup suspend t1
require dmsetup suspend t2
fails "one of two tables: EBUSY" busy msg swap 1 2
require dmsetup suspend u2
require dmsetup create idle --notable
require dmsetup load idle --table "$(thin_table 1 32M)"
require dmsetup load t1 --table "$(thin_table 1 32M)"
ok "all suspended, and some not resumed yet" msg swap 1 2
require dmsetup resume idle
shown idle 1 "a table that was loaded before"
require dmsetup resume u2
shown u2 2 "the other table"
require dmsetup resume t1
require dmsetup resume t2
shown t1 1 "t1 again, with another table"
remove u2 idle

# In use by a suspended table, and not in use.
snapshot t1 1 11
require blockio write /dev/mapper/t1 1M 1M 8
require dmsetup suspend t1
ok "roll back" msg swap 1 11
require dmsetup resume t1
shown t1 1 "rolled back"
ok "what is shared is copied" blockio write /dev/mapper/t1 0 4k 9
activate s 11 32M
ok "the other one has what was written" blockio verify /dev/mapper/s 1M 1M 8
ok "and what both have" blockio verify /dev/mapper/s 0 1M 1
ok "write to it" blockio write /dev/mapper/s 3M 1M 9
ok "only it" blockio verify /dev/mapper/t1 2M 2M 1
remove s
require dmsetup suspend t1
ok "undo" msg swap 11 1
require dmsetup resume t1
ok "undone" blockio verify /dev/mapper/t1 1M 1M 8

# Refusals.
before=$(dmsetup status pool)
remove t3
log_mark
fails "a device with itself" "Invalid argument" msg swap 3 3
logged "cannot swap devices 3 and 3: one of them is named twice" "the log says why"
require msg create_thin 4
require msg create_thin 5
log_mark
fails "in two pairs" "Invalid argument" msg swap 3 4 5 4
logged "cannot swap devices 5 and 4: one of them is named twice" "the log says why"
log_mark
fails "unknown" "No data" msg swap 3 4 5 99
logged "cannot swap device 99: there is none" "the log says why"
fails "one in use" busy msg swap 3 4 5 1
log_mark
fails "an odd number" "Invalid argument" msg swap 3 4 5
logged "Message received with 4 arguments: swap takes 1 to 64 pairs of device ids" "the log says why"
fails "none" "Invalid argument" msg swap
fails "no number" "Invalid argument" msg swap 3 x
fails "too large" "Invalid argument" msg swap 3 16777216
# shellcheck disable=SC2046 # words
fails "65 pairs" "Invalid argument" msg swap $(seq 100 229)
activate t3 3 32M
ok "device 3 is as it was" blockio verify /dev/mapper/t3 0 1M 3
is "$(pool_mode)" rw "the pool goes on"
like "$before" " rw " "as before"
remove t3

ok "two pairs, upper case, the pool suspended" bash -c '
	dmsetup suspend pool && dmsetup message pool 0 SWAP 3 4 5 11 &&
		dmsetup resume pool'
is "$(events)" 0 "no message raised an event"
activate t4 4 32M
ok "device 4 has it" blockio verify /dev/mapper/t4 0 1M 3
remove t1 t2 t4 pool
like "$(thin_dump "$META" | grep 'dev_id="4"')" 'mapped_blocks="16"' "so says thin_dump"
ok "the independent checker" decode META
if modprobe -q dm-thin-pool && ! is_drop_in; then
	TARGET_POOL=thin-pool TARGET_THIN=thin
	make_pool "$META" "$DATA"
	activate t1 1 32M
	activate t2 2 32M
	activate t4 4 32M
	activate t5 5 32M
	ok "dm-thin: 1" blockio verify /dev/mapper/t1 1M 1M 8
	ok "dm-thin: 2" blockio verify /dev/mapper/t2 2M 8M 2
	ok "dm-thin: 4" blockio verify /dev/mapper/t4 0 1M 3
	ok "dm-thin: 5" blockio verify /dev/mapper/t5 64k 960k 1
	ok "dm-thin breaks sharing" blockio write /dev/mapper/t5 2M 1M 6
	ok "where there is some" blockio verify /dev/mapper/t1 2M 1M 1
	ok "and nothing else" blockio verify /dev/mapper/t1 3M 1M 9
	remove t1 t2 t4 t5 pool
	require rmmod dm-thin-pool
	TARGET_POOL=thinx-pool TARGET_THIN=thinx
else
	echo "# without dm-thin"
fi
finish
