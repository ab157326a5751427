#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Pools, metadata and volumes grow; nothing shrinks.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

disk META 1M
disk DATA 64
pool_sectors=$((100 * 128))
make_pool "$META" "$DATA"
make_thin t1 1 16M
t=/dev/mapper/t1
require blockio write $t 0 4M 1
log_mark
pool_sectors=$((200 * 128 + 50))
reload_pool "$META" "$DATA"
logged "growing the data device from 100 to 200 blocks" "data grown"
is "$(dmsetup status pool | cut -d' ' -f6)" 64/200 "status"
ok "data is unharmed" blockio verify $t 0 4M 1
log_mark
reload_pool "$META" "$DATA"
not_logged "growing" "the same size: nothing happens"

pool_sectors=$((150 * 128))
log_mark
require dmsetup load pool --table "$(pool_table "$META" "$DATA")"
fails "a smaller pool: resume fails" "Invalid argument" dmsetup resume pool
logged "pool target \(150 blocks\) too small: expected 200" "says why"
resize_pool 200
ok "recovered by the right table" blockio verify $t 0 4M 1

log_mark
disk_grow META 3M
not_logged "growing" "metadata does not grow by itself"
suspend_and_resume pool
logged "growing the metadata device from 256 to 768 blocks" "but on resume"
like "$(pool_field 5)" "/768$" "status"

require dmsetup load t1 --table "$(thin_table 1 64M)"
suspend_and_resume t1
is "$(blockdev --getsz $t)" 131072 "the volume has grown"
ok "data is unharmed" blockio verify $t 0 4M 1
ok "the new part is zeros" blockio zeros $t 16M 4M
ok "and can be written" blockio write $t 60M 4M 2
ok "and read" blockio verify $t 60M 4M 2
remove t1
activate t1 1 1M
ok "a smaller table" blockio verify $t 0 1M 1
remove t1
activate t1 1 64M
ok "does not lose what is past its end" blockio verify $t 60M 4M 2
finish
