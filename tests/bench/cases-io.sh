# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# Copyright (C) 2026 The thinx authors.
#
# Sourced by guest.sh: requests to mapped blocks, holes, new blocks and shared blocks.

mapped_volume() { unzeroed; map vol; }

# still BLOCKS: check that the volume has that many mapped blocks
still() { is_linear || check "mapped blocks" "$(mapped vol)" "$1"; }
all_mapped() { still "$(blocks_of vol)"; }

case_read4k() { mapped_volume; fio_rate rate --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"; all_mapped; }
case_write4k() { mapped_volume; fio_rate rate --rw=randwrite --bs=4k "${libaio[@]}" "${timed[@]}"; all_mapped; }
case_uring_read4k() { mapped_volume; fio_rate rate --rw=randread --bs=4k "${uring[@]}" "${timed[@]}"; all_mapped; }
case_uring_write4k() { mapped_volume; fio_rate rate --rw=randwrite --bs=4k "${uring[@]}" "${timed[@]}"; all_mapped; }
case_seqread1m() { mapped_volume; fio_rate rate --rw=read --bs=1m --ioengine=libaio --iodepth=4 "${timed[@]}"; all_mapped; }
case_fsync4k() { mapped_volume; fio_rate rate --rw=randwrite --bs=4k --ioengine=sync --fsync=1 "${timed[@]}"; all_mapped; }
case_hole_read4k() { unzeroed; fio_rate rate --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"; still 0; }

# Provisioning ends when everything is mapped: bounded by size, not by time.
case_provision_seq1m()
{
	unzeroed
	fio_rate rate --rw=write --bs=1m --ioengine=libaio --iodepth=4
	all_mapped
}

# As many requests as there are blocks, at random: a share of e^-1 stays unmapped.
provision_random()
{
	fio_rate rate --rw=randwrite --bs=4k "${libaio[@]}" \
		--io_size=$((volume_mib / 16))m
	is_linear || check_least "mapped blocks" "$(mapped vol)" \
		$((volume_mib * 16 * 60 / 100))
}
case_provision_rand4k() { unzeroed; provision_random; }
case_provision_rand4k_zero() { setup; provision_random; }

# Each request needs a new block.
case_fsync_new4k()
{
	local n=4000

	unzeroed
	fio_rate rate --rw=write:60k --bs=4k --ioengine=sync --fsync=1 --number_ios=$n
	still $n
}

snapshot()
{
	is_linear && return
	dmsetup suspend vol
	dmsetup message pool 0 "create_snap 1 0"
	dmsetup resume vol
}

case_snap_read4k()
{
	mapped_volume
	snapshot
	fio_rate rate --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"
	is_linear || check "used blocks" "$(used)" "$(blocks_of vol)"
}

case_snap_write4k()
{
	mapped_volume
	snapshot
	fio_rate rate --rw=randwrite --bs=4k "${libaio[@]}" --io_size=16m
	# Each of the 4096 writes copies, unless it hits the block of an earlier one.
	is_linear || check_least "used blocks" "$(used)" $(($(blocks_of vol) + 3000))
}
