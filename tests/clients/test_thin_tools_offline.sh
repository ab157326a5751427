#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thin_rmap, thin_trim, thin_metadata_size and thin_repair without a superblock,
# on pools that were in use.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need thin_rmap thin_trim thin_metadata_size thin_repair
disk META 16
disk META2 16
disk DATA 256
make_pool "$META" "$DATA" no_discard_passdown
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t1 0 16M 1
require blockio write /dev/mapper/t2 8M 16M 2
snapshot t1 1 3
require blockio write /dev/mapper/t1 1M 1M 3
require blockio discard /dev/mapper/t2 12M 12M
require msg set_transaction_id 0 4
remove t1 t2
remove pool

# Each data block that is in use belongs to somebody, as thin_dump says.
thin_rmap --region 0..4096 "$META" > "$scratch/rmap"
is $? 0 "thin_rmap"
sum() { awk -v t="thin($1)" '$4 == t { split($2, a, /\.\./); n += a[2] - a[1] } END { print n + 0 }' "$scratch/rmap"; }
is "$(sum 1) $(sum 2) $(sum 3)" "256 64 256" "thin_rmap: blocks of each"
head -n 3 "$scratch/rmap" | diag

before=$(used_kib DATA)
ok "thin_trim" thin_trim --metadata-dev "$META" --data-dev "$DATA"
ok "gives back what is not used" test "$(used_kib DATA)" -lt $((before - 12000))
ok "and no more" test "$(used_kib DATA)" -ge $(((256 + 16 + 64) * 64))
check_data()
{
	activate t1 1 64M
	activate t2 2 64M
	activate t3 3 64M
	ok "data" blockio verify /dev/mapper/t1 0 1M 1
	ok "data" blockio verify /dev/mapper/t1 1M 1M 3
	ok "data" blockio verify /dev/mapper/t1 2M 14M 1
	ok "data" blockio verify /dev/mapper/t2 8M 4M 2
	ok "data" blockio zeros /dev/mapper/t2 12M 12M
	ok "data" blockio verify /dev/mapper/t3 0 16M 1
	remove t1 t2 t3
}
make_pool "$META" "$DATA"
check_data
remove pool

# The superblock is lost.
require dd if=/dev/zero of="$META" bs=4k count=1 conv=notrunc oflag=direct
fails "thin_check sees it" "" thin_check -q "$META"
ok "thin_repair, told what was in it" thin_repair -i "$META" -o "$META2" \
	--transaction-id 4 --data-block-size 128 --nr-data-blocks 4096
damaged "$META"
make_pool "$META2" "$DATA"
is "$(pool_field 4)" 4 "the transaction id"
check_data
remove pool

# A pool with metadata as small as recommended can be filled.
size=$(thin_metadata_size -n -u s -b 64k -s 256M -m 8)
diag <<< "thin_metadata_size says $size sectors"
disk META3 $((size / 2))k
make_pool "$META3" "$DATA"
make_thin t1 1 256M
ok "filled, from all sides" fio --name=w --filename=/dev/mapper/t1 --direct=1 \
	--ioengine=libaio --iodepth=16 --rw=randwrite --bs=64k --size=256M
is "$(data_used)" 4096 "all blocks are used"
is "$(pool_mode)" rw "the pool is writable"
remove t1
finish
