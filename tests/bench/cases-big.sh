# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of and for lib.sh
# Copyright (C) 2026 The thinx authors.
#
# Sourced by guest.sh: cases with a volume of four million mappings, 250 GiB, on a
# device that discards what is written.  It is volume 1; volume 0 is a small neighbour.
# The metadata is made once and copied to a disk for each case, so that none of it is
# cached.

big_blocks=${BIG_BLOCKS:-4000000}
small_blocks=1024
null=/dev/nullb0
slow=/dev/nullb1
disk=/dev/vda
disk_mib=256

# null_device NAME ATTRIBUTE=VALUE...
null_device()
{
	local dir=/sys/kernel/config/nullb/$1 a

	modprobe null_blk nr_devices=0
	mountpoint -q /sys/kernel/config ||
		mount -t configfs none /sys/kernel/config
	[ ! -d "$dir" ] || return 0
	mkdir "$dir"
	shift
	for a; do
		echo "${a#*=}" > "$dir/${a%%=*}"
	done
	echo 1 > "$dir/power"
}

# big_image LAYOUT: the path of the metadata; LAYOUT (scattered, sequential) sets the
# length of runs of neighbours
big_image()
{
	local image=$scratch/$1.image run=8

	[ "$1" = scattered ] || run=$big_blocks
	if [ ! -e "$image" ]; then
		truncate -s ${disk_mib}M "$image.new"
		tests/bench/big-xml.py $small_blocks "$big_blocks" "$run" \
			> "$scratch/xml"
		thin_restore -i "$scratch/xml" -o "$image.new" > /dev/null
		rm "$scratch/xml"
		mv "$image.new" "$image"
	fi
	echo "$image"
}

# big_volumes LAYOUT [METADATA]: set up $big_metadata; for linear, $big itself
big_volumes()
{
	big_metadata=${2:-$disk}
	big=/dev/mapper/other
	null_device nullb0 size=$(((small_blocks + big_blocks) / 16)) blocksize=4096
	if is_linear; then
		dmsetup create other --table "0 $((big_blocks * bs)) linear $null 0"
		return
	fi
	dd if="$(big_image "$1")" of="$big_metadata" bs=1M oflag=direct status=none
	sync "$big_metadata"
}

big_pool() { make_pool "$big_metadata" $null $(((small_blocks + big_blocks) * bs)); }
activate_big() { activate other 1 $((big_blocks * bs / 2048)); }
activate_small() { activate vol 0 $((small_blocks * bs / 2048)); dev=/dev/mapper/vol; }

metadata_reads()
{
	awk '{ print $1 }' "/sys/class/block/$(basename "$(realpath "$big_metadata")")/stat"
}

# big_reads METRIC SECONDS
big_reads()
{
	dev=$big fio_size=$((big_blocks / 16))m fio_rate "$1" --rw=randread --bs=4k \
		"${libaio[@]}" --time_based --runtime="$2"
}

# Read one block in a hundred, which is several in each leaf.
warm()
{
	fio --name=x --filename="$big" --direct=1 --output="$scratch/warm" \
		--size=$((big_blocks / 16))m --rw=read:$((99 * 64))k --bs=64k \
		--number_ios=$((big_blocks / 100)) \
		"${libaio[@]}"
}

still_big()
{
	is_linear || check "used blocks" "$(used)" $((small_blocks + big_blocks))
}

# reading METRIC: the number of reads of the metadata device meanwhile is in $reads,
# except for linear
reading()
{
	local before=0

	is_linear || before=$(metadata_reads)
	big_reads "$1" "$SECONDS_EACH"
	is_linear || reads=$(($(metadata_reads) - before))
}

cold_reads()
{
	if ! is_linear; then
		big_pool
		activate_big
	fi
	reading cold
	is_linear || check_least "metadata reads when cold" "$reads" 500
}

case_cold_read()
{
	big_volumes scattered
	cold_reads
	warm
	reading warm
	# dm-thin looks up its buffers, which do not hold all of the tree.
	[ "$kind" != thinx ] || check_most "metadata reads when warm" "$reads" 2000
	still_big
}

# A millisecond from a timer: that of dm-delay is in jiffies and keeps a processor busy.
case_cold_read_slow()
{
	null_device nullb1 size=$disk_mib blocksize=4096 memory_backed=1 \
		irqmode=2 completion_nsec=1000000
	big_volumes scattered $slow
	cold_reads
	still_big
}

set_up_big()
{
	big_pool
	activate_big
	dd if="$big" of=/dev/null bs=4k count=1 skip=$((big_blocks * 7)) \
		iflag=direct status=none
}

case_activate_big()
{
	big_volumes scattered
	seconds seconds set_up_big
	still_big
}

delete_big()
{
	big_volumes "$1"
	big_pool
	activate_small
	beside dmsetup message pool 0 "delete 1"
	check "used blocks" "$(used)" $small_blocks
	dmsetup remove vol
	dmsetup remove pool
	thin_check -q $disk || fail "thin_check finds damage"
}
case_delete_big() { delete_big scattered; }
case_delete() { delete_big sequential; }

case_neigh_discard()
{
	big_volumes scattered
	big_pool
	activate_small
	activate_big
	beside blkdiscard $big
	check "mapped blocks" "$(mapped other)" 0
	check "used blocks" "$(used)" $small_blocks
}
