#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Docker through a power failure: a machine is killed from outside while Docker
# makes and removes images and containers on its one disk.  Another machine boots
# with that disk, activates the pool, starts dockerd and checks everything.
#
#   tests/clients/docker-reboot.sh [KERNEL]      6.1, 6.12; default: that of this
#                                                Debian
#
# If this Debian's Docker has no driver for thin pools any more, that of Debian 12 is
# used.
#
# Prints TAP.  This same file runs in the machines, with "before" or "after" as its
# argument.

storage=(dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=256M)

before()
{
	lay_out /dev/vda 0
	start_pool
	data_root /dev/mapper/root
	dockerd_start "${storage[@]}"
	tiny_image tiny
	require docker run --name kept "${basic[@]}" tiny sh -c "$keeps"
	require docker commit kept two
	docker_works
	require wait_until 600 grep -q '^made1 is there' "$scratch/out"
	_never_stock
	touch "$VM_RESULTS/armed"
	wait_until 900 false
	bail "the machine is killed"
}

after()
{
	local i bad=0

	lay_out /dev/vda 0
	at_end rm -rf /run/docker /run/containerd
	ok "the metadata is sound" thin_check -q /dev/mapper/meta
	mount_root /dev/mapper/root
	at_end umount_root
	lasting_are "Docker has recorded its devices" noted_devices
	lasting_are "and they are in the pool" pool_devices
	start_pool
	dockerd_start "${storage[@]}"
	like "$(status pool)" ' rw ' "the pool is in order"
	ok "the image is whole" run_in two sh -c "$whole"
	ok "so is the container, which can run again" docker start -a kept
	for i in $(docker images --format '{{.Repository}}' | grep made); do
		run_in "$i" true || bad=$((bad + 1))
	done
	is $bad 0 "every image made before the failure can be used"
	# shellcheck disable=SC2046 # words
	ok "all containers can be removed" docker rm -f $(docker ps -aq)
	ok "and all images" remove_images
	ok "dockerd ends" dockerd_stop
	remove pool
	ok "the metadata is sound at the end" thin_check -q /dev/mapper/meta
	finish
}

in_machine()
{
	# shellcheck source=docker.sh
	. "$(dirname "$0")/docker.sh"
	a_client dockerd
	"$1"
}

# machine SECONDS-TO-LIVE PHASE
machine()
{
	scripts/vm.sh -k "$kernel" -t 1500 -r "$out/$2" -D "$out/disk" -m 3072 -w \
		${1:+-K "$1"} ${tree:+-R "$tree"} -- env "THINX_MODULE=$module" \
		tests/clients/docker-reboot.sh "$2" \
		> "$out/$2.tap" 2> "$out/$2.err"
}

from_outside()
{
	local r n

	cd "$(dirname "$0")/../.." || exit 1
	# shellcheck source=../../scripts/kernels.sh
	. scripts/kernels.sh
	kernel=${1:-$kernel_default}
	out=$PWD/build/docker-reboot-$kernel-$$
	mkdir -p "$out"
	trap 'rm -f "$out/disk"' EXIT
	tree=
	if [ "$thinx_debian" = bookworm ]; then
		scripts/deps.sh --clients > /dev/null || exit 1
	else
		tree=$(scripts/deps.sh --tree bookworm) || exit 1
	fi
	module=$(scripts/module.sh -k "$kernel") || exit 1
	truncate -s 1G "$out/disk"
	machine $((RANDOM % 12 + 2)).$((RANDOM % 10)) before
	r=$?
	if [ $r -ne 137 ] || grep -q '^not ok' "$out/before.tap" ||
	   ! grep -q "^ok .* dm-thin's own module was never loaded" "$out/before.tap"; then
		sed 's/^/# /' "$out/before.tap" "$out/before.err"
		echo "not ok 1 - the machine dies while Docker is busy"
		echo 1..1
		exit 1
	fi
	machine "" after
	r=$?
	grep -v '^1\.\.' "$out/after.tap"
	n=$(($(grep -cE '^(not )?ok ' "$out/after.tap") + 1))
	if [ $r -ne 0 ]; then
		sed 's/^/# /' "$out/after.err"
		echo -n "not "
	fi
	echo "ok $n - the second machine succeeds"
	echo "1..$n"
	[ $r -ne 0 ] || rm -rf "$out"
	exit $r
}

case ${1:-} in
before|after) in_machine "$1" ;;
*) from_outside "$@" ;;
esac
