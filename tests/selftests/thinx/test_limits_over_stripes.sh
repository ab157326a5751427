#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The size limits that pool and volume show, which equal dm-thin's, with the pool on
# a plain device, on a linear mapping and on stripes of several widths; linear
# mappings and stripes on volumes pass them on.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk A 128
disk B 128
disk C 128
t=/dev/mapper/t1
n=$(size_of "$A")

limits()
{
	echo "$(queue "$1" minimum_io_size) $(queue "$1" optimal_io_size)" \
		"$(queue "$1" discard_granularity)"
}

# striped NAME STRIPES CHUNK-SECTORS
striped()
{
	local devs=("$A 0" "$B 0" "$C 0") length

	length=$((n / $3 * $3 * $2))
	require dmsetup create "$1" \
		--table "0 $length striped $2 $3 ${devs[*]:0:$2}"
}

# The discard granularity of volumes; see docs/differences.md
odd=196608
is_thinx && odd=65536

# over DEVICE BLOCK-SECTORS POOL-LIMITS VOLUME-LIMITS
over()
{
	bs=$2
	make_pool "$META" "$1"
	make_thin t1 1 64M
	is "$(limits /dev/mapper/pool)" "$3" "$2 sectors on ${1##*/}: pool"
	is "$(limits $t)" "$4" "$2 sectors on ${1##*/}: volume"
	ok "$2 sectors on ${1##*/}: written" blockio write $t 20k 9M 1
	ok "$2 sectors on ${1##*/}: read" blockio verify $t 20k 9M 1
	ok "$2 sectors on ${1##*/}: discarded" blockio discard $t 0 64M
	ok "$2 sectors on ${1##*/}: zeros" blockio zeros $t $((bs / 2))k 8M
	remove t1 pool
	blank "$META"
}

# The data device's own granularity shows in the pool's.
g=$(queue "$A" discard_granularity)
over "$A" 128 "65536 65536 $g" "65536 65536 65536"
over "$A" 384 "196608 196608 $g" "196608 196608 $odd"
over "$A" 2048 "1048576 1048576 $g" "1048576 1048576 1048576"
require dmsetup create lin --table "0 $n linear $A 0"
over /dev/mapper/lin 128 "65536 65536 $g" "65536 65536 65536"
remove lin
# The stripes' limits stay if they are a multiple of the block, else the block counts.
striped s2 2 128
over /dev/mapper/s2 128 "65536 131072 $g" "65536 131072 65536"
over /dev/mapper/s2 256 "65536 131072 $g" "65536 131072 131072"
over /dev/mapper/s2 1024 "524288 524288 $g" "524288 524288 524288"
remove s2
striped s3 3 128
over /dev/mapper/s3 128 "65536 196608 $g" "65536 196608 65536"
over /dev/mapper/s3 384 "65536 196608 $g" "65536 196608 $odd"
over /dev/mapper/s3 512 "262144 262144 $g" "262144 262144 262144"
remove s3
striped s3 3 256
over /dev/mapper/s3 128 "131072 393216 $g" "131072 393216 65536"

# Devices on volumes: a stripe of two, and a linear mapping on it.
bs=128
damaged "$META"
disk META2 8
make_pool "$META2" /dev/mapper/s3
make_thin t1 1 64M
make_thin t2 2 64M
require dmsetup create top \
	--table "0 262144 striped 2 256 $t 0 /dev/mapper/t2 0"
require dmsetup create above --table "0 262144 linear /dev/mapper/top 0"
for d in top above; do
	is "$(limits /dev/mapper/$d)" "131072 262144 65536" "$d: limits"
done
ok "written through it" blockio write /dev/mapper/above 20k 40M 1
ok "read" blockio verify /dev/mapper/above 20k 40M 1
is "$(data_used)" 641 "blocks in use"
ok "discarded" blockio discard /dev/mapper/above 0 128M
is "$(data_used)" 0 "no block is in use"
ok "zeros" blockio zeros /dev/mapper/above 0 48M
finish
