#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# While a pool is suspended, the I/O of its volumes waits, messages and status work,
# and no volume can be activated; everything is committed before, and goes on when
# the pool is resumed.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk COPY 8
make_pool "$META" "$DATA"
make_thin t1 1 32M
make_thin t2 2 32M
t=/dev/mapper/t1
require blockio write $t 0 1M 1
require dmsetup suspend pool
# A copy: the device itself is in use.
require dd if="$META" of="$COPY" bs=64k iflag=direct oflag=direct status=none
is "$(thin_ls --no-headers -o DEV,MAPPED_BLOCKS "$COPY" | tr -s ' ' |
	sed 's/^ //; s/ $//' | tr '\n' ,)" "1 16,2 0," \
	"suspended: the device has all that was written"
ok "and is sound" thin_check -q "$COPY"
for i in 1 2 3 4 5 6; do
	spawn_out=$scratch/out$i
	case $i in
	1) spawn blockio write $t 8M 64k 2 ;;
	2) spawn blockio write $t 0 64k 2 ;;
	3) spawn blockio verify $t 64k 64k 1 ;;
	4) spawn blockio zeros $t 16M 64k ;;
	5) spawn blockio sync $t ;;
	6) spawn blockio discard $t 128k 64k ;;
	esac
	waiting[i]=$spawned
done
for i in 1 2 3 5 6; do
	ok "waits ($i)" wait_until 120 blocked "${waiting[i]}"
done
sleep 1
for i in 1 2 3 5 6; do
	ok "still waits ($i)" running "${waiting[i]}"
done
like "$(status)" " 16/1024 - rw " "status"
is "$(status t1)" "0 65536 $TARGET_THIN 2048 2047" "a volume's status"
like "$(dmsetup status pool)" " 16/1024 - rw " "status with a commit"
ok "create_thin" msg create_thin 3
ok "create_snap" msg create_snap 4 1
ok "delete" msg delete 3
ok "set_transaction_id" msg set_transaction_id 0 9
is "$(pool_field 4)" 9 "shows in the status"
ok "reserve_metadata_snap" msg reserve_metadata_snap
ok "release_metadata_snap" msg release_metadata_snap
log_mark
fails "no volume can be activated" "Invalid argument" \
	dmsetup create t4 --table "$(thin_table 4 1M)"
logged "Unable to activate thin device while pool is suspended" "says so"
is "$(dmsetup info -c --noheadings -o suspended t1)" Active \
	"the volume is active"
if is_thinx; then
	ok "an idle volume can be suspended" timeout 120 dmsetup suspend t2
	ok "and resumed" timeout 120 dmsetup resume t2
fi
ok "a volume can be removed" timeout 120 dmsetup remove t2
n=$(events)
require dmsetup resume pool
for i in 1 2 3 4 5 6; do
	succeeds "${waiting[i]}" "resumed: it ends ($i)"
done
is "$(events)" "$n" "no event"
ok "written" blockio verify $t 8M 64k 2
ok "overwritten" blockio verify $t 0 64k 2
ok "discarded" blockio zeros $t 128k 64k
activate t4 4 32M
ok "the snapshot has what was there before" \
	blockio verify /dev/mapper/t4 0 1M 1
ok "and nothing else" blockio zeros /dev/mapper/t4 8M 64k
finish
