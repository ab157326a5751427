#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# containerd is stopped or killed and started again with containers running, once
# with the pool removed in between: images and snapshots are there again.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client containerd blkdiscard
data_root /dev/vda
disk META 16
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
containerd_start 'base_image_size = "64MB"' 'discard_blocks = true'
image=docker.io/library/tiny:latest
tiny_archive "$scratch/tiny.tar" $image
require ctr images import "${snap[@]}" "$scratch/tiny.tar"
require ctr_run -d --null-io $image c1 \
	sh -c "$fill && sync && sleep 900"
require wait_until 180 ctr tasks exec --exec-id a c1 sh -c "$whole"

ok "containerd ends" containerd_stop
like "$(dm_names)" 'pool-snap-' "the container's device stays"
comes_up containerd_run "containerd starts again"
c1_runs() { ctr tasks ls | grep -E 'c1 +[0-9]+ +RUNNING'; }
ok "the container still runs" wait_until 120 c1_runs
ok "on the same files" ctr tasks exec --exec-id b c1 sh -c "$whole"
is "$(ctr_run --rm $image c2 cat /etc/name)" tiny \
	"the image can be used"
ok "its container leaves nothing" wait_until 120 volumes_are 2

ok "containerd and the container are killed" containerd_kill
umount_run()
{
	local at

	for at in $(awk '$2 ~ "^/run/containerd" { print $2 }' /proc/mounts | tac); do
		umount "$at" || return 1
	done
}
require wait_until 120 umount_run
device=$(dm_names | grep -v '^pool$')
remove "$device"
remove pool
make_pool "$META" "$DATA" skip_block_zeroing
rm -rf /run/containerd
comes_up containerd_run "containerd starts on the pool set up again"
ok "and has activated the container's device" dmsetup info "$device"
require mkdir "$scratch/at"
require mount "/dev/mapper/$device" "$scratch/at"
ok "the container's files are whole" sh -c \
	"cd $scratch/at && sed 's,/big,big,' sum | sha256sum -c && grep new etc/name"
require umount "$scratch/at"
is "$(ctr_run --rm $image c3 cat /etc/name)" tiny \
	"the image can still be used"
ctr tasks rm -f c1 > /dev/null 2>&1
ok "the container is removed" ctr containers rm c1
ok "its device is removed" wait_until 120 sh -c "! dmsetup info '$device'"
ok "the image is all that is left" wait_until 120 volumes_are 1
is "$(data_used)" "$(mapped_blocks "$META")" "every used block is the image's"
ok "containerd ends" containerd_stop
finish
