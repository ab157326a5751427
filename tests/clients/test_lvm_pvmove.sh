#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: pvmove moves data and metadata of a pool to another disk while its volumes
# are written.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

modprobe -q dm-mirror
disk PV1 256
disk PV2 256
volume_group "$PV1" "$PV2"
clean "a volume for the data" lvcreate -q -y -W n -L 96M -n pool vg "$PV1"
clean "and one for the metadata" lvcreate -q -y -W n -L 8M -n meta vg "$PV1"
clean "the two become a pool" lvconvert -q -y -c 64k --type thin-pool \
	--poolmetadata vg/meta vg/pool
pool=vg-pool-tpool
thin_volume v1 64M
thin_volume v2 64M
require blockio write /dev/vg/v1 0 16M 1
clean "a snapshot" lvcreate -q -s -kn -n s1 vg/v1
busy writer --filename=/dev/vg/v2 --direct=1 --ioengine=libaio --iodepth=4 \
	--rw=randwrite --bs=16k --size=16M --rate=8m --verify=crc32c \
	--verify_fatal=1 --do_verify=1
writer=$spawned
require wait_until 240 loaded vg-v2
ok "pvmove" timeout -k 5 600 pvmove -q -i 1 "$PV1" "$PV2"
ok "the writer still runs" running "$writer"
calm
is "$(lvs --noheadings -a -o devices vg | grep -c "$PV1")" 0 \
	"nothing is on the old disk"
ok "data" blockio verify /dev/vg/v1 0 16M 1
ok "a shared block is written" blockio write /dev/vg/v1 1M 1M 2
wait "$writer"
is $? 0 "all data written meanwhile is right"
tail -n 5 "$scratch/writer" | diag
clean "the old disk is removed" vgreduce -q vg "$PV1"
ok "snapshot" blockio verify /dev/vg/s1 0 16M 1
figures_agree
metadata_sound
clean "all is activated" vgchange -q -ay vg
ok "data" blockio verify /dev/vg/v1 1M 1M 2
ok "data" blockio verify /dev/vg/v1 2M 14M 1
finish
