#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Writes that need metadata blocks when there are none wait as long as
# no_space_timeout says, then fail with ENOSPC, or at once with error_if_no_space;
# deleting and discarding, which go on, lead back to write mode.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target fails them, and refuses to delete"
disk META 512k
disk DATA 256
echo 0 > "$parameters/no_space_timeout"
make_pool "$META" "$DATA"
make_thin t1 1 256M
t=/dev/mapper/t1
require blockio write $t 0 4M 1
require msg create_snap 2 1

# fill: volumes, until there is no room for one more
fill()
{
	local i=100

	while [ $i -lt 300 ] && msg create_thin $i > /dev/null 2>&1; do
		i=$((i + 1))
	done
	is "$(pool_mode)" ro "out of metadata space"
}

# empty: delete them, until there is room
empty()
{
	local i=100

	while mode_is ro && [ $i -lt 300 ]; do
		msg delete $i > /dev/null 2>&1
		i=$((i + 1))
	done
	is "$(pool_mode)" rw "deleting $((i - 100)) volumes leads back"
	while [ $i -lt 300 ]; do
		msg delete $i > /dev/null 2>&1
		i=$((i + 1))
	done
}

fill
spawn_out=$scratch/out.new
spawn blockio write $t 64M 64k 3
new=$spawned
spawn_out=$scratch/out.shared
spawn blockio write $t 0 4k 4
shared=$spawned
require wait_until 120 blocked "$new"
require wait_until 120 blocked "$shared"
sleep 1
ok "a write to a new block waits" running "$new"
ok "one to a shared block, too" running "$shared"
ok "reading goes on" blockio verify $t 64k 1M 1
ok "suspending does not wait for them" timeout 120 dmsetup suspend pool
require dmsetup resume pool
ok "they wait still" running "$new"
log_mark
n=$(events)
empty
ok "the first write ends" wait_until 120 stopped "$new"
ok "with success" wait "$new"
ok "the second one" wait_until 120 stopped "$shared"
ok "with success" wait "$shared"
logged "switching pool to write mode" "write mode, says the log"
# The first room may do for one of the writes only.
ok "events" wait_until 60 _events_reach $((n + 1))
ok "written" blockio verify $t 64M 64k 3
ok "written" blockio verify $t 0 4k 4
ok "copied beside it" blockio verify $t 4k 60k 1

# A time limit.
echo 3 > "$parameters/no_space_timeout"
fill
n=$(events)
is "$(pool_field 10)" queue_if_no_space "queueing"
fails "a write fails in time" ENOSPC timeout 120 blockio write $t 65M 64k 3
raised $((n + 1)) "with an event"
is "$(pool_field 10)" error_if_no_space "status"
fails "now at once" ENOSPC timeout 60 blockio write $t 66M 64k 3
ok "a hole still" blockio zeros $t 65M 2M
ok "discards are taken" blockio discard $t 1M 2M
ok "and unmap" blockio zeros $t 1M 2M
empty
is "$(pool_field 10)" queue_if_no_space "queueing again"
ok "writes find room" blockio write $t 65M 2M 5

# Without any waiting.
echo 0 > "$parameters/no_space_timeout"
reload_pool "$META" "$DATA" error_if_no_space
fill
fails "fails at once" ENOSPC timeout 120 blockio write $t 70M 64k 6
fails "breaking sharing, too" ENOSPC timeout 120 blockio write $t 3M 4k 6
ok "the data are unharmed" blockio verify $t 3M 1M 1

# Set up again, it knows from the start.
remove t1 pool
log_mark
make_pool "$META" "$DATA" error_if_no_space
activate t1 1 256M
fails "a write fails" ENOSPC timeout 120 blockio write $t 70M 64k 6
ok "the mode" wait_until 120 mode_is ro
logged "No free metadata blocks" "and the log says why"
empty
ok "writes find room" blockio write $t 70M 64k 6
ok "the data are unharmed" blockio verify $t 3M 1M 1
finish
