#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A read-only pool refuses messages and says why.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
make_pool "$META" "$DATA"
make_thin t1 1 10M
require blockio write /dev/mapper/t1 0 1M 1
remove t1 pool
make_pool "$META" "$DATA" read_only
for m in "create_thin 2" "create_snap 2 1" "delete 1" \
		"set_transaction_id 0 1" reserve_metadata_snap \
		release_metadata_snap "create_snaps 2 1 3 1" "swap 1 2"; do
	log_mark
	# shellcheck disable=SC2086 # words
	fails "$m: EOPNOTSUPP" "not supported" msg $m
	logged "unable to service pool target messages in READ_ONLY or FAIL mode" \
		"$m: logged"
done
activate t1 1 10M
ok "a volume can be activated and read" \
	blockio verify /dev/mapper/t1 0 1M 1
finish
