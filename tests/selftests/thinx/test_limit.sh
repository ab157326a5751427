#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# limit ID BLOCKS: a device maps no more; its writes to new blocks fail at once, and
# nobody else notices.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target has no such message"
timeout=0
small_pool 60
make_thin t1 1 64M
make_thin t2 2 64M
t1=/dev/mapper/t1
t2=/dev/mapper/t2
no_space() { fails "$1" ENOSPC timeout 50 "${@:2}"; }
# mapped NAME: blocks
mapped() { echo $(($(dmsetup status --noflush "$1" | awk '{ print $4 }') / 128)); }
# refused DESCRIPTION ERROR LOG MESSAGE...
refused()
{
	log_mark
	fails "$1" "$2" msg "${@:4}"
	logged "$3" "and the log says so"
}

refused "no such device" "No data available" \
	"limit of 5 blocks for device 9: there is no such device" limit 9 5
refused "not a number" "Invalid argument" \
	"limit for device 1: a number of blocks expected, '5x' found" limit 1 5x
refused "a word too many" "Invalid argument" "4 arguments instead of 3" limit 1 5 5
ok "10 for device 1" msg limit 1 10
n=$(events)
ok "up to it" blockio write $t1 0 640k 1
log_mark
no_space "not beyond" blockio write $t1 1M 64k 1
logged "thin device 1 has reached its limit: writes to new blocks fail, 10 of 10 are mapped" \
	"and the log says so"
no_space "nor in part beyond" blockio write $t1 576k 128k 2
is "$(mapped t1)" 10 "mapped"
is "$(pool_mode)" rw "the mode"
is "$(events)" "$n" "no event"
ok "another volume" blockio write $t2 0 640k 3
ok "overwriting" blockio write $t1 0 640k 4
ok "reads" blockio verify $t1 0 640k 4
ok "holes" blockio zeros $t1 640k 1M
ok "zeros over holes cost nothing" blockio zeroout $t1 1M 1M

require msg create_snap 3 1
ok "a shared block is replaced, not added" blockio write $t1 0 128k 5
is "$(mapped t1)" 10 "mapped"
no_space "not beyond, shared ones count" blockio write $t1 1M 64k 1
require blockio discard $t1 0 128k
ok "what a discard unmapped can be written elsewhere" blockio write $t1 1M 128k 6
no_space "and no more" blockio write $t1 2M 64k 6

# Many at once, of which none is mapped when the last is decided about.
require blockio discard $t1 0 64M
for i in 0 1 2 3 4 5 6 7; do
	BLOCKIO_SIZE=64k blockio write $t1 $((i * 4))M 1M "$i" > /dev/null 2>&1 &
	pids[i]=$!
done
wait "${pids[@]}"
is "$(mapped t1)" 10 "many at once fill it, and not more"

require blockio discard $t1 0 64M
require blockio write $t1 0 640k 7
ok "lower than what is mapped" msg limit 1 3
ok "overwriting" blockio write $t1 0 64k 7
require blockio discard $t1 0 64k
no_space "a new one" blockio write $t1 0 64k 7
reload_pool "$META" "$DATA"
no_space "after a reload" blockio write $t1 0 64k 7
ok "0 ends it" msg limit 1 0
ok "no limit" blockio write $t1 0 1M 8

# Out of data space the others wait; who is at the limit does not.
ok "as much as is mapped" msg limit 1 "$(mapped t1)"
spawn blockio write $t2 0 5M 9
writer=$spawned
becomes out_of_data_space "full"
no_space "at the limit: fails at once" blockio write $t1 40M 64k 9
ok "the other waits" running $writer
resize_pool 200
succeeds $writer "grown: it ends"
remove t1
require msg delete 1
make_thin t1 1 64M
ok "the next device with the id has no limit" blockio write $t1 0 2M 9
finish
