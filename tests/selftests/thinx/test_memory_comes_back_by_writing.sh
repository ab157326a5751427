#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Little memory is left, and it can only be had by writing to new blocks of a volume:
# dirty pages of a file system, and of programs whose swap is a fresh volume.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

modprobe brd rd_nr=1 rd_size=$((8 << 20)) > /dev/null 2>&1
[ -b /dev/ram0 ] || skip_all "no RAM disk, with which memory is taken"
DATA=/dev/vda
[ -b $DATA ] || skip_all "no disk $DATA: a file here would be in memory"
rest=160
disk META 16
pool_sectors=$((16384 * 128))
make_pool "$META" $DATA
make_thin t1 1 512M
make_thin t2 2 512M
require mkfs.ext4 -q /dev/mapper/t1
mkdir -p "$scratch/mnt"
require mount /dev/mapper/t1 "$scratch/mnt"
at_end umount -q "$scratch/mnt"

# available: MiB
available() { awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }

# What is on a RAM disk cannot be reclaimed.
sync
echo 3 > /proc/sys/vm/drop_caches
require dd if=/dev/zero of=/dev/ram0 bs=1M count=$(($(available) - rest)) \
	oflag=direct status=none
echo "# $(available) MiB are left"

ok "more dirty pages than memory" timeout 300 \
	dd if=/dev/urandom of="$scratch/mnt/f" bs=1M count=$((rest * 2)) status=none
sum=$(sha256sum < "$scratch/mnt/f")
ok "are written" timeout 300 sync "$scratch/mnt/f"
echo 3 > /proc/sys/vm/drop_caches
is "$(sha256sum < "$scratch/mnt/f")" "$sum" "and are there"

if [ -e /proc/swaps ]; then
	require mkswap -q /dev/mapper/t2
	require swapon /dev/mapper/t2
	at_end swapoff /dev/mapper/t2
	cat > "$scratch/hog" << 'EOF'
import sys
n = int(sys.argv[1]) << 8
pages = bytearray(n * 4096)
for turn in range(2):
    for i in range(n):
        pages[i * 4096:i * 4096 + 8] = (i ^ turn).to_bytes(8, "little")
    for i in range(n):
        if int.from_bytes(pages[i * 4096:i * 4096 + 8], "little") != i ^ turn:
            sys.exit("page %d is another one" % i)
EOF
	ok "a program with more memory than there is runs" \
		timeout 500 python3 "$scratch/hog" $((rest * 2))
	like "$(status t2 | awk '{ print $4 }')" "[0-9]{5}" "in new blocks"
	swapoff /dev/mapper/t2
else
	echo "# skip: this kernel knows no swap"
fi
umount "$scratch/mnt"
remove t1 t2 pool
modprobe -r brd
blkdiscard $DATA
finish
