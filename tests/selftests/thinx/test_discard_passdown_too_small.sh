#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A data device whose largest discard is smaller than a block: nothing is passed
# down, as log and status say, but blocks are unmapped.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
t=/dev/mapper/t1
limit=/sys/dev/block/$(major_minor "$DATA")/queue/discard_max_bytes
# It takes no part of its granularity.
most=$(($(cat "$limit") >> 20 << 20))
unlimited() { echo "$most" > "$limit"; }
# The loop device would keep the limit.
at_end unlimited
echo 32768 > "$limit" || bail "a limit of 32 KiB"
is "$(queue "$DATA" discard_max_bytes)" 32768 "half a block at a time"
log_mark
make_pool "$META" "$DATA"
logged "Data device \(${DATA#/dev/}\) max discard sectors smaller than a block: Disabling discard passdown\." \
	"the log says that nothing is passed down"
is "$(pool_field 9)" no_discard_passdown "so does the status"
like "$(dmsetup table pool)" ' 128 0 0 ?$' "the table is what was asked for"
make_thin t1 1 32M
is "$(queue $t discard_granularity)" 65536 "the volume takes discards of blocks"
write_synced $t 0 16M 1
before=$(used_kib DATA)
ok "half of it is discarded" blockio discard $t 0 8M
is "$(data_used)" 128 "the blocks are given back"
ok "zeros" blockio zeros $t 0 8M
ok "the rest is there" blockio verify $t 8M 8M 1
suspend_and_resume pool
is "$(used_kib DATA)" "$before" "the data file keeps its size"

# Each table checks the limit anew.
echo 65536 > "$limit"
log_mark
reload_pool "$META" "$DATA"
is "$(pool_field 9)" discard_passdown "a block at a time is enough"
not_logged "Disabling discard passdown" "and nothing is logged"
ok "the rest is discarded" blockio discard $t 8M 8M
is "$(data_used)" 0 "the blocks are given back"
given_back() { [ $((before - $(used_kib DATA))) -ge 8192 ]; }
ok "and their space in the data file" wait_until 60 given_back
finish
