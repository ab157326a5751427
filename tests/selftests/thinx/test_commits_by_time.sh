#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# When a pool commits by itself: about a second after a change, and never without
# one.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 8 128
make_thin t1 1 64M
t=/dev/mapper/t1
write_synced $t 0 4M 1

# shellcheck disable=SC2016 # for awk
commits() { io_counts /dev/mapper/meta '$5'; }
committed() { [ "$(commits)" != "$before" ]; }

# All that was started has been committed.
settled()
{
	local n

	n=$(commits)
	sleep 2
	[ "$(commits)" = "$n" ]
}

quiet()
{
	sleep 3
	is "$(commits)" "$before" "$1: nothing is written"
}

require wait_until 120 settled
before=$(commits)
quiet "idle"
require blockio write $t 0 4M 2
quiet "overwriting"
require blockio verify $t 0 4M 2
quiet "reading"
begin=$(date +%s%3N)
require blockio write $t 8M 64k 2
after=$(commits)
if is_thinx && [ $(($(date +%s%3N) - begin)) -lt 700 ]; then
	is "$after" "$before" "a change is not committed at once"
fi
ok "but soon after" wait_until 60 committed
require wait_until 120 settled
before=$(commits)
quiet "after it"
require blockio discard $t 8M 64k
ok "a discard is committed, too" wait_until 60 committed
require wait_until 120 settled
before=$(commits)
quiet "after it"
require blockio sync $t
is "$(commits)" "$before" "an fsync with nothing to commit writes nothing"
before=$(commits)
require msg create_thin 2
ok "a message is committed at once" committed
before=$(commits)
require blockio write $t 9M 64k 2
require dmsetup status pool
ok "a status commits as well if there is a change" committed
before=$(commits)
require dmsetup status --noflush pool
is "$(commits)" "$before" "without flushing it writes nothing"
require dmsetup status pool
! is_thinx || is "$(commits)" $((before + 1)) \
	"if there is none it writes the superblock, to see whether that can be done"
finish
