#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Docker on a pool made for it (dm.thinpooldev), with xfs in the volumes and deferred
# removal and deletion, as its documentation recommends.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd mkfs.xfs
data_root /dev/vda
disk META 16
low=100 make_pool "$META" /dev/vdb skip_block_zeroing
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=xfs dm.basesize=320M \
	dm.use_deferred_removal=true dm.use_deferred_deletion=true
docker_info
is "$(docker_says "Pool Name")" pool "Docker uses the pool"
is "$(docker_says "Backing Filesystem")" xfs "and xfs"
is "$(docker_says "Deferred Removal Enabled")" true "and deferred removal"
is "$(docker_says "Deferred Deletion Enabled")" true "and deferred deletion"

tiny_image tiny
used=$(data_used)
is "$(volumes "$META")" 2 "there are the base and the image"

# A file kept open from outside keeps the device busy.
ok "a container runs" docker run -d --name busy "${basic[@]}" tiny sleep 600
pid=$(docker inspect -f '{{.State.Pid}}' busy)
exec {held}< "/proc/$pid/root/etc/name"
device=$(dm_names | grep -v '^pool$')
ok "it is removed while its device is busy" docker rm -f busy
like "$(dmsetup info "$device")" 'Open count: +[1-9]' "the device is still open"
exec {held}<&-
ok "the device is removed when it is closed" wait_until 240 \
	sh -c "! dmsetup info '$device'"

# Docker retries deferred deletions twice a minute.
docker_life "$used"
nothing_is_lost 2
usage_is_back "$used"
ok "dockerd ends" dockerd_stop
is "$(dm_names)" pool "the pool stays"
finish
