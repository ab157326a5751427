#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: data, metadata and volumes are extended while a volume is written; what is
# written meanwhile is verified afterwards.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 768
volume_group "$PV1"
thin_pool 64M
thin_volume v1 256M
thin_volume v2 32M
require blockio write /dev/vg/v1 0 8M 1

# Again and again, verifying each time.
busy writer --filename=/dev/vg/v1 --direct=1 --ioengine=libaio --iodepth=4 \
	--rw=randwrite --bs=16k --offset=8M --size=16M --rate=8m \
	--verify=crc32c --verify_fatal=1 --do_verify=1
writer=$spawned
require wait_until 240 loaded vg-v1
clean "the pool's data is extended" lvextend -q -L 128M vg/pool
is "$(dmsetup status $pool | sed 's,.* [0-9]*/\([0-9]*\) - .*,\1,')" 2048 \
	"the kernel's pool has grown"
ok "the writer still runs" running "$writer"
clean "the pool's metadata is extended" \
	lvextend -q --poolmetadatasize +8M vg/pool
like "$(dmsetup status $pool | awk '{ print $5 }')" '/4096$' \
	"the kernel's metadata has grown"
ok "the writer still runs" running "$writer"
clean "both at once" lvextend -q -L +64M --poolmetadatasize +4M vg/pool
clean "the volume is extended" lvextend -q -L 512M vg/v1
is "$(size_of /dev/vg/v1)" 1048576 "it is"
calm
wait "$writer"
is $? 0 "all data written meanwhile is right"
tail -n 5 "$scratch/writer" | diag
ok "and that written before" blockio verify /dev/vg/v1 0 8M 1
ok "the end of the volume can be written" blockio write /dev/vg/v1 500M 12M 2
ok "more than the old pool could hold" blockio write /dev/vg/v1 64M 100M 3
figures_agree

# With a file system in it.
require mkfs.ext4 -q /dev/vg/v2
mkdir -p "$scratch/mnt"
require mount /dev/vg/v2 "$scratch/mnt"
require dd if=/dev/urandom of="$scratch/mnt/a" bs=1M count=10
sum=$(sha256sum < "$scratch/mnt/a")
clean "the file system is extended with its volume" \
	lvextend -q -r -L 64M vg/v2
like "$(df --output=size -m "$scratch/mnt" | tail -n 1)" '^ *[56]' \
	"it has more space"
is "$(sha256sum < "$scratch/mnt/a")" "$sum" "the file did not change"
ok "unmounted" umount "$scratch/mnt"
ok "the file system is sound" e2fsck -fn /dev/vg/v2

refused "a pool cannot shrink" "[Cc]annot|can.t|not" \
	lvreduce -q -y -L 64M vg/pool
clean "a volume can" lvreduce -q -y -L 256M vg/v1
is "$(size_of /dev/vg/v1)" 524288 "it did"
ok "data" blockio verify /dev/vg/v1 64M 100M 3
figures_agree
metadata_sound
clean "all is activated" vgchange -q -ay vg
ok "data" blockio verify /dev/vg/v1 64M 100M 3
ok "data" blockio verify /dev/vg/v1 0 8M 1
finish
