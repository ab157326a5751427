#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# xfs end to end: files survive, fstrim frees blocks, and the file system can grow
# with its volume.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 320
make_pool "$META" "$DATA"
make_thin t1 1 400M
mnt=$scratch/mnt1
mkdir -p "$mnt"
ok "mkfs" mkfs.xfs -q /dev/mapper/t1
require mount /dev/mapper/t1 "$mnt"
for i in 1 2 3 4; do
	require dd if=/dev/urandom of="$mnt/f$i" bs=1M count=8 status=none
done
(cd "$mnt" && sha256sum f*) > "$scratch/sums"
require sync -f "$mnt"
full=$(data_used)
require rm "$mnt/f1" "$mnt/f2"
require sync -f "$mnt"
ok "fstrim" fstrim "$mnt"
# xfs frees removed files gradually.
gave_back()
{
	[ "$(data_used)" -lt $((full - 200)) ] || { fstrim "$mnt"; false; }
}
ok "the blocks of deleted files are free" wait_until 120 gave_back
ok "the others are there" bash -c \
	"cd '$mnt' && grep -E ' f[34]$' '$scratch/sums' | sha256sum --quiet -c"

require dmsetup load t1 --table "$(thin_table 1 600M)"
suspend_and_resume t1
ok "the file system grows with the volume" xfs_growfs "$mnt"
require dd if=/dev/urandom of="$mnt/f5" bs=1M count=16 status=none
(cd "$mnt" && sha256sum f3 f4 f5) > "$scratch/sums"
require umount "$mnt"
ok "xfs_repair finds nothing" xfs_repair -n /dev/mapper/t1
require mount /dev/mapper/t1 "$mnt"
ok "mounted again: all there" bash -c \
	"cd '$mnt' && sha256sum --quiet -c '$scratch/sums'"
require umount "$mnt"
finish
