# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# With udev, and with thinx and the drop-in installed, as on real machines.  After
# lib.sh, lvm.sh or docker.sh:
#
#   thinx_installed                     # but not loaded yet
#   udev_start                          # stopped at the end
#   udev_is_done "..."                  # no event and no waiting for one is left
#
# shellcheck source=../selftests/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/../selftests/install.sh"

thinx_installed()
{
	begin_install
	install_thinx install-drop-in
	rm -f /etc/modprobe.d/thinx-drop-in.conf
	ok "thinx is not loaded" module_is_absent dm_thinx_pool
	ok "nor is dm-thin" module_is_absent dm_thin_pool
}

udevd=/lib/systemd/systemd-udevd
udevd_pid=

udev_start()
{
	need "$udevd" udevadm
	at_end udev_stop
	spawn_out=$scratch/udevd.out spawn "$udevd"
	udevd_pid=$spawned
	wait_until 120 test -S /run/udev/control || bail "udevd starts"
	unset DM_DISABLE_UDEV
	require udevadm trigger --action=add --subsystem-match=block
	require udevadm settle --timeout=240
}

# From then on device-mapper's tools make the nodes again.
udev_stop()
{
	udevadm settle --timeout=240
	export DM_DISABLE_UDEV=1
	kill -TERM "$udevd_pid"
	wait_until 120 stopped "$udevd_pid"
	rm -rf /run/udev
	[ "$_failures" -eq 0 ] || tail -n 20 "$scratch/udevd.out" | diag
}

# udev_is_done DESCRIPTION: a cookie is a semaphore on which a command waits until udev
# has handled the event with its number
udev_is_done()
{
	ok "$1: udev has handled all events" udevadm settle --timeout=240
	is "$(dmsetup udevcookies | grep -v '^Cookie'
		ipcs -s | grep -i '^0x0d4d')" "" "$1: no cookie is left"
}
