# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of and for lib.sh
# Copyright (C) 2026 The thinx authors.
#
# Sourced by guest.sh: latencies of a volume while another one keeps the pool busy.
# cases-big.sh has more such cases.

other=/dev/mapper/other

# two_volumes OTHER-MIB [FEATURE...]: vol, which is small, mapped and measured, and
# other
two_volumes()
{
	local mib=$1

	shift
	volume_mib=64
	setup "$@"
	map vol
	make_volume other 1 "$mib"
}

write_all()
{
	fio --name=x --filename=$other --direct=1 --output="$scratch/other" \
		--rw=write --bs=64k --ioengine=libaio "${deep[@]}"
}

# The pool is full afterwards.
case_neigh_fill()
{
	two_volumes $((ram_mib - 64)) skip_block_zeroing
	beside write_all
	is_linear || check "used blocks" "$(used)" "$(total)"
}

write_with_fsync()
{
	fio --name=x --filename=$other --direct=1 --output="$scratch/other" \
		--rw=write:60k --bs=4k --ioengine=sync --fsync=1 \
		--number_ios="$fsyncs"
}

case_neigh_fsync()
{
	fsyncs=5000
	two_volumes 512 skip_block_zeroing
	beside write_with_fsync
	is_linear || check "blocks written" "$(mapped other)" $fsyncs
}

# The origin is suspended for each snapshot, because dm-thin requires that.
take_snapshots()
{
	seq $((snapshots + 1)) | awk 'NR > 1 {
		print "suspend other"
		print "msg pool create_snap", $1, 1
		print "resume other"
	}' | build/selftests/dmbatch > "$scratch/other"
}

case_neigh_snapshots()
{
	snapshots=1000
	two_volumes 512 skip_block_zeroing
	map other
	beside take_snapshots
	# Each snapshot exists.
	seq 2 $((snapshots + 1)) |
		sed 's/.*/EEXIST:msg pool create_thin &/' |
		build/selftests/dmbatch > "$scratch/ids" ||
		fail "$(head -n 1 "$scratch/ids")"
}

churn()
{
	while :; do
		dd if=/dev/zero of=$other bs=1M count=256 oflag=direct status=none
		blkdiscard $other
	done
}

case_discard_neighbour()
{
	local churn

	mapped_volume
	make_thin other 1 256
	punches
	churn &
	churn=$!
	fio_rate rate --rw=randread --bs=4k --ioengine=libaio --iodepth=4 "${timed[@]}"
	kill -0 $churn || fail "the load on the other volume has ended"
	kill $churn
	wait $churn || :
	fuser -s -k $other || :
}

# trim SECONDS: write and discard again and again, as a file system does for fstrim
trim()
{
	local to=$((SECONDS + $1))

	while [ $SECONDS -lt $to ]; do
		dd if=/dev/zero of=$other bs=1M count=64 oflag=direct status=none
		blkdiscard -l 64M $other
		trims=$((trims + 1))
	done
}

idle_volumes()
{
	targets
	seq 2 $(($1 + 1)) | awk -v target="$thin_target" -v sectors="$bs" '{
		print "msg pool create_thin", $1
		print "create idle" $1, sectors, target, "/dev/mapper/pool", $1
	}' | build/selftests/dmbatch > "$scratch/batch" ||
		fail "$(head -n 1 "$scratch/batch")"
}

case_idle_2000()
{
	local n=2000 rate=20 span=$((2 * SECONDS_EACH)) half trims=0

	setup skip_block_zeroing
	half=$(($(blocks_of vol) / 2))
	make_thin other 1 64
	idle_volumes $n
	neighbour_begin fsync "$dev" $rate 0
	# Slow without load is a result here, not a sign of a busy machine.
	sleep $span
	neighbour_end quiet_
	punches
	neighbour_begin fsync "$dev" $rate $half
	begin
	trim $span
	end
	neighbour_end ''
	figure trims "$trims"
	check_least "trims" "$trims" 1
	check "volumes" "$(dmsetup ls | wc -l)" $((n + 3))
}
