#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thin_dump and thin_restore of a pool with snapshots and holes; the restored metadata
# is accepted and shows the same data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk META2 8
disk META3 8
disk DATA 128
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t1 0 8M 1
require blockio write /dev/mapper/t1 20M 100k 2
require blockio write /dev/mapper/t2 1M 1M 3
snapshot t1 1 3
require blockio write /dev/mapper/t1 2M 1M 4
require blockio discard /dev/mapper/t1 4M 1M
require msg set_transaction_id 0 9
remove t1 t2 pool
ok "thin_check" thin_check "$META"
ok "thin_dump" thin_dump -o "$scratch/xml" "$META"
ok "thin_restore" thin_restore -q -i "$scratch/xml" -o "$META2"
ok "thin_check of it" thin_check "$META2"
ok "thin_repair" thin_repair -i "$META" -o "$META3"
for m in "$META2" "$META3"; do
	make_pool "$m" "$DATA"
	like "$(pool_field 4)" "^9$" "the transaction id is there"
	is "$(dmsetup status pool | cut -d' ' -f6)" 162/2048 "as many blocks"
	activate t1 1 64M
	activate t2 2 64M
	activate t3 3 64M
	ok "data of 1" blockio verify /dev/mapper/t1 0 2M 1
	ok "changed data of 1" blockio verify /dev/mapper/t1 2M 1M 4
	ok "discarded data of 1" blockio zeros /dev/mapper/t1 4M 1M
	ok "the far end of 1" blockio verify /dev/mapper/t1 20M 100k 2
	ok "data of 2" blockio verify /dev/mapper/t2 1M 1M 3
	ok "data of 3" blockio verify /dev/mapper/t3 0 8M 1
	remove t1 t2 t3 pool
done
make_pool "$META2" "$DATA"
activate t1 1 64M
ok "it can be written" blockio write /dev/mapper/t1 40M 1M 5
ok "where shared" blockio write /dev/mapper/t1 6M 68k 6
ok "and read" blockio verify /dev/mapper/t1 6M 68k 6
activate t3 3 64M
ok "the snapshot is not disturbed" blockio verify /dev/mapper/t3 0 8M 1
finish
