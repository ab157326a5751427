#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool in fail mode could not even roll back to the last commit.  As soon as the
# metadata device can be written again, needs_check is recorded there, so that the
# pool is not considered sound when it is set up again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target forgets the flag"
disk META 8
disk DATA 64
wrap meta "$META"
t=/dev/mapper/t1

for heals in "while the pool exists" "while it is removed" "after it was removed"; do
	make_pool /dev/mapper/meta "$DATA"
	if [ "$heals" = "while the pool exists" ]; then
		make_thin t1 1 32M
		require blockio write $t 0 4M 1
	else
		activate t1 1 32M
	fi
	# So that the metadata the next write needs is in memory.
	write_synced $t 6M 64k 1
	log_mark
	rewrap meta error
	fails "heals $heals: a write that must be committed" EIO \
		blockio fua $t 8M 64k 2
	ok "fail mode" wait_until 120 is_failed
	logged "failed to set 'needs_check' flag in metadata" "the flag is not written"
	case $heals in
	while\ the*)
		fails "not yet" "" flagged "$META"
		healed meta "$META"
		ok "healed: the flag is written" wait_until 120 flagged "$META"
		is "$(status)" "0 131072 $TARGET_POOL Fail" "the pool stays failed"
		fails "so does its volume" EIO blockio read $t 0 64k
		remove t1 pool
		;;
	while*)
		remove t1
		rewrap meta linear "$META" 0
		remove pool
		ok "removing the pool has written the flag" flagged "$META"
		;;
	*)
		remove t1 pool
		healed meta "$META"
		fails "there was no pool left to write it" "" flagged "$META"
		;;
	esac
	if [ "$heals" != "after it was removed" ]; then
		make_pool /dev/mapper/meta "$DATA"
		is "$(pool_mode) $(pool_field 11)" "ro needs_check" \
			"set up again: read-only until checked"
		activate t1 1 32M
		ok "what was committed is there" blockio verify $t 0 4M 1
		remove t1 pool
		require thin_check --clear-needs-check-flag /dev/mapper/meta
	fi
	make_pool /dev/mapper/meta "$DATA"
	is "$(pool_mode) $(pool_field 11)" "rw -" "then writable"
	activate t1 1 32M
	ok "with what was committed" blockio verify $t 0 4M 1
	ok "without what was not" blockio zeros $t 8M 64k
	remove t1 pool
done
finish
