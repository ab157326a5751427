#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# provision ID FROM NR: the holes of a run get blocks, which are zero whatever was on
# the device; what is mapped stays as it is; and it is all of them or none.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target has no such message"
t1=/dev/mapper/t1
mapped() { msg usage "$1" 0 1000000 | awk '$1 == "mapped" { print $2 }'; }
map_of() { msg map "$1" 0 4096 | sed -e 1d | paste -sd '|'; }
# refused DESCRIPTION ERROR LOG MESSAGE...
refused()
{
	log_mark
	fails "$1" "$2" msg "${@:4}"
	logged "$3" "and the log says so"
	is "$(kernel_log | grep -c -- "$3")" 1 "once"
}

disk META 8
disk DATA 64
# What nobody may ever see.
require blockio write "$DATA" 0 64M 99
pool_sectors=$((100 * 128))
# Without passing down, what is discarded is free after the next commit.
make_pool "$META" "$DATA" skip_block_zeroing no_discard_passdown
require msg create_thin 1

refused "no such device" "No data available" \
	"provision for device 9: there is no such device" provision 9 0 1
refused "no blocks" "Invalid argument" \
	"provision for device 1: a first block and a number of blocks expected, '0 0' found" provision 1 0 0
refused "not a number" "Invalid argument" \
	"provision for device 1: a first block and a number of blocks expected, '0 x' found" provision 1 0 x
refused "beyond all sectors" "Invalid argument" \
	"a number of blocks expected, '18446744073709551615 1' found" provision 1 18446744073709551615 1
refused "not an id" "Invalid argument" "invalid device id: x" provision x 0 1
refused "a word too few" "Invalid argument" "3 arguments instead of 4" provision 1 0
is "$(mapped 1)" 0 "nothing is mapped"

# --- a device that no table uses ---

ok "10 blocks" msg provision 1 5 10
is "$(map_of 1)" "5 10 0 own|end" "the map"
ok "far away, and all of it again" msg provision 1 4294967296 2
ok "across what is there" msg provision 1 0 20
is "$(mapped 1)" 22 "mapped"
activate t1 1 64M
ok "they are zero" blockio zeros $t1 0 1280k
is "$(data_used)" 22 "used"
ok "as is what is still a hole" blockio zeros $t1 1280k 1M

# --- one that is in use ---

require blockio write $t1 2M 192k 1
is "$(mapped 1)" 25 "written"
require msg create_snap 2 1
before=$(msg map 2 0 4096 | sed -e 1d)
ok "what is mapped stays" msg provision 1 30 10
is "$(mapped 1)" 32 "and the rest is filled"
ok "it has its data" blockio verify $t1 2M 192k 1
is "$(msg delta 1 2 0 100 | grep -c -- "^different")" 0 "shared ones are still shared"
is "$(msg map 2 0 4096 | sed -e 1d)" "$before" "the snapshot is what it was"
ok "zeros" blockio zeros $t1 2240k 320k
ok "zeros" blockio zeros $t1 1920k 128k
ok "they can be written" blockio write $t1 1920k 640k 3
is "$(mapped 1)" 32 "which takes no new ones"
ok "and are read" blockio verify $t1 1920k 640k 3
is "$(data_used)" 35 "but in place of shared ones"
require blockio discard $t1 1920k 640k
ok "after a discard again" msg provision 1 30 10
ok "zeros" blockio zeros $t1 1920k 640k
n=$(events)

# --- all or none ---

free=$((100 - $(data_used)))
refused "more than there is" "No space left" \
	"provision of $((free + 1)) blocks for device 1: $free are free for it" \
	provision 1 1000 $((free + 1))
is "$(mapped 1)" 32 "nothing is mapped"
is "$(pool_mode) $(events)" "rw $n" "no mode, no event"
require msg limit 1 40
refused "beyond the limit" "No space left" \
	"provision of 9 blocks for device 1: it maps 32, its limit is 40" \
	provision 1 1000 9
ok "up to the limit" msg provision 1 1000 8
require msg limit 1 0
require msg reserve 2 20
free=$((100 - $(data_used)))
refused "not what is reserved for another" "No space left" \
	"provision of $((free - 19)) blocks for device 1: $((free - 20)) are free for it" \
	provision 1 2000 $((free - 19))
ok "the rest" msg provision 1 2000 $((free - 20))
is "$(pool_mode)" rw "the mode"
ok "the reserve is there" msg provision 2 2000 20
is "$(data_used)" 100 "all is used"
is "$(msg quotas 0 10 | sed -n 2p)" "2 20 0 -" "all of the reserve"
ok "what is mapped needs nothing" msg provision 2 2000 20
is "$(pool_mode)" rw "a pool that is full, but nobody has met it"
fails "who writes does" ENOSPC timeout 100 bash -c "
	echo 1 > '$parameters/no_space_timeout'
	blockio write $t1 63M 64k 1"
require msg reserve 2 0
require blockio discard $t1 0 64M
becomes rw "space comes free"

# --- who may not be disturbed, and who may not disturb ---

disk ORIGIN 4
remove t1
activate t1 1 64M "$ORIGIN"
refused "zeros would hide an origin" "Device or resource busy" \
	"provision for device 1: a table of it has an external origin" provision 1 0 1
remove t1
activate t1 1 64M
ok "without one" msg provision 1 0 1
require dmsetup suspend t1
ok "the volume is suspended" msg provision 1 0 5
require dmsetup resume t1
ok "zeros" blockio zeros $t1 0 320k
require dmsetup suspend pool
refused "the pool is suspended" "Device or resource busy" \
	"provision for device 1: the pool is suspended" provision 1 0 10
require dmsetup resume pool
ok "it is not" msg provision 1 0 10
remove t1
require msg delete 1
require msg delete 2
is "$(data_used)" 0 "all is free"
finish
