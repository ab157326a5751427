#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Docker's devicemapper driver with its defaults: the pool is on two loop devices that
# it makes itself.  Images, containers, commits; the space of what is removed is given
# back to the file system below the loop files.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd
data_root /dev/vda
dockerd_start dm.fs=ext4 dm.basesize=256M dm.loopdatasize=1G \
	dm.loopmetadatasize=32M
docker_info
pool=$(docker_says "Pool Name")
files=$root/docker/devicemapper/devicemapper

is "$(head -n 1 "$scratch/info")" devicemapper "Docker uses devicemapper"
like "$pool" '^docker-[0-9]+:[0-9]+-[0-9]+-pool$' "and made a pool"
is "$(docker_says "Data file")" "$(losetup -nO NAME -j "$files/data")" \
	"its data is on a loop device"
like "$(dmsetup table "$pool")" \
	'^0 2097152 thin-pool 7:[0-9]+ 7:[0-9]+ 128 32768 1 skip_block_zeroing' \
	"with the table Docker always uses"
like "$(status "$pool")" '^0 2097152 thin-pool [0-9]+ [0-9]+/8192 [0-9]+/16384 - rw ' \
	"and is in order"

tiny_image tiny
META=$(losetup -nO NAME -j "$files/metadata")
used=$(data_used)
is "$(volumes "$META")" 2 "there are the base and the image"
docker_life "$used"
usage_is_back "$used"
nothing_is_lost 2

# A device is discarded as a whole before it is deleted.
used=$(data_used)
ok "a container writes 48 MiB" docker run --name big "${basic[@]}" tiny \
	dd if=/dev/urandom of=/big bs=1M count=48 conv=fsync
sync
before=$(du -k "$files/data" | cut -f1)
ok "it is removed" docker rm big
space() { du -k "$files/data" | cut -f1; }
given_back() { [ $((before - $(space))) -ge $((40 * 1024)) ]; }
ok "the loop file has given the space back" wait_until 120 given_back ||
	echo "$before KiB before, $(space) KiB after" | diag
ok "the image is removed" docker rmi tiny
[ "$(data_used)" -lt "$used" ]
_result $? "its blocks are free"
nothing_is_lost 1
ok "dockerd ends" dockerd_stop
is "$(dm_names)" "No devices found" "and removes the pool"
ok "thin_check finds the loop file sound" thin_check -q "$files/metadata"
finish
