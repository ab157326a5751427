#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The metadata device fails a commit, whatever asked for it: the transaction is rolled
# back, the pool is read-only with needs_check, and it says so once.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 1 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 1M 1
first=1

# begin: a pool whose metadata device fails writes from now on
begin()
{
	if [ $first = 0 ]; then
		make_pool /dev/mapper/meta "$DATA"
		activate t1 1 32M
	fi
	first=0
	n=$(events)
	log_mark
	broken meta "$META"
}

# end NAME: the pool has failed as it should, and the flag can be cleared
end()
{
	becomes ro "$1: read-only"
	is "$(pool_field 11)" needs_check "$1: needs_check"
	raised $((n + 1)) "$1: one event"
	wait_until 60 _in_log "switching pool to read-only mode"
	is "$(kernel_log | grep -oE "metadata operation '.*' failed: error = -5|aborting current metadata transaction|switching pool to read-only mode" |
		sed "s/'.*'/.../" | tr '\n' ,)" "metadata operation ... failed: error = -5,aborting current metadata transaction,switching pool to read-only mode," \
		"$1: logged"
	healed meta "$META"
	ok "$1: what was committed is there" blockio verify $t 0 1M 1
	ok "$1: what was not is gone" blockio zeros $t 16M 1M
	fails "$1: no new blocks" EIO blockio write $t 20M 64k 3
	remove t1 pool
	ok "$1: thin_check clears the flag" \
		thin_check -q --clear-needs-check-flag /dev/mapper/meta
}

begin
fails "a FUA write" EIO blockio fua $t 16M 64k 2
end "FUA"

begin
require blockio write $t 16M 64k 2
if is_thinx; then
	fails "a flush" EIO blockio sync $t
else
	# The commit may have failed already, which the flush need not notice.
	blockio sync $t
fi
end "flush"

begin
require blockio write $t 16M 64k 2
end "the timer"

begin
if is_thinx; then
	fails "a message" "Input/output error" msg create_thin 2
else
	ok "a message" msg create_thin 2
fi
end "message"

begin
require blockio write $t 16M 64k 2
ok "a status" dmsetup status pool
end "status"

begin
require blockio write $t 16M 64k 2
ok "suspend" timeout 120 dmsetup suspend pool
ok "resume" timeout 120 dmsetup resume pool
end "suspend"

make_pool /dev/mapper/meta "$DATA"
is "$(pool_mode) $(pool_field 11)" "rw -" "writable in the end"
ok "the device of the failed message does not exist" msg create_thin 2
finish
