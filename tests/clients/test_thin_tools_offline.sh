#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thin_rmap, thin_trim, thin_metadata_size and, without a superblock, thin_repair on
# pools that were in use.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need thin_rmap thin_trim thin_metadata_size thin_repair python3
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
# thin_trim 0.9 also discards the last block in use: make it one that does not matter.
make_thin last 4 64M
require blockio write /dev/mapper/last 0 64k 4
require msg set_transaction_id 0 4
remove t1 t2 last
remove pool

# Each data block in use belongs to the devices that thin_dump names.  Of the trees that
# snapshots share, thin_rmap 0.9 counts only the first.
thin_rmap --region 0..4096 "$META" > "$scratch/rmap"
is $? 0 "thin_rmap"
thin_dump "$META" > "$scratch/dump"
is $? 0 "thin_dump"
python3 - "$scratch/rmap" "$scratch/dump" > "$scratch/compared" 2>&1 <<-'PY'
import re, sys
import xml.etree.ElementTree as xml

# thin_dump 1.0 and later writes only once what several devices share.
root = xml.parse(sys.argv[2]).getroot()
shared = {d.get("name"): d for d in root.iter("def")}

def mappings(element):
    for m in element:
        if m.tag == "single_mapping":
            yield int(m.get("data_block")), int(m.get("origin_block")), 1
        elif m.tag == "range_mapping":
            yield (int(m.get("data_begin")), int(m.get("origin_begin")),
                   int(m.get("length")))
        elif m.tag == "ref":
            yield from mappings(shared[m.get("name")])

dump = {(data + i, int(device.get("dev_id")), origin + i)
        for device in root.iter("device")
        for data, origin, length in mappings(device) for i in range(length)}
rmap = set()
for line in open(sys.argv[1]):
    begin, end, dev, at, _ = map(int, re.fullmatch(
        r"data (\d+)\.\.(\d+) -> thin\((\d+)\) (\d+)\.\.(\d+)\n", line).groups())
    rmap |= {(begin + i, dev, at + i) for i in range(end - begin)}
assert len(dump) == 256 + 64 + 256 + 1, len(dump)
assert rmap <= dump, sorted(rmap - dump)[:9]
missing = {d[0] for d in dump} - {r[0] for r in rmap}
assert not missing, sorted(missing)[:9]
PY
is $? 0 "thin_rmap: each block belongs to the devices that thin_dump names"
diag < "$scratch/compared"

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

# A pool with metadata of the recommended minimum size can be filled; its data need not
# be kept for that.
size=$(thin_metadata_size -n -u s -b 64k -s 2G -m 8)
diag <<< "thin_metadata_size says $size sectors"
disk META3 $((size / 2))k
require dmsetup create void --table "0 $(sectors 2G) zero"
make_pool "$META3" /dev/mapper/void skip_block_zeroing
make_thin t1 1 2G
ok "filled from beginning to end" fio --name=w --filename=/dev/mapper/t1 \
	--direct=1 --ioengine=libaio --iodepth=16 --rw=write --bs=64k --size=2G
is "$(data_used)" 32768 "all blocks are used"
is "$(pool_mode)" rw "the pool is writable"
remove t1
remove pool
remove void
finish
