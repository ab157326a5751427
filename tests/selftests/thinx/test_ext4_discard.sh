#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# ext4 end to end, mounted with discard: files survive, deleting files frees their
# blocks, and a snapshot of the mounted file system can be mounted.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 512M
mnt=$scratch/mnt1
mkdir -p "$mnt" "$scratch/mnt2"
ok "mkfs on a volume larger than the pool" mkfs.ext4 -q -F /dev/mapper/t1
require mount -o discard /dev/mapper/t1 "$mnt"
for i in 1 2 3 4 5 6; do
	require dd if=/dev/urandom of="$mnt/f$i" bs=1M count=8 status=none
done
require cp -r /usr/share/perl5 "$mnt/tree"
(cd "$mnt" && find . -type f -print0 | sort -z | xargs -0 sha256sum) > "$scratch/sums"
require sync -f "$mnt"
full=$(data_used)

snapshot t1 1 2
require rm "$mnt/f1" "$mnt/f2" "$mnt/f3"
require dd if=/dev/urandom of="$mnt/f4" bs=1M count=8 conv=notrunc status=none
require sync -f "$mnt"
require umount "$mnt"
ok "fsck of the origin" e2fsck -fn /dev/mapper/t1
activate s2 2 512M
ok "the snapshot mounts" mount /dev/mapper/s2 "$scratch/mnt2"
ok "and has every file unchanged" \
	bash -c "cd '$scratch/mnt2' && sha256sum --quiet -c '$scratch/sums'"
require umount "$scratch/mnt2"
ok "fsck of the snapshot" e2fsck -fn /dev/mapper/s2
remove s2
require msg delete 2

require mount -o discard /dev/mapper/t1 "$mnt"
ok "the untouched files are there" bash -c "cd '$mnt' &&
	grep -E '/f5$|/f6$|/tree/' '$scratch/sums' | sha256sum --quiet -c"
require rm -r "$mnt/f5" "$mnt/f6"
require sync -f "$mnt"
gave_back() { [ "$(data_used)" -lt $((full - 400)) ]; }
ok "the blocks of deleted files are free" wait_until 120 gave_back
require umount "$mnt"
ok "fsck" e2fsck -fn /dev/mapper/t1
remove t1 pool
make_pool "$META" "$DATA"
activate t1 1 512M
require mount /dev/mapper/t1 "$mnt"
ok "the files are there after setting up again" bash -c "cd '$mnt' &&
	grep /tree/ '$scratch/sums' | sha256sum --quiet -c"
require umount "$mnt"
finish
