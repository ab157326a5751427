#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata space runs out while data is written: the writer gets an error in time,
# nothing acknowledged is lost, and after growing the device the rest can be written.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 256k
disk DATA 512
echo 2 > "$parameters/no_space_timeout"
make_pool "$META" "$DATA"
make_thin t1 1 256M
make_thin t2 2 256M
t=/dev/mapper/t1
write_synced /dev/mapper/t2 0 1M 2

# One block after the other.
log_mark
written=0
while [ $written -lt 2000 ]; do
	if ! blockio fua $t $((written * 64))k 64k 7 > /dev/null 2>&1; then
		break
	fi
	written=$((written + 1))
	# A snapshot now and then: sharing takes metadata, too.
	[ $((written % 20)) != 0 ] ||
		msg create_snap $((written + 100)) 1 > /dev/null 2>&1 || break
done
ok "some blocks could be written ($written)" test $written -gt 40
ok "but not all" test $written -lt 2000
becomes ro "read-only"
if is_thinx; then
	logged "No free metadata blocks" "the log says why"
	not_logged "aborting" "nothing was rolled back"
	is "$(pool_field 11)" - "no needs_check"
fi
ok "all that was acknowledged is there" \
	blockio verify $t 0 $((written * 64))k 7
ok "the other volume, too" blockio verify /dev/mapper/t2 0 1M 2
error=EIO
! is_thinx || error=ENOSPC
fails "no new block" $error timeout 120 blockio write /dev/mapper/t2 128M 64k 3
ok "a flush succeeds: nothing was lost" blockio sync /dev/mapper/t2
is_thinx || finish

log_mark
n=$(events)
disk_grow META 4M
suspend_and_resume pool
logged "growing the metadata device from 64 to 1024 blocks" "grown"
is "$(pool_mode)" rw "write mode"
raised $((n + 1)) "one event"
ok "the rest can be written" blockio write $t $((written * 64))k 32M 8
ok "and read" blockio verify $t $((written * 64))k 32M 8
ok "flushed" blockio sync $t
ok "what was before is unharmed" blockio verify $t 0 $((written * 64))k 7
ok "messages are accepted" msg create_snap 5000 1
ok "a snapshot can be deleted" msg delete 120
finish
