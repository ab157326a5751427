#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A metadata device with checksums of its own (T10 protection information) fails the
# write of a block that changes meanwhile, and with it the commit.  Here metadata
# changes while flushes commit.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

require modprobe sd_mod
modprobe -q scsi_debug dev_size_mb=16 dif=1 dix=1 guard=0 delay=0 ||
	skip_all "no scsi_debug"
there() { ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/sd*; }
require wait_until 120 there
META=/dev/$(basename "$(there)")
require wait_until 120 test -b "$META"
cleanup_scsi() { modprobe -r scsi_debug; }
if ! grep -q T10 "/sys/block/${META#/dev/}/integrity/format"; then
	cleanup_scsi
	skip_all "no integrity in this kernel"
fi
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
log_mark
for i in 1 2 3; do
	make_thin t$i $i 128M
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
remove t1 t2 t3 pool
ok "thin_check" thin_check -q "$META"
_metadata=()
require cleanup_scsi
finish
