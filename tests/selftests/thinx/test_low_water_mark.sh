#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The data low water mark: when it raises its event, that it does so once, and what
# re-arms it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

low=0
small_pool 20 error_if_no_space
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
is "$(events)" 0 "mark 0: no event while blocks are left"
fails "write without space" ENOSPC blockio write $t 2M 64k 1
raised 2 "one for the mark, one for the mode"
require blockio discard $t 0 64M
commit_freed $t
becomes rw "back to rw"
raised 3 "with an event"
n=3
require blockio write $t 0 640k 1
is "$(events)" "$n" "no event below the mark"

low=15
reload_pool "$META" "$DATA" error_if_no_space
n=$(events)
log_mark
spawn dmsetup wait pool "$n"
waiter=$spawned
sleep 0.5
ok "dmsetup wait sleeps" running $waiter
require blockio write $t 640k 64k 1
ok "re-armed by a resume: the next allocation wakes it" \
	wait_until 120 stopped $waiter
raised $((n + 1)) "one event"
logged "reached low water mark" "logged"
require blockio write $t 704k 128k 1
is "$(events)" $((n + 1)) "no second one"
require blockio discard $t 0 64M
dmsetup status pool > /dev/null
require blockio write $t 0 640k 1
is "$(events)" $((n + 1)) "freeing does not re-arm it"
suspend_and_resume pool
require blockio write $t 640k 64k 1
is "$(events)" $((n + 2)) "suspend and resume do"
finish
