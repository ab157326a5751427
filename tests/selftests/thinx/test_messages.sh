#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Every pool message: its effect, the arguments it accepts, its errors.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
make_pool "$META" "$DATA"
inval="Invalid argument"

ok "create_thin" msg create_thin 1
ok "upper and lower case are equal" msg CREATE_thin 2
ok "a sign is accepted" msg create_thin +3
ok "leading zeros are accepted" msg create_thin 0004
ok "id 0" msg create_thin 0
ok "the largest id" msg create_thin 16777215
fails "an id in use: EEXIST" "File exists" msg create_thin 1
for id in 16777216 -1 0x5 x 5k ""; do
	fails "id '$id': EINVAL" "$inval" msg create_thin "$id"
done
fails "create_thin without id" "$inval" msg create_thin
log_mark
fails "create_thin with too much" "$inval" msg create_thin 6 7
logged "Message received with 3 arguments instead of 2" "which is logged"

ok "create_snap" msg create_snap 10 1
ok "a snapshot of a snapshot" msg create_snap 11 10
fails "of an unknown device: ENODATA" "No data available" msg create_snap 12 99
fails "with an id in use: EEXIST" "File exists" msg create_snap 10 1
fails "both: EEXIST" "File exists" msg create_snap 10 99
fails "bad id" "$inval" msg create_snap 16777216 1
fails "bad origin" "$inval" msg create_snap 12 x
fails "too few" "$inval" msg create_snap 12
fails "too many" "$inval" msg create_snap 12 1 1

ok "delete" msg delete 11
fails "twice: ENODATA" "No data available" msg delete 11
activate t1 1 10M
fails "an active device: EBUSY" "busy" msg delete 1
remove t1
ok "inactive again" msg delete 1
fails "too many" "$inval" msg delete 2 3
fails "bad id" "$inval" msg delete 16777216

ok "set_transaction_id" msg set_transaction_id 0 5
is "$(pool_field 4)" 5 "shows in the status"
log_mark
fails "from a wrong id" "$inval" msg set_transaction_id 0 6
logged "mismatched transaction id" "which is logged"
is "$(pool_field 4)" 5 "and changes nothing"
ok "a large id" msg set_transaction_id 5 18446744073709551615
is "$(pool_field 4)" 18446744073709551615 "shows"
ok "back" msg set_transaction_id 18446744073709551615 0
fails "too large" "$inval" msg set_transaction_id 0 18446744073709551616
fails "too few" "$inval" msg set_transaction_id 0

fails "release_metadata_snap without one" "$inval" msg release_metadata_snap
ok "reserve_metadata_snap" msg reserve_metadata_snap
like "$(pool_field 7)" '^[0-9]+$' "its block shows in the status"
fails "twice: EBUSY" "busy" msg reserve_metadata_snap
ok "release_metadata_snap" msg release_metadata_snap
is "$(pool_field 7)" - "no longer in the status"
fails "with an argument" "$inval" msg reserve_metadata_snap 1

log_mark
fails "an unknown word" "$inval" msg frobnicate 1
logged "Unrecognised thin pool target message received: frobnicate" \
	"is logged"
fails "nothing" "$inval" msg ""
fails "past the end of the pool" "$inval" dmsetup message pool 999999999 "create_thin 50"
ok "inside the pool" dmsetup message pool 100 "create_thin 50"

require dmsetup suspend pool
ok "create_thin while suspended" msg create_thin 60
ok "create_snap while suspended" msg create_snap 61 60
ok "delete while suspended" msg delete 61
require dmsetup resume pool
ok "it is there" msg delete 60

is "$(events)" 0 "no message raised an event"
is "$(dmsetup message pool 0 create_thin 70)" "" "messages return nothing"

remove pool
is "$(thin_dump "$META" | grep -o 'dev_id="[0-9]*"' | tr -dc '0-9\n' | tr '\n' ' ')" \
	"0 2 3 4 10 50 70 16777215 " "the metadata has what was asked for"
finish
