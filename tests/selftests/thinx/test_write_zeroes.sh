#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Zeros written to a volume (blkdiscard -z, fallocate): holes stay holes, blocks of its
# own are zeroed where they are or, by a punched hole, unmapped; those shared with a
# snapshot become holes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin writes pages of zeros"
t=/dev/mapper/t1
mapped() { status "$1" | awk '{ print $4 / 128 }'; }
punch() { fallocate -p -o "$2" -l "$3" "$1"; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# Everything that does not depend on what the data device can do.
# operations DATA [FEATURE...]
operations()
{
	local punched=0 alike=15 start base

	blank "$META"
	require blockio write "$1" 0 20M 99
	make_pool "$META" "$@"
	make_thin t1 1 1G
	is "$(queue $t write_zeroes_max_bytes)" 1073741824 "1 GiB at once"
	base=$(ms)
	require blockio read $t 0 4k
	base=$(($(ms) - base))
	start=$(ms)
	ok "a fresh GiB" blockio zeroout $t 0 1G
	start=$(($(ms) - start))
	diag <<< "a fresh GiB took $start ms, a read $base"
	ok "is done without writing" test $start -lt $((base + 2000))
	is "$(data_used)" 0 "takes no block"
	ok "again, by now known to be holes" blockio zeroout $t 0 1G
	ok "with holes punched" punch $t 0 1G
	ok "less than a block" blockio zeroout $t 512 3584
	is "$(data_used)" 0 "no block"

	# Blocks of its own.
	require blockio write $t 1M 8M 1
	is "$(data_used)" 128 "8 MiB are mapped"
	ok "zero 2 MiB of them, ragged" blockio zeroout $t 2050k 2044k
	ok "before" blockio verify $t 1M 1026k 1
	ok "zeros" blockio zeros $t 2050k 2044k
	ok "behind" blockio verify $t 4094k 5122k 1
	is "$(data_used)" 128 "they stay mapped"
	ok "punch 2 MiB of them, ragged" punch $t 5122k 2044k
	ok "before" blockio verify $t 4094k 1028k 1
	ok "zeros" blockio zeros $t 5122k 2044k
	ok "behind" blockio verify $t 7166k 2050k 1
	[[ " $* " == *" ignore_discard "* ]] || { punched=30; alike=16; }
	is "$(data_used)" $((128 - punched)) "whole blocks are unmapped, but with ignore_discard"
	ok "over all that and holes around" blockio zeroout $t 0 16M
	ok "zeros" blockio zeros $t 0 16M
	is "$(data_used)" $((128 - punched)) "what was mapped still is"
	ok "a sector" env BLOCKIO_SIZE=512 blockio write $t 3M 512 2
	ok "zeros in the same block" blockio zeroout $t 3146240 1536
	ok "leave it" env BLOCKIO_SIZE=512 blockio verify $t 3M 512 2

	# Shared blocks.
	require blockio write $t 32M 4M 3
	require blockio sync $t
	snapshot t1 1 2
	activate s 2 1G
	used=$(data_used)
	ok "zero 2 MiB that are shared, ragged" blockio zeroout $t 33730k 1980k
	ok "before" blockio verify $t 32M 962k 3
	ok "zeros" blockio zeros $t 33730k 1980k
	ok "behind" blockio verify $t 35710k 1154k 3
	ok "the snapshot has them" blockio verify /dev/mapper/s 32M 4M 3
	is "$(data_used)" $((used + 2)) "only the ragged ends take blocks"
	ok "punch some in the snapshot" punch /dev/mapper/s 32M 1M
	ok "zeros there" blockio zeros /dev/mapper/s 32M 1M
	ok "the volume has its own" blockio verify $t 32M 962k 3
	is "$(mapped s)" $((128 - punched + 64 - alike)) \
		"the snapshot maps less"
	ok "write where it was zeroed" blockio write $t 34M 1M 4
	ok "there" blockio verify $t 34M 1M 4
	ok "not in the snapshot" blockio verify /dev/mapper/s 34M 1M 3
	remove s
	require msg delete 2
	ok "zero what only looks shared" blockio zeroout $t 32M 1M
	ok "zeros" blockio zeros $t 32M 1M
	# All of that is durable.
	require blockio sync $t
	remove t1 pool
	make_pool "$META" "$@"
	activate t1 1 1G
	ok "zeros after all was set up again" blockio zeros $t 0 3M
	ok "and there" blockio zeros $t 32M 2M
	ok "data, too" blockio verify $t 34M 1M 4
	remove t1 pool
	ok "the metadata are sound" thin_check -q "$META"
}

disk META 16
disk DATA 256
ok "the data device writes zeros by itself" test "$(queue "$DATA" write_zeroes_max_bytes)" -gt 0
operations "$DATA"

# Where a write to a part of a block shows what was there before, a hole would not do.
blank "$META"
require blockio write "$DATA" 0 20M 99
make_pool "$META" "$DATA" skip_block_zeroing
make_thin t1 1 1G
is "$(queue $t write_zeroes_max_bytes)" 0 "without zeroing, no such requests"
ok "zeros are written all the same" blockio zeroout $t 0 1M
is "$(data_used)" 16 "to blocks"
ok "then a part of one" blockio write $t 68k 4k 7
ok "zeros before it" blockio zeros $t 0 68k
ok "zeros behind it" blockio zeros $t 72k 952k
fails "no hole can be punched" unsupported punch $t 0 1M
reload_pool "$META" "$DATA"
suspend_and_resume t1
is "$(queue $t write_zeroes_max_bytes)" 1073741824 "with zeroing again, requests"
ok "which leave holes" blockio zeroout $t 2M 1M
is "$(data_used)" 16 "and take nothing"
remove t1 pool

operations "$DATA" no_discard_passdown
operations "$DATA" ignore_discard

# A device that cannot: on top of brd the volume still can.
if modprobe brd rd_nr=1 rd_size=262144 2>/dev/null && [ -b /dev/ram0 ]; then
	at_end rmmod brd
	is "$(queue /dev/ram0 write_zeroes_max_bytes)" 0 "a device that cannot write zeros"
	operations /dev/ram0
else
	bail "no brd"
fi

# A device that says it can, and refuses.
at_end disk_gone OTHER
disk OTHER 256
echo 0 > "/sys/dev/block/$(major_minor "$OTHER")/queue/discard_max_bytes" || bail "no discards"
ok "a device says that it can" test "$(queue "$OTHER" write_zeroes_max_bytes)" -gt 0
operations "$OTHER"
finish
