#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# I/O of a control group is charged to it on the data device as well, also if it is
# submitted in pieces or by another thread: to scattered blocks, to new blocks, to
# shared ones.  So are the zeros around it; copying is charged to no group.  The
# volume counts each request once.
#
# In older stable kernels dm_submit_bio_remap() ignores the group: this fails there,
# for dm-thin as well.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

groups=$scratch/groups
require mkdir "$groups"
mount -t cgroup2 cgroup2 "$groups" 2>/dev/null || skip_all "no control groups"
at_end umount "$groups"
grep -qw io "$groups/cgroup.controllers" || skip_all "no io controller"
echo +io > "$groups/cgroup.subtree_control" || bail "no io controller for groups"
group=$groups/tenant
require mkdir "$group"
at_end rmdir "$group"

disk META 8
disk DATA 128
format_scattered "$META" "$DATA" 512
make_pool "$META" "$DATA"
activate t1 1 32M
make_thin t2 2 32M
of_data=$(major_minor "$DATA")

# charged rbytes|wbytes: what was charged to the group on the data device so far
charged()
{
	awk -v dev="$of_data" -v what="$1" '
		$1 == dev { for (i = 2; i <= NF; i++)
				if (split($i, f, "=") && f[1] == what) n = f[2] }
		END { print n + 0 }' "$group/io.stat"
}
in_group() { bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$group" "$@"; }
# is_charged rbytes|wbytes BYTES DESCRIPTION VOLUME COMMAND...: that, and none of the
# other kind
is_charged()
{
	local what=$1 bytes=$2 name=$3 volume=$4 other=rbytes before before_other

	[ "$what" != rbytes ] || other=wbytes
	shift 4
	before=$(charged "$what")
	before_other=$(charged $other)
	require in_group "$@"
	is "$(($(charged "$what") - before)) $(($(charged $other) - before_other))" \
		"$bytes 0" "$name"
	is "$(xargs < "/sys/dev/block/$(major_minor "/dev/mapper/$volume")/inflight")" \
		"0 0" "nothing is in flight"
}
mib=$((1 << 20))
direct() { echo dd if=/dev/zero "of=/dev/mapper/$1" bs="$2" oflag=direct conv=notrunc status=none "${@:3}"; }
queued() { echo fio --name=u --filename="/dev/mapper/$1" --direct=1 --ioengine=io_uring --output="$scratch/fio" "${@:2}"; }

# shellcheck disable=SC2046
{
	is_charged wbytes $((8 * mib)) "writes of whole new blocks" t2 \
		$(direct t2 1M count=8)
	is_charged wbytes $((8 * mib)) "overwriting them" t2 $(direct t2 1M count=8)
	is_charged rbytes $((8 * mib)) "reads of scattered blocks" t1 \
		dd if=/dev/mapper/t1 of=/dev/null bs=1M count=8 iflag=direct status=none
	is_charged rbytes $((8 * mib)) "reads that must not wait" t1 \
		$(queued t1 --rw=read --bs=1M --size=8M)
	is_charged wbytes $((8 * mib)) "writes that must not wait" t1 \
		$(queued t1 --rw=write --bs=1M --size=8M)
	! is_thinx || is_charged wbytes 65536 "a part of a new block" t2 \
		$(direct t2 4k count=1 seek=4097)
	snapshot t1 1 3
	is_charged wbytes $((8 * mib)) "writes of whole shared blocks" t1 \
		$(direct t1 1M count=8)
	# First inside each block, which copies it; then across two, in two pieces.
	is_charged wbytes $((64 * 4096)) "writes of parts of shared blocks" t1 \
		$(queued t1 --rw=write:60k --bs=4k --offset=8224k --size=4M)
	is_charged wbytes $((32 * 8192)) "writes across two of them" t1 \
		$(queued t1 --rw=write:120k --bs=8k --offset=12348k --size=4M)
}
remove t1 t2 pool
finish
