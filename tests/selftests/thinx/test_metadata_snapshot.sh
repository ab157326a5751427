#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A reserved metadata snapshot can be read by the tools while the pool is in use, and
# does not change.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 16
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
t=/dev/mapper/t1
require blockio write $t 0 8M 1
snapshot t1 1 3
require blockio write $t 2M 1M 2
fails "none reserved: thin_dump -m fails" "" thin_dump -m "$META"
ok "reserve" msg reserve_metadata_snap
ok "thin_dump -m" thin_dump -m "$META"
thin_dump -m "$META" > "$scratch/before"
is "$(grep -c '<device' "$scratch/before")" 3 "three devices in it"
like "$(grep 'dev_id="1"' "$scratch/before")" 'mapped_blocks="128"' \
	"device 1 has 128 blocks"
is "$(thin_ls --no-headers -o DEV,MAPPED_BLOCKS -m "$META" | tr -s ' ' |
	sed 's/^ //; s/ $//' | tr '\n' ,)" "1 128,2 0,3 128," "thin_ls -m"
delta=$(thin_delta -m --snap1 3 --snap2 1 "$META")
like "$delta" '<different begin="32" length="16"/>' \
	"thin_delta -m: what was overwritten"
like "$delta" '<same begin="48" length="80"/>' "and what is shared"

busy w --filename=/dev/mapper/t2 --direct=1 --ioengine=libaio \
	--iodepth=8 --rw=randwrite --bs=64k --size=64M --io_size=64M --norandommap
writer=$spawned
require wait_until 120 loaded t2
for i in 1 2 3; do
	require blockio discard $t 0 1M
	require blockio write $t 4M 1M $((i + 10))
	require msg create_thin $((i + 100))
	thin_dump -m "$META" > "$scratch/now"
	ok "unchanged under load ($i)" cmp "$scratch/before" "$scratch/now"
done
ok "the load is still running" running "$writer"
calm
wait "$writer"
ok "and succeeds" test $? = 0
require msg delete 3
thin_dump -m "$META" > "$scratch/now"
ok "unchanged by a deletion" cmp "$scratch/before" "$scratch/now"

remove t1 t2 pool
ok "it is part of sound metadata" thin_check "$META"
make_pool "$META" "$DATA"
like "$(pool_field 7)" '^[0-9]+$' "it is there after setting up again"
thin_dump -m "$META" > "$scratch/now"
ok "unchanged" cmp "$scratch/before" "$scratch/now"
ok "release" msg release_metadata_snap
fails "gone: thin_dump -m fails" "" thin_dump -m "$META"
ok "and can be reserved again" msg reserve_metadata_snap
thin_dump -m "$META" > "$scratch/now"
fails "it shows the present" "" cmp "$scratch/before" "$scratch/now"
ok "release" msg release_metadata_snap
finish
