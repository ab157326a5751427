#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The smallest and the largest device id can be used like any other; the next one is
# refused everywhere.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
make_pool "$META" "$DATA"
p=/dev/mapper/pool
top_id=16777215
over=$((top_id + 1))

make_thin low 0 10M
make_thin high $top_id 10M
ok "id 0 is written" blockio write /dev/mapper/low 0 1M 1
ok "id $top_id is written" blockio write /dev/mapper/high 0 1M 2
ok "id 0 has its data" blockio verify /dev/mapper/low 0 1M 1
ok "id $top_id has its data" blockio verify /dev/mapper/high 0 1M 2
is "$(dmsetup table high)" \
	"0 20480 $TARGET_THIN $(major_minor $p) $top_id" "the table reads back"
snapshot low 0 $((top_id - 1))
snapshot high $top_id 1
activate s1 1 10M
activate s2 $((top_id - 1)) 10M
ok "a snapshot of the highest" blockio verify /dev/mapper/s1 0 1M 2
ok "a snapshot of the lowest" blockio verify /dev/mapper/s2 0 1M 1
fails "in use" busy msg delete $top_id

inval="Invalid argument"
fails "create_thin $over" "$inval" msg create_thin $over
fails "create_snap $over" "$inval" msg create_snap $over 0
fails "create_snap of $over" "$inval" msg create_snap 7 $over
fails "delete $over" "$inval" msg delete $over
for id in $over 4294967295 4294967296 18446744073709551616; do
	log_mark
	fails "a table with id $id" "" dmsetup create bad \
		--table "0 20480 $TARGET_THIN $p $id"
	logged "Invalid device id" "says why ($id)"
done

remove low high s1 s2 pool
is "$(thin_ls --no-headers -o DEV "$META" | tr -d ' ' | tr '\n' ' ')" \
	"0 1 $((top_id - 1)) $top_id " "the tools see the same ids"
make_pool "$META" "$DATA"
activate high $top_id 10M
ok "set up again: the data is there" blockio verify /dev/mapper/high 0 1M 2
remove high
for id in $top_id 0 $((top_id - 1)) 1; do
	ok "delete $id" msg delete "$id"
done
is "$(data_used)" 0 "no block is in use"
finish
