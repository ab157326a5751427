#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Writes held for lack of space complete when a discard of any volume frees blocks, as
# many as there is space for.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 20
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t1 0 640k 1
require blockio write /dev/mapper/t2 0 640k 2
require blockio sync /dev/mapper/t1
n=$(events)
for i in 0 1 2; do
	spawn_out=$scratch/out$i
	spawn blockio write /dev/mapper/t1 $((8 + i))M 64k 3
	writer[i]=$spawned
	require wait_until 120 blocked "${writer[i]}"
	becomes out_of_data_space "write $i: out of data space"
done
raised $((n + 2)) "low water mark and mode: two events"

# ended COUNT: that many of the writers have ended
ended()
{
	local i k=0

	for i in 0 1 2; do
		running "${writer[i]}" || k=$((k + 1))
	done
	[ "$k" = "$1" ]
}

# free_some ARGUMENT...: of blockio discard
free_some()
{
	ok "discard" blockio discard "$@"
	commit_freed "$1"
}

free_some /dev/mapper/t2 0 64k
ok "a block of another volume: one write is done" wait_until 120 ended 1
becomes out_of_data_space "and the pool is full again"
sleep 1
ok "the others are held" ended 1
raised $((n + 4)) "two changes of mode: two events"
free_some /dev/mapper/t1 0 128k
ok "two of its own: the rest is done" wait_until 120 ended 3
for i in 0 1 2; do
	ok "write $i succeeded" wait "${writer[i]}"
	ok "and is there" blockio verify /dev/mapper/t1 $((8 + i))M 64k 3
done
is "$(pool_mode)" rw "the mode"
raised $((n + 5)) "one more event"
is "$(data_used)" 20 "every block is in use"
ok "what was discarded reads as zeros" blockio zeros /dev/mapper/t2 0 64k
ok "so does the other volume" blockio zeros /dev/mapper/t1 0 128k
ok "the rest is unharmed" blockio verify /dev/mapper/t2 64k 576k 2
ok "so does the other volume" blockio verify /dev/mapper/t1 128k 512k 1
finish
