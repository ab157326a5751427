#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: snapshots of volumes in use, of a mounted file system, of snapshots.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 512
volume_group "$PV1"
thin_pool 192M
thin_volume v1 64M
thin_volume fs 64M
require blockio write /dev/vg/v1 0 16M 1

# A volume that is being written.
spawn fio --name=w --filename=/dev/vg/v1 --direct=1 --ioengine=libaio \
	--iodepth=4 --rw=randwrite --bs=16k --offset=32M --size=32M \
	--time_based --runtime=3000
writer=$spawned
require wait_until 240 loaded vg-v1
clean "a snapshot of a busy volume" lvcreate -q -s -kn -n s1 vg/v1
is "$(lv origin vg/s1)" v1 "lvs: its origin"
ok "the writer still runs" running "$writer"
ok "the volume is written elsewhere" blockio write /dev/vg/v1 4M 8M 2
ok "the snapshot has the data" blockio verify /dev/vg/s1 0 16M 1
require cp --sparse=never /dev/vg/s1 "$scratch/copy"
clean "a snapshot of the snapshot" lvcreate -q -s -kn -n s2 vg/s1
ok "it is written" blockio write /dev/vg/s2 0 1M 3
ok "the writer still runs" running "$writer"
stop "$writer"
ok "the first snapshot did not change" cmp /dev/vg/s1 "$scratch/copy"
ok "nor the second elsewhere" cmp -i 1M /dev/vg/s2 "$scratch/copy"
ok "only where it was written" blockio verify /dev/vg/s2 0 1M 3
ok "the volume has what was written" blockio verify /dev/vg/v1 4M 8M 2
ok "and what was there before" blockio verify /dev/vg/v1 12M 4M 1
figures_agree

# A mounted file system: LVM freezes it around the snapshot.
require mkfs.ext4 -q /dev/vg/fs
mkdir -p "$scratch/mnt"
require mount /dev/vg/fs "$scratch/mnt"
for i in 1 2 3 4 5 6 7 8; do
	head -c 300000 /dev/urandom > "$scratch/mnt/$i"
done
(cd "$scratch/mnt" && sha256sum ./? > "$scratch/sums")
clean "a snapshot of a mounted file system" lvcreate -q -s -kn -n fss vg/fs
rm "$scratch"/mnt/[1-4]
ok "it is clean" e2fsck -fn /dev/vg/fss
mkdir -p "$scratch/smnt"
ok "it can be mounted" mount -o ro /dev/vg/fss "$scratch/smnt"
ok "all files are in it" sh -c "cd $scratch/smnt && sha256sum -c $scratch/sums"
ok "unmounted" umount "$scratch/smnt"
ok "unmounted" umount "$scratch/mnt"
ok "the origin is sound" e2fsck -fn /dev/vg/fs

clean "the origin of snapshots is removed" lvremove -q -y vg/v1
ok "the snapshot is unchanged" cmp /dev/vg/s1 "$scratch/copy"
clean "a snapshot is removed" lvremove -q -y vg/s1
ok "its snapshot is unchanged" cmp -i 1M /dev/vg/s2 "$scratch/copy"
figures_agree
metadata_sound
clean "all is activated" vgchange -q -ay vg
clean "snapshots stay inactive unless asked for" lvchange -q -K -ay vg/s2
ok "the snapshot's snapshot is there" cmp -i 1M /dev/vg/s2 "$scratch/copy"
finish
