#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Volumes can be suspended and resumed while their pool is suspended; their I/O
# completes afterwards.  A suspend that cannot complete can be interrupted, and
# everything goes on.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 100
make_thin t1 1 32M
make_thin t2 2 32M
t=/dev/mapper/t1
require blockio write $t 0 1M 1

require dmsetup suspend pool
if is_thinx; then
	# The stock target suspends its volumes with the pool, and nothing else can then.
	for how in "" "--noflush" "--nolockfs" "--noflush --nolockfs"; do
		# shellcheck disable=SC2086 # options
		ok "suspend ${how:-plainly} while the pool is suspended" \
			timeout 120 dmsetup suspend $how t1
		ok "resume" timeout 120 dmsetup resume t1
	done
	spawn blockio write $t 2M 64k 2
	writer=$spawned
	ok "a write waits for the pool" wait_until 120 blocked "$writer"
	sleep 1
	ok "and goes on waiting" running "$writer"
	ok "suspend the volume without flushing" \
		timeout 120 dmsetup suspend --noflush --nolockfs t1
	ok "resume" timeout 120 dmsetup resume t1
	ok "the write still waits" running "$writer"
	ok "suspend the volume once more" \
		timeout 120 dmsetup suspend --noflush --nolockfs t1
	ok "resume the pool first" timeout 120 dmsetup resume pool
	sleep 0.5
	ok "it waits for its volume" running "$writer"
	require dmsetup resume t1
	succeeds "$writer" "done when both are back"
	ok "its data is there" blockio verify $t 2M 64k 2
	require dmsetup suspend pool
fi
spawn blockio write $t 3M 64k 3
writer=$spawned
require wait_until 120 blocked "$writer"
# interrupted SECONDS COMMAND...: it does not end by itself, but a signal ends it
interrupted()
{
	local r

	timeout -s INT -k 30 "$@" > "$scratch/suspend" 2>&1
	r=$?
	[ "$r" = 124 ]
}

ok "a flushing suspend waits for it, and can be interrupted" \
	interrupted 3 dmsetup suspend --nolockfs t1
ok "resume the pool" timeout 120 dmsetup resume pool
succeeds "$writer" "the write ends"
ok "the volume can be suspended" timeout 120 dmsetup suspend t1
ok "and resumed" timeout 120 dmsetup resume t1
ok "its data is there" blockio verify $t 3M 64k 3

# Writes held for lack of space, without a timeout.
require blockio write /dev/mapper/t2 0 $(((100 - $(data_used)) * 64))k 4
spawn blockio write $t 8M 64k 5
writer=$spawned
becomes out_of_data_space "a write is held for lack of space"
ok "a flushing suspend waits for it, and can be interrupted" \
	interrupted 3 dmsetup suspend --nolockfs t1
ok "the write is still held" running "$writer"
ok "what is mapped can be read" blockio verify $t 0 1M 1
ok "and overwritten" blockio write $t 0 64k 6
resize_pool 200
succeeds "$writer" "with more space it ends"
ok "its data is there" blockio verify $t 8M 64k 5
ok "the volume can be suspended" timeout 120 dmsetup suspend t1
ok "and resumed" timeout 120 dmsetup resume t1
finish
