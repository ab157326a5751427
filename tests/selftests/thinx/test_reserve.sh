#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# reserve ID BLOCKS: so many free data blocks are for one device alone.  The others
# meet a full pool before they touch them, the device goes on, and refusals say why.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target has no such message"
small_pool 20 error_if_no_space
make_thin t1 1 64M
make_thin t2 2 64M
require msg create_thin 3
t1=/dev/mapper/t1
t2=/dev/mapper/t2
no_space() { fails "$1" ENOSPC timeout 50 "${@:2}"; }
# refused DESCRIPTION ERROR LOG MESSAGE...
refused()
{
	log_mark
	fails "$1" "$2" msg "${@:4}"
	logged "$3" "and the log says so"
	is "$(kernel_log | grep -c -- "$3")" 1 "once"
}
quotas() { msg quotas 0 100 | paste -sd '|'; }
quotas_are() { [ "$(quotas)" = "thinx-quotas 1|$1|end" ]; }

refused "no such device" "No data available" \
	"reserve of 5 blocks for device 9: there is no such device" reserve 9 5
refused "more than there is" "No space left" \
	"reserve of 21 blocks for device 1: 20 are free for it" reserve 1 21
refused "not a number" "Invalid argument" \
	"reserve for device 1: a number of blocks expected, '-1' found" reserve 1 -1
refused "not an id" "Invalid argument" "invalid device id: x" reserve x 1
refused "a word too few" "Invalid argument" "2 arguments instead of 3" reserve 1
ok "5 for device 1" msg reserve 1 5
refused "not the same ones for another" "No space left" \
	"reserve of 16 blocks for device 3: 15 are free for it" reserve 3 16
ok "4 for one that no table uses" msg reserve 3 4
require msg limit 2 900
is "$(quotas)" "thinx-quotas 1|1 5 5 -|2 0 0 900|3 4 4 -|end" "all can be read"
is "$(msg quotas 2 1 | paste -sd '|')" "thinx-quotas 1|2 0 0 900|next 3" \
	"page by page"
refused "a number of lines, please" "Invalid argument" \
	"quotas FROM MAX: a number of at least 1 expected, '0' found" quotas 0 0
refused "an id" "Invalid argument" \
	"quotas FROM MAX: a device id expected, 'y' found" quotas y 1
refused "a word too few" "Invalid argument" \
	"quotas FROM MAX: 3 words expected, 2 found" quotas 1
require msg limit 2 0

ok "the rest is for all" blockio write $t2 0 704k 1
is "$(pool_mode)" rw "the mode"
n=$(events)
no_space "and no more" blockio write $t2 1M 64k 1
becomes out_of_data_space "full for the others"
is "$(pool_field 6)" 11/20 "the status counts what is used"
raised $((n + 1)) "one event"
ok "device 1 goes on" blockio write $t1 0 192k 2
is "$(quotas)" "thinx-quotas 1|1 5 2 -|3 4 4 -|end" "less is left"
ok "as far as it was promised" blockio write $t1 192k 128k 2
is "$(quotas)" "thinx-quotas 1|1 5 0 -|3 4 4 -|end" "nothing is left"
no_space "but not into the reserve of 3" blockio write $t1 1M 64k 2
is "$(pool_mode)" out_of_data_space "still the same mode"
no_space "nor do others" blockio write $t2 1M 64k 1
ok "what it wrote is there" blockio verify $t1 0 320k 2
ok "set again although it is in use" msg reserve 1 5
refused "but not to more" "No space left" \
	"reserve of 6 blocks for device 1: 0 are free for it" reserve 1 6
activate t3 3 64M
ok "one that was used up stands in nobody's way" \
	blockio write /dev/mapper/t3 0 256k 3
no_space "all is used" blockio write /dev/mapper/t3 1M 64k 3
is "$(data_used)" 20 "all is used"
is "$(quotas)" "thinx-quotas 1|1 5 0 -|3 4 0 -|end" "nothing is left of either"

# What comes free makes the reserves whole before others get any.
require blockio discard $t2 0 192k
is "$(data_used)" 17 "3 come free"
ok "for one of them" wait_until 60 quotas_are "1 5 3 -|3 4 0 -"
no_space "not for those without one" blockio write $t2 1M 64k 1
ok "it has them" blockio write $t1 1M 192k 3
no_space "and no more" blockio write $t1 2M 64k 3
remove t3
require msg delete 3
is "$(data_used)" 16 "deleted"
ok "its reserve has ended" wait_until 60 quotas_are "1 5 4 -"
no_space "still not for others" blockio write $t2 1M 64k 1
require msg create_thin 3
activate t3 3 64M
no_space "the next device with its id has none" \
	blockio write /dev/mapper/t3 0 64k 3
require msg create_snap 4 1
ok "sharing is broken out of it" blockio write $t1 0 128k 4
ok "the copy" blockio verify $t1 0 128k 4
ok "the reserve becomes smaller" msg reserve 1 1
ok "the rest is for the others" wait_until 60 mode_is rw
ok "here" blockio write $t2 1M 64k 1
no_space "up to it" blockio write $t2 2M 64k 1
ok "and ends" msg reserve 1 0
ok "the last one" blockio write $t2 2M 64k 1
is "$(data_used)" 20 "all is used"
require msg delete 4

# Queueing: the others wait, and growth ends that; a reload keeps the reserve.
require blockio discard $t1 0 64M
require blockio discard $t2 0 64M
is "$(data_used)" 0 "all is free"
# Discards under way hold some at first.
ok "a reserve" wait_until 60 msg reserve 1 5
echo 0 > "$parameters/no_space_timeout"
resize_pool 20
spawn blockio write $t2 0 1280k 5
writer=$spawned
becomes out_of_data_space "full for the others"
ok "device 1 goes on" blockio write $t1 0 128k 6
suspend_and_resume pool
ok "and after a suspend" blockio write $t1 128k 64k 6
ok "the writer waits" running $writer
resize_pool 22
ok "grown: device 1 goes on" blockio write $t1 192k 128k 6
ok "the writer waits" running $writer
resize_pool 30
succeeds $writer "grown by more: the writer ends"
ok "what it wrote" blockio verify $t2 0 1280k 5
ok "and device 1" blockio verify $t1 0 320k 6
becomes rw "the mode"
ok "device 1 goes on" blockio write $t1 1M 320k 6
is "$(data_used)" 30 "all is used"
finish
