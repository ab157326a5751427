#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Each event wakes its waiters, whether they use dmsetup wait or poll
# /dev/mapper/control; what is not an event wakes none of them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=5
timeout=0 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require msg create_thin 5
cat > "$scratch/poll.py" << 'PYTHON'
import fcntl, os, select, struct, sys
fd = os.open('/dev/mapper/control', os.O_RDWR)
DM_DEV_ARM_POLL = 0xc138fd10
while True:
    fcntl.ioctl(fd, DM_DEV_ARM_POLL,
                bytearray(struct.pack('<IIIII', 4, 0, 0, 312, 312)) +
                bytearray(292))
    print('armed', flush=True)
    p = select.poll()
    p.register(fd, select.POLLIN)
    p.poll()
    print('woken', flush=True)
PYTHON
spawn_out=$scratch/poll spawn python3 "$scratch/poll.py"
woken() { grep -c woken "$scratch/poll"; }
has_woken() { [ "$(woken)" -ge "$1" ]; }
# The poller misses events until it has armed itself again.
armed() { [ "$(grep -c armed "$scratch/poll")" -gt "$(woken)" ]; }
ok "polling" wait_until 120 armed

# expect DESCRIPTION COMMAND...: the command raises an event, which wakes both
expect()
{
	local what=$1 n polled waiter

	shift
	require wait_until 60 armed
	n=$(events)
	polled=$(woken)
	spawn_out=$scratch/wait spawn dmsetup wait pool "$n"
	waiter=$spawned
	sleep 0.5
	ok "$what: dmsetup wait sleeps" running "$waiter"
	"$@"
	ok "$what: it wakes" wait_until 120 stopped "$waiter"
	ok "$what: the poller wakes" wait_until 120 has_woken $((polled + 1))
	is "$(events)" $((n + 1)) "$what: one event"
}

# quiet DESCRIPTION COMMAND...: the command wakes neither
quiet()
{
	local what=$1 n polled waiter

	shift
	require wait_until 60 armed
	n=$(events)
	polled=$(woken)
	spawn_out=$scratch/wait spawn dmsetup wait pool "$n"
	waiter=$spawned
	"$@"
	sleep 1.5
	ok "$what: dmsetup wait sleeps on" running "$waiter"
	is "$(woken)" "$polled" "$what: so does the poller"
	stop "$waiter"
}

quiet "writes with space left" require blockio write $t 0 896k 1
quiet "a message" require msg delete 5
quiet "suspend and resume" \
	bash -c 'dmsetup suspend pool && dmsetup resume pool'
expect "the low water mark" require blockio write $t 896k 128k 1
quiet "the last blocks" require blockio write $t 1M 256k 1
hold()
{
	spawn_out=$scratch/held spawn blockio write "$t" 8M 64k 2
	held=$spawned
}
# The time starts with a resume, so not before the waiters are ready.
expire()
{
	echo 2 > "$parameters/no_space_timeout"
	suspend_and_resume pool
}
expect "no space" hold
expect "the timeout" expire
ok "the writer ends" wait_until 120 stopped "$held"
like "$(cat "$scratch/held")" ENOSPC "with ENOSPC"
quiet "a write that fails" \
	fails "it fails" ENOSPC blockio write $t 8M 64k 2
# Not block 0, which the stock target looks up for each flush: while there is no
# space it fails flushes for which that block is not mapped.
make_room()
{
	require blockio discard "$t" 64k 128k
	commit_freed "$t"
}
expect "room" make_room
expect "read-only" reload_pool "$META" "$DATA" read_only
expect "writable" reload_pool "$META" "$DATA"
finish
