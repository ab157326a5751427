#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What programs that zero a fresh volume take of the pool.  With -s the same for
# dm-thin, to compare (docs/speed.md).
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

t=/dev/mapper/t1
disk META 16
disk DATA 600
make_pool "$META" "$DATA"
ms() { echo $(($(date +%s%N) / 1000000)); }

# takes MOST WHAT COMMAND...: on a fresh volume of 512 MiB
takes()
{
	local most=$1 what=$2 start

	shift 2
	require msg create_thin 1
	require dmsetup create t1 --table "$(thin_table 1 512M)"
	start=$(ms)
	ok "$what" "$@"
	diag <<< "$what: $(($(ms) - start)) ms, $(data_used) blocks"
	is_thinx && ok "takes $most blocks at most" test "$(data_used)" -le "$most"
	remove t1
	require msg delete 1
	require msg set_transaction_id 0 0
	sleep 2
}

takes 0 "blkdiscard -z" blkdiscard -z $t
if command -v mkfs.ext4 > /dev/null; then
	takes 200 "mkfs.ext4 -E lazy_itable_init=0" \
		mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0,nodiscard $t
fi
if command -v mkfs.xfs > /dev/null; then
	takes 200 "mkfs.xfs -K" mkfs.xfs -q -f -K $t
fi
if command -v qemu-img > /dev/null; then
	require truncate -s 512M "$scratch/image"
	require dd if=/dev/urandom of="$scratch/image" bs=1M seek=100 count=4 \
		conv=notrunc status=none
	takes 64 "qemu-img convert of 4 MiB in 512" \
		qemu-img convert -n -f raw -O raw "$scratch/image" $t
fi
finish
