#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Power fails three times while Docker makes and removes images and containers: data
# root, metadata and data are on one disk, which is frozen at that moment, whatever is
# going on above it, and copied.  On each copy the metadata is sound and Docker's
# earlier devices are in the pool; on the last one dockerd comes up with images and
# containers whole.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd blkdiscard
storage=(dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=256M)

# cut_power N: copy what is on the disk at this moment to the Nth place on /dev/vdb
cut_power()
{
	require dmsetup suspend --noflush --nolockfs disk
	require dd if=/dev/vda of=/dev/vdb bs=4M count=160 seek=$(($1 * 160)) \
		conv=sparse,notrunc iflag=direct oflag=direct status=none
	require dmsetup resume disk
}

require blkdiscard -f -z /dev/vda
require blkdiscard -f -z /dev/vdb
lay_out /dev/vda 0
start_pool
data_root /dev/mapper/root
dockerd_start "${storage[@]}"
tiny_image tiny
require docker run --name kept "${basic[@]}" tiny sh -c "$keeps"
require docker commit kept two

docker_works
for i in 0 1 2; do
	[ $i -lt 2 ] || require wait_until 600 \
		grep -q '^made1 is there' "$scratch/out"
	sleep $((RANDOM % 5)).$((RANDOM % 10))
	cut_power $i
done
ok "Docker is still busy" running "$worker"
stop "$worker"
ok "dockerd is killed" dockerd_kill
remove_containers
take_down

for i in 0 1 2; do
	lay_out /dev/vdb $((i * one_disk))
	ok "cut $i: the metadata is sound" thin_check -q /dev/mapper/meta
	mount_root /dev/mapper/root
	lasting_are "cut $i: Docker has recorded its devices" noted_devices
	lasting_are "cut $i: and they are in the pool" pool_devices
	[ "$(wc -l < "$root/lasting")" -ge 3 ]
	_result $? "cut $i: there are several"
	start_pool
	[ $i = 2 ] || take_down
done
rm -rf /run/docker /run/containerd
comes_up dockerd_run "dockerd starts"
like "$(status pool)" ' rw ' "the pool is in order"
ok "the image is whole" run_in two sh -c "$whole"
ok "so is the container, which can run again" docker start -a kept
bad=0
for i in $(docker images -f dangling=false --format '{{.Repository}}' | grep made); do
	run_in "$i" true || bad=$((bad + 1))
done
is $bad 0 "every image made before the failure can be used"
# shellcheck disable=SC2046 # words
ok "all containers can be removed" docker rm -f $(docker ps -aq)
ok "and all images" remove_images
ok "dockerd ends" dockerd_stop
remove pool
ok "the metadata is sound at the end" thin_check -q /dev/mapper/meta
umount_root
remove root meta data
remove disk
finish
