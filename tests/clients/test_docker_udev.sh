#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Docker with udev, for which it waits by default, on a pool that it lets LVM make
# (dm.directlvm_device); thinx is installed, and LVM asks for dm-thin-pool.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"
# shellcheck source=udev.sh
. "$(dirname "$0")/udev.sh"

a_client dockerd lvm
data_root /dev/vda
thinx_installed
udev_start

forget_disk()
{
	vgremove -qq -f docker > /dev/null 2>&1
	wipefs -qa /dev/vdb
	rm -rf /run/lvm /etc/docker /etc/lvm/profile/docker-thinpool.profile \
		/etc/lvm/lvmlocal.conf
	[ ! -e "$scratch/lvmlocal.conf" ] ||
		cp -p "$scratch/lvmlocal.conf" /etc/lvm/
}

at_end forget_disk
# Debian's configuration, except for dmeventd, which would keep running.
mkdir -p /etc/lvm
[ ! -e /etc/lvm/lvmlocal.conf ] || cp -p /etc/lvm/lvmlocal.conf "$scratch/"
echo 'activation { monitoring = 0 }' > /etc/lvm/lvmlocal.conf
udev_check=()
dockerd_start dm.directlvm_device=/dev/vdb dm.fs=ext4 dm.basesize=256M
docker_info
pool=$(docker_says "Pool Name")
is "$pool" docker-thinpool "Docker had LVM make a pool"
is "$(docker_says "Udev Sync Supported")" true "and waits for udev"
ok "LVM had thinx loaded" module_is_there dm_thinx_pool
ok "and not dm-thin" dm_thin_is_ours
udev_is_done "a pool"

tiny_image tiny
udev_is_done "an image"
used=$(data_used)
docker_life "$used"
usage_is_back "$used"
META=/dev/mapper/docker-thinpool_tmeta
nothing_is_lost 2
udev_is_done "containers"
ok "dockerd ends" dockerd_stop
udev_is_done "the end"
ok "the pool is removed" vgremove -qq -f docker
udev_is_done "the pool's removal"
is "$(dm_names)" "No devices found" "no device is left"
finish
