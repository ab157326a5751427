#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The part of the endurance test in the virtual machine; run.sh has the rest.
#
#   guest.sh SECONDS SEED       data device /dev/vda, metadata /dev/vdb
#
# $ENDURANCE_DISK: "loop" or "nbd" if these devices have to be made.

set -u
cd "$(dirname "$0")/../.." || exit 1
: "${VM_RESULTS:?only in a virtual machine}"

if [ "${THIN:-thinx}" = thinx ]; then
	module=dm_thinx_pool
	for m in dm-mod dm-bufio libcrc32c; do
		modprobe -q "$m"
	done
	insmod "${THINX_MODULE:?}" || exit 1
else
	module=dm_thin_pool
	modprobe dm-thin-pool || exit 1
fi
echo 240 > /proc/sys/kernel/hung_task_timeout_secs 2> /dev/null
# native_disk N NAME IMAGE
native_disk()
{
	case ${ENDURANCE_DISK:-} in
	loop) losetup "/dev/loop$1" "$3" && ln -s "loop$1" "/dev/$2" ;;
	nbd) build/endurance/file-disk "/dev/nbd$1" "$3" && ln -s "nbd$1" "/dev/$2" ;;
	esac
}

[ "${ENDURANCE_DISK:-}" != nbd ] || modprobe nbd max_part=0 nbds_max=2 || exit 1
native_disk 0 vda "$VM_RESULTS/data" && native_disk 1 vdb "$VM_RESULTS/meta" ||
	exit 1
mkdir -p "$VM_RESULTS/state"
: > "$VM_RESULTS/armed"
rm -f "$VM_RESULTS/state/failed"
build/endurance/endurance "$VM_RESULTS/state" /dev/vda /dev/vdb "$1" "$2" &
# After a failure it may be unable to exit because its I/O hangs.
while kill -0 $! 2> /dev/null; do
	[ ! -e "$VM_RESULTS/state/failed" ] || exit 1
	sleep 0.2
done
wait $! && rmmod "$module"
