#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A data device that discards no less than 1 MiB: many small discards give nothing
# back, trimming does, wherever its steps and pages end.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
disk META 8
disk DATA 256
disk UPMETA 8
bs=2048
make_pool "$META" "$DATA"
make_thin updata 1 50M
u=/dev/mapper/updata
is "$(queue $u discard_granularity)" 1048576 "a coarse device"
t=/dev/mapper/t1

# scatter BLOCK-SECTORS: a pool of such blocks, written, and emptied piece by piece
scatter()
{
	local i kib=$(($1 / 2))

	blank "$UPMETA"
	bs=$1 pool=upper make_pool "$UPMETA" $u
	pool=upper make_thin t1 1 24M
	require blockio write $t 0 24M 1
	for ((i = 0; i < 24 * 1024; i += 2 * kib)); do
		require blockio discard $t ${i}k ${kib}k
	done
	for ((i = kib; i + kib <= 24 * 1024; i += 2 * kib)); do
		require blockio discard $t ${i}k ${kib}k
	done
	require blockio sync $t
	require dmsetup suspend upper
	require dmsetup resume upper
	is "$(pool=upper data_used)" 0 "$kib KiB: nothing is mapped"
}

scatter 128
ok "but the space is not given back" test "$(data_used)" -ge 24
is "$(pool=upper msg trim | tail -n 1)" end "trimmed"
is "$(data_used)" 0 "now it is"
remove t1 upper

# Blocks that have no common multiple with it below 3 MiB, in pages of few.
scatter 384
ok "the space is not given back" test "$(data_used)" -ge 24
from=0 n=0
while page=$(pool=upper msg trim "$from" 7) && [[ $page != *end ]]; do
	[ "${page##*next }" -gt "$from" ] || break
	from=${page##*next }
	n=$((n + 1))
done
like "$page" end "trimmed in $n pages"
ok "many" test $n -gt 3
is "$(data_used)" 0 "now it is given back"

# What is in use stays.
require blockio write $t 0 24M 2
for ((i = 0; i < 24; i += 4)); do
	require blockio discard $t ${i}M 3M
done
is "$(pool=upper msg trim | tail -n 1)" end "trimmed again"
ok "some space is given back" test "$(data_used)" -lt 18
unharmed()
{
	local i

	for ((i = 3; i < 24; i += 4)); do
		blockio verify "$t" "${i}M" 1M 2 || return 1
	done
}
ok "the rest is unharmed" unharmed
remove t1 upper
remove updata pool
finish
