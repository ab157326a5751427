#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The thin-provisioning-tools on a pool in use, through the metadata snapshot, while
# volumes are written, trimmed and snapshotted; a metadata backup made like that is
# restored.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need thin_check thin_rmap thin_trim
disk META 32
disk META2 32
disk DATA 384
make_pool "$META" "$DATA" no_discard_passdown
make_thin t1 1 64M
make_thin t2 2 128M
require blockio write /dev/mapper/t1 0 16M 1
snapshot t1 1 3
require blockio write /dev/mapper/t1 4M 1M 2
for t in thin_check thin_dump thin_ls; do
	fails "$t needs -m on a live pool" "" $t "$META"
done

spawn fio --name=w --filename=/dev/mapper/t2 --direct=1 --ioengine=libaio \
	--iodepth=8 --rw=randtrimwrite --bs=64k --size=128M --norandommap \
	--time_based --runtime=3000
writer=$spawned
require wait_until 240 loaded t2
require msg reserve_metadata_snap
thin_dump -m "$META" > "$scratch/backup"
is $? 0 "thin_dump -m"
for i in 1 2 3 4; do
	ok "thin_check -m ($i)" thin_check -q -m "$META"
	is "$(thin_ls --no-headers -m \
		-o DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS "$META" |
		awk '$1 != 2 { print $1, $2, $3, $4 }' | tr '\n' ,)" \
		"1 256 16 240,3 256 16 240," "thin_ls -m: exclusive and shared ($i)"
	is "$(thin_ls --no-headers -m -o DEV,MAPPED,SHARED_BYTES "$META" |
		awk '$1 == 1 { print $2, $3 }')" "16MiB 15728640" \
		"thin_ls -m: in bytes ($i)"
	thin_delta -m --verbose --thin1 1 --thin2 3 "$META" > "$scratch/delta"
	is $? 0 "thin_delta -m ($i)"
	is "$(grep -c '<different\|<same' "$scratch/delta")" 3 \
		"three ranges ($i)"
	thin_dump -m -f human_readable "$META" > "$scratch/human"
	is $? 0 "thin_dump -m as text ($i)"
	is "$(grep -c '^device:' "$scratch/human")" 3 "three devices ($i)"
	is "$(thin_dump -m --dev-id 3 "$META" | grep -c '<device')" 1 \
		"one device alone ($i)"
	snapshot t2 2 $((20 + i))
	require msg release_metadata_snap
	require msg delete $((20 + i))
	require msg reserve_metadata_snap
done
ok "the writer still runs" running "$writer"
stop "$writer"
require msg release_metadata_snap
remove t1 t2
remove pool

# The backup is restored to another device.  A metadata snapshot has no space maps, so
# the tool cannot know the number of data blocks.
sed -i "s/nr_data_blocks=\"0\"/nr_data_blocks=\"$(($(size_of "$DATA") / bs))\"/" \
	"$scratch/backup"
ok "thin_restore of the backup" thin_restore -q -i "$scratch/backup" -o "$META2"
ok "thin_check of it" thin_check -q "$META2"
make_pool "$META2" "$DATA"
activate t1 1 64M
activate t3 3 64M
ok "data" blockio verify /dev/mapper/t1 0 4M 1
ok "data" blockio verify /dev/mapper/t1 4M 1M 2
ok "data" blockio verify /dev/mapper/t1 5M 11M 1
ok "the snapshot's data" blockio verify /dev/mapper/t3 0 16M 1
remove t1 t3
remove pool
finish
