#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The status of pools and volumes, byte for byte.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
# The reserve is a tenth of 2048 blocks, in addition to what a new pool uses.

# status_is FEATURES EXPECTED-TAIL
status_is()
{
	# shellcheck disable=SC2086 # words
	make_pool "$META" "$DATA" $1
	like "$(status)" "^0 131072 $TARGET_POOL 0 2[0-9][0-9]/2048 0/1024 - $2 - 512 \$" \
		"'$1': '$2'"
	remove pool
}

status_is "" "rw discard_passdown queue_if_no_space"
status_is "skip_block_zeroing" "rw discard_passdown queue_if_no_space"
status_is "ignore_discard" "rw ignore_discard queue_if_no_space"
status_is "no_discard_passdown" "rw no_discard_passdown queue_if_no_space"
status_is "error_if_no_space" "rw discard_passdown error_if_no_space"
status_is "read_only" "ro discard_passdown queue_if_no_space"
status_is "read_only error_if_no_space no_discard_passdown" \
	"ro no_discard_passdown error_if_no_space"
status_is "ignore_discard no_discard_passdown error_if_no_space" \
	"rw ignore_discard error_if_no_space"

make_pool "$META" "$DATA"
fresh=$(pool_field 5)
make_thin t1 7 10M
is "$(status t1)" "0 20480 $TARGET_THIN 0 -" "an empty volume"
require blockio write /dev/mapper/t1 64k 64k 1
is "$(status t1)" "0 20480 $TARGET_THIN 128 255" "one block: at once"
is "$(dmsetup status pool | cut -d' ' -f6)" 1/1024 "and in the pool's status"
require blockio write /dev/mapper/t1 9M 128k 1
is "$(status t1)" "0 20480 $TARGET_THIN 384 18687" "three blocks"
is "$(dmsetup status pool | cut -d' ' -f6)" 3/1024 "in the pool's status"
ok "metadata in use has grown" test "${fresh%/*}" -lt \
	"$(pool_field 5 | cut -d/ -f1)"
is "$(dmsetup table t1)" "0 20480 $TARGET_THIN $(major_minor /dev/mapper/pool) 7" \
	"the volume's table"
require msg reserve_metadata_snap
held=$(pool_field 7)
like "$(status)" "^0 131072 $TARGET_POOL 0 [0-9]+/2048 3/1024 $held rw discard_passdown queue_if_no_space - 512 \$" \
	"with a metadata snapshot"
require msg release_metadata_snap
require msg set_transaction_id 0 42
like "$(status)" "^0 131072 $TARGET_POOL 42 [0-9]+/2048 3/1024 - rw discard_passdown queue_if_no_space - 512 \$" \
	"with a transaction id"
remove t1
# Blocks past the table's end count as well.
activate t1 7 100
is "$(status t1)" "0 100 $TARGET_THIN 384 18687" \
	"not clipped to the table's length"
remove t1
require msg delete 7
is "$(dmsetup status pool | cut -d' ' -f6)" 0/1024 "nothing is left in use"

# A data device that cannot discard.
remove pool
require modprobe brd rd_nr=1 rd_size=65536
if [ "$(cat /sys/block/ram0/queue/discard_max_bytes)" = 0 ]; then
	log_mark
	blank "$META"
	make_pool "$META" /dev/ram0
	like "$(status)" " rw no_discard_passdown queue_if_no_space - 512 $" \
		"passdown is off when the device cannot discard"
	logged "discard unsupported: Disabling discard passdown" "and logged"
	is "$(dmsetup table pool | cut -d' ' -f6-)" "128 0 0 " \
		"the table still shows what was asked for"
	remove pool
fi
require rmmod brd
finish
