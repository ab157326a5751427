#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A write-protected metadata device is refused unless the table says read_only; then
# the pool can be read, and nothing done to it writes to the device.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target writes to it anyway"
disk META 8
disk DATA 64
t=/dev/mapper/t1
make_pool "$META" "$DATA"
make_thin t1 1 32M
require blockio write $t 0 4M 1
require msg reserve_metadata_snap
remove t1 pool
disk BLANK 8
require blockdev --setro "$META" "$BLANK"
# shellcheck disable=SC2016 # for awk
writes() { io_counts "$META" '$5 + $12'; }
sum=$(sha256sum < "$META")
before=$(writes)

# refused WHAT TEXT DEVICE [FEATURE]
refused()
{
	local what=$1 text=$2

	shift 2
	log_mark
	fails "$what: refused" "" dmsetup create bad \
		--table "$(pool_table "$1" "$DATA" "${@:2}")"
	logged "$text" "$what: the log says why"
	fails "$what: nothing is left" "" dmsetup info bad
}

log_start=$_mark
denied="$TARGET_POOL: Metadata device is write-protected \(-(EROFS|30)\)"
refused "without read_only" "$denied" "$META"
refused "blank, without read_only" "$denied" "$BLANK"
refused "blank, with read_only" \
	"$TARGET_POOL: Error creating metadata object \(-(EPERM|1)\)" "$BLANK" read_only

make_pool "$META" "$DATA" read_only
is "$(pool_mode)" ro "with read_only: a pool"
activate t1 1 32M
ok "mapped data" blockio verify $t 0 4M 1
ok "holes" blockio zeros $t 4M 4M
ok "a mapped block can be overwritten" blockio write $t 1M 64k 2
fails "a hole cannot be written" EIO blockio write $t 8M 64k 2
ok "a discard succeeds" blockio discard $t 0 1M
ok "and does nothing" blockio verify $t 0 1M 1
ok "fsync" blockio sync $t
for m in "create_thin 2" "create_snap 2 1" "delete 1" "set_transaction_id 0 1" \
		release_metadata_snap; do
	fails "'$m' is refused" "Operation not supported" msg "$m"
done
ok "a status that commits" dmsetup status pool
suspend_and_resume t1
suspend_and_resume pool
is "$(pool_mode) $(pool_field 11)" "ro -" "suspend and resume"
log_mark
reload_pool "$META" "$DATA"
is "$(pool_mode) $(pool_field 11)" "ro -" "a table without read_only does not change that"
logged "metadata device \(${META#/dev/}\) is write-protected" "the log says why"
reload_pool "$META" "$DATA" read_only error_if_no_space
is "$(pool_mode) $(pool_field 11)" "ro -" "a table with it is accepted"
ok "mapped data" blockio verify $t 2M 2M 1
remove t1 pool
is "$(writes)" "$before" "the device got no write"
is "$(sha256sum < "$META")" "$sum" "and is unchanged"
_mark=$log_start
not_logged "metadata operation|read-only (block-)?device" "no write was tried either"

require blockdev --setrw "$META"
make_pool "$META" "$DATA"
is "$(pool_mode) $(pool_field 11)" "rw -" "without the protection the pool is writable"
require msg release_metadata_snap
activate t1 1 32M
ok "with its data" blockio verify $t 0 1M 1
ok "and takes writes" blockio write $t 8M 64k 2
finish
