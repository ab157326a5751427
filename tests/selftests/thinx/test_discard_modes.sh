#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# ignore_discard and no_discard_passdown.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
t=/dev/mapper/t1
make_pool "$META" "$DATA" no_discard_passdown
make_thin t1 1 32M
require blockio write $t 0 16M 1
is "$(queue $t discard_granularity)" 65536 "no_discard_passdown: volume granularity"
is "$(queue /dev/mapper/pool discard_max_bytes)" 0 "the pool device takes none"
ok "discard half" blockio discard $t 0 8M
is "$(data_used)" 128 "the blocks are given back"
ok "zeros" blockio zeros $t 0 8M
sleep 2
ok "the data file keeps its size" test "$(used_kib DATA)" -ge 16384
remove t1 pool

make_pool "$META" "$DATA" ignore_discard
activate t1 1 32M
is "$(queue $t discard_granularity)" 0 "ignore_discard: no granularity"
is "$(queue $t discard_max_bytes)" 0 "no limit"
is "$(queue /dev/mapper/pool discard_max_bytes)" 0 "nor the pool"
fails "a discard fails" EOPNOTSUPP blockio discard $t 8M 1M
ok "nothing was lost" blockio verify $t 8M 8M 1
remove t1

fails "a reload cannot take ignore_discard back" "" dmsetup load pool \
	--table "$(pool_table "$META" "$DATA")"
remove pool
make_pool "$META" "$DATA"
ok "the pool device takes discards" test "$(queue /dev/mapper/pool discard_max_bytes)" -gt 0
log_mark
fails "nor can a reload bring it" "" dmsetup load pool \
	--table "$(pool_table "$META" "$DATA" ignore_discard)"
logged "Discard support cannot be disabled once enabled" "says why"
finish
