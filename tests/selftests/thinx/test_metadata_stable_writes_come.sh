#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# As test_metadata_stable_writes, but the metadata come to a device with checksums of
# its own only after the pool was set up on one without.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target changes blocks while they are written"
require modprobe sd_mod
modprobe -q scsi_debug dev_size_mb=16 dif=1 dix=1 guard=0 delay=0 ||
	skip_all "no scsi_debug"
there() { ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/sd*; }
require wait_until 120 there
checking=/dev/$(basename "$(there)")
require wait_until 120 test -b "$checking"
cleanup_scsi() { modprobe -r scsi_debug; }
if ! grep -q T10 "/sys/block/${checking#/dev/}/integrity/format"; then
	cleanup_scsi
	skip_all "no integrity in this kernel"
fi
disk PLAIN 16
disk DATA 512
wrap meta "$PLAIN"
make_pool /dev/mapper/meta "$DATA" skip_block_zeroing
profile() { cat "/sys/dev/block/$(major_minor /dev/mapper/meta)/integrity/format"; }
is "$(profile)" none "a device without checksums"
make_thin t1 1 128M
make_thin t2 2 128M
make_thin t3 3 128M
require dmsetup suspend pool
require dd if="$PLAIN" of="$checking" bs=1M iflag=direct oflag=direct status=none
require dmsetup load meta --table "0 32768 linear $checking 0"
require dmsetup suspend --nolockfs meta
require dmsetup resume meta
require dmsetup resume pool
like "$(profile)" T10 "now it has them"
damaged "$PLAIN"
log_mark
for i in 1 2 3; do
	spawn_out=$scratch/out.$i spawn fio --name=w$i --filename=/dev/mapper/t$i \
		--direct=1 --rw=randwrite --bs=4k --size=128M --io_size=4M \
		--ioengine=libaio --iodepth=8 --fsync=16 \
		--output="$scratch/fio.$i"
	writers[i]=$spawned
done
for i in 1 2 3; do
	wait "${writers[i]}"
	is $? 0 "writes and flushes, volume $i"
done
is "$(pool_mode) $(pool_field 11)" "rw -" "no commit failed"
not_logged "guard|integrity|metadata operation" "nothing was refused"
remove t1 t2 t3
remove pool
remove meta
ok "thin_check" thin_check -q "$checking"
require cleanup_scsi
finish
