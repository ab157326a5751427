#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A message fails if its commit fails, and what it asked for is not there
# afterwards.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
wrap meta "$META"

held=-

# failing MESSAGE: in a pool set up again, on a metadata device whose writes fail
failing()
{
	make_pool /dev/mapper/meta "$DATA"
	is "$(pool_mode)" rw "'$1': a pool"
	broken meta "$META"
	log_mark
	if is_thinx; then
		fails "'$1' fails with the commit" "Input/output error" msg "$1"
	else
		ok "'$1' succeeds although the commit fails" msg "$1"
	fi
	logged "metadata operation '.*' failed: error = -5" "'$1': it is logged"
	is "$(pool_mode) $(pool_field 11)" "ro needs_check" "'$1': read-only"
	is "$(pool_field 4) $(pool_field 7)" "5 $held" "'$1': nothing has changed"
	remove pool
	healed meta "$META"
	ok "'$1': the flag is cleared" \
		thin_check --clear-needs-check-flag /dev/mapper/meta
}

make_pool /dev/mapper/meta "$DATA"
make_thin t1 1 10M
require blockio write /dev/mapper/t1 0 1M 1
remove t1
require msg create_thin 4
require msg set_transaction_id 0 5
remove pool

failing "create_thin 2"
failing "create_snap 2 1"
if is_thinx; then
	failing "create_snaps 2 1 3 1"
	failing "swap 1 4"
fi
failing "delete 1"
failing "set_transaction_id 5 6"
failing "reserve_metadata_snap"

make_pool /dev/mapper/meta "$DATA"
require msg reserve_metadata_snap
held=$(pool_field 7)
like "$held" '^[0-9]+$' "a metadata snapshot"
remove pool
failing "release_metadata_snap"

make_pool /dev/mapper/meta "$DATA"
ok "the metadata snapshot can be released" msg release_metadata_snap
is "$(pool_mode) $(pool_field 4) $(pool_field 7)" "rw 5 -" "as at the beginning"
is "$(data_used)" 16 "with all its blocks"
activate t1 1 10M
ok "and the data" blockio verify /dev/mapper/t1 0 1M 1
ok "the same messages work now" msg create_thin 2
ok "one after the other" msg set_transaction_id 5 6
remove t1 pool
is "$(thin_ls --no-headers -o DEV /dev/mapper/meta | tr -d ' ' | tr '\n' ' ')" "1 2 4 " \
	"and are there"
finish
