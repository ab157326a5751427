#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2 as Debian configures it: udev makes the links, events activate volumes, and
# dmeventd runs; thinx is installed and LVM asks for dm-thin-pool.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"
# shellcheck source=udev.sh
. "$(dirname "$0")/udev.sh"

need dmeventd mkfs.ext4
modprobe -q ext4	# before begin_install hides it
unset LVM_SYSTEM_DIR
# There is no systemd, which would start lvmpolld.
expected="$expected|WARNING: (lvmpolld is not running|Failed to connect to lvmpolld)"
pv=/dev/vda

end_dmeventd()
{
	[ -e /run/dmeventd.pid ] || return 0
	kill -TERM "$(cat /run/dmeventd.pid)"
	wait_until 120 test ! -e /run/dmeventd.pid
}

forget_all()
{
	_lvm_off
	lvremove -qq -f vg > /dev/null 2>&1
	end_dmeventd
	wipefs -qa "$pv"
	rm -rf /run/lvm
}

# linked PATH NAME: udev has made the link, to the device of that name
linked()
{
	[ -L "$1" ] && [ "$(readlink -f "$1")" = "$(readlink -f "/dev/mapper/$2")" ] &&
		[[ " $(udevadm info -q symlink "/dev/mapper/$2") " == *" ${1#/dev/} "* ]]
}

# links_are VOLUME...: the volume group has links to these volumes and no others
links_are()
{
	local v

	for v; do
		ok "there is a link to $v" linked "/dev/vg/$v" "vg-$v"
	done
	is "$(find /dev/vg -type l -printf '%f\n' | sort | tr '\n' ' ')" "$* " \
		"and to nothing else"
}

links_go() { wait_until 60 test ! -e /dev/vg; }
property() { udevadm info -q property --property="$1" --value "$2"; }

thinx_installed
udev_start
at_end forget_all
require wipefs -qa "$pv"
clean "vgcreate" vgcreate -q vg "$pv"
ok "which does not load thinx" module_is_absent dm_thinx_pool
clean "lvcreate makes a pool" lvcreate -q -L 128M -T vg/pool
pool=vg-pool-tpool
ok "LVM had thinx loaded" module_is_there dm_thinx_pool
ok "and not dm-thin" dm_thin_is_ours
like "$(dmsetup table vg-pool)" '^0 262144 thin-pool ' "it is a pool"
udev_is_done "a pool"
thin_volume v1 256M
udev_is_done "a volume"
links_are v1
is "$(lv seg_monitor)" monitored "dmeventd watches it"
ok "a file system" mkfs.ext4 -q /dev/vg/v1
udev_is_done "a file system"
is "$(property ID_FS_TYPE /dev/vg/v1)" ext4 "udev has probed it"
require mkdir "$scratch/mnt"
require mount /dev/vg/v1 "$scratch/mnt"
echo before > "$scratch/mnt/file"

clean "a snapshot" lvcreate -q -s -n s1 vg/v1
udev_is_done "a snapshot"
links_are v1
echo after > "$scratch/mnt/file"
clean "it is activated" lvchange -q -ay -K vg/s1
udev_is_done "its activation"
links_are s1 v1
is "$(property ID_FS_UUID /dev/vg/s1)" "$(property ID_FS_UUID /dev/vg/v1)" \
	"udev has probed it, too"

clean "the mounted volume grows" lvextend -q -r -L 320M vg/v1
clean "so does the pool" lvextend -q -L 192M vg/pool
udev_is_done "growth"
is "$(size_of /dev/vg/v1)" $((320 * 2048)) "the volume has grown"
links_are s1 v1
umount "$scratch/mnt"
figures_agree

clean "the snapshot is merged" lvconvert -q --merge vg/s1
udev_is_done "a merge"
links_are v1
require mount /dev/vg/v1 "$scratch/mnt"
is "$(cat "$scratch/mnt/file")" before "the file is as it was"
umount "$scratch/mnt"

clean "all is deactivated" vgchange -q -an vg
udev_is_done "deactivation"
ok "no link is left" links_go
is "$(dmsetup ls)" "No devices found" "nor a device"
# As when a machine boots: nothing is known, and the disk is found.
end_dmeventd
rm -rf /run/lvm
require rmmod dm_thin_pool dm_thinx_pool
require udevadm trigger --action=add "$pv"
ok "the disk's event activates the volumes" wait_until 240 linked /dev/vg/v1 vg-v1
udev_is_done "activation by an event"
links_are v1
ok "that has loaded thinx" module_is_there dm_thinx_pool
ok "and not dm-thin" dm_thin_is_ours
ok "the file system is whole" e2fsck -fn /dev/vg/v1

clean "the volume is removed" lvremove -q -y vg/v1
udev_is_done "removal"
ok "its link is gone" links_go
clean "the pool is removed" lvremove -q -y vg/pool
udev_is_done "the pool's removal"
is "$(dmsetup ls)" "No devices found" "no device is left"
clean "vgremove" vgremove -q vg
finish
