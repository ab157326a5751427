#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The benchmark inside the virtual machine: every case on linear, dm-thin and
# thinx in turn, the same ramdisk below, one JSON line a measurement in
# $VM_RESULTS/raw.jsonl.

set -eu

: "${ROUNDS:=3}" "${SECONDS_EACH:=4}" "${VM_RESULTS:=/tmp}"
: "${KINDS:=linear dm-thin thinx}"
data=/dev/ram0
meta=/dev/ram1
size_mib=1024
sectors=$((size_mib * 2048))
block=128
raw=$VM_RESULTS/raw.jsonl

modprobe dm-mod
modprobe dm-bufio
modprobe dm-thin-pool
modprobe libcrc32c || true
insmod "$THINX_MODULE"
modprobe brd rd_nr=2 rd_size=$((size_mib * 1024))
# A ramdisk allocates on first write: do that now, not in a case.
dd if=/dev/zero of=$data bs=1M oflag=direct status=none 2> /dev/null || true

features=

# Sets $dev: a volume of the whole ramdisk, nothing mapped.
setup()
{
	case $1 in
	linear)
		dmsetup create vol --table "0 $sectors linear $data 0"
		dev=/dev/mapper/vol
		return ;;
	dm-thin) pool=thin-pool thin=thin ;;
	thinx) pool=thinx-pool thin=thinx ;;
	esac
	dd if=/dev/zero of=$meta bs=4k count=1 oflag=direct status=none
	# shellcheck disable=SC2086
	dmsetup create pool --table \
		"0 $sectors $pool $meta $data $block 0 $features"
	dmsetup message pool 0 "create_thin 0"
	dmsetup create vol --table "0 $((sectors / 2)) $thin /dev/mapper/pool 0"
	dev=/dev/mapper/vol
}

teardown()
{
	for d in snap vol pool; do
		if [ -e "/dev/mapper/$d" ]; then
			dmsetup remove --retry "$d"
		fi
	done
}

map_all()
{
	[ "$1" = linear ] ||
		dd if=/dev/zero of="$dev" bs=1M oflag=direct status=none \
			2> /dev/null || true
}

# run CASE KIND FIO-ARGUMENT...: one measurement of bandwidth or IOPS
run()
{
	local case=$1 kind=$2 out=/tmp/fio.json

	shift 2
	fio --name=x --filename="$dev" --direct=1 --output-format=json \
		--output=$out --size=$((size_mib / 2))m --group_reporting \
		--randrepeat=0 --norandommap "$@" > /tmp/fio.err 2>&1 ||
		{ cat /tmp/fio.err >&2; return 1; }
	python3 - "$case" "$kind" $out >> "$raw" <<-'PYTHON'
	import json, sys
	case, kind, path = sys.argv[1:]
	text = open(path).read()
	j = json.loads(text[text.index('{'):])['jobs'][0]
	s = {'case': case, 'kind': kind,
	     'iops': j['read']['iops'] + j['write']['iops'],
	     'max_lat_ms': max(j['read']['lat_ns']['max'],
	                       j['write']['lat_ns']['max']) / 1e6}
	print(json.dumps(s))
	PYTHON
	tail -n 1 "$raw"
}

timed=(--time_based --runtime="$SECONDS_EACH" --ramp_time=1)
libaio=(--ioengine=libaio --iodepth=32)
uring=(--ioengine=io_uring --iodepth=32 --numjobs=2)

case_read4k() { map_all "$1"; run read4k "$1" --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"; }
case_write4k() { map_all "$1"; run write4k "$1" --rw=randwrite --bs=4k "${libaio[@]}" "${timed[@]}"; }
case_uring_read4k() { map_all "$1"; run uring_read4k "$1" --rw=randread --bs=4k "${uring[@]}" "${timed[@]}"; }
case_uring_write4k() { map_all "$1"; run uring_write4k "$1" --rw=randwrite --bs=4k "${uring[@]}" "${timed[@]}"; }
case_seqread1m() { map_all "$1"; run seqread1m "$1" --rw=read --bs=1m --ioengine=libaio --iodepth=4 "${timed[@]}"; }
case_hole_read4k() { run hole_read4k "$1" --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"; }
# Provisioning ends when all is mapped, so these are bounded by size, not time.
case_provision_seq1m() { run provision_seq1m "$1" --rw=write --bs=1m --ioengine=libaio --iodepth=4; }
provision_rand4k() { run "$2" "$1" --rw=randwrite --bs=4k "${libaio[@]}" --io_size=24m; }
case_provision_rand4k() { provision_rand4k "$1" provision_rand4k; }
case_provision_rand4k_zero() { provision_rand4k "$1" provision_rand4k_zero; }
case_fsync4k() { map_all "$1"; run fsync4k "$1" --rw=randwrite --bs=4k --ioengine=sync --fsync=1 "${timed[@]}"; }

snapshot()
{
	[ "$1" != linear ] || return 0
	dmsetup suspend vol
	dmsetup message pool 0 "create_snap 1 0"
	dmsetup resume vol
}

case_snap_read4k() { map_all "$1"; snapshot "$1"; run snap_read4k "$1" --rw=randread --bs=4k "${libaio[@]}" "${timed[@]}"; }

case_snap_write4k()
{
	map_all "$1"
	snapshot "$1"
	run snap_write4k "$1" --rw=randwrite --bs=4k "${libaio[@]}" --io_size=16m
}

# What a neighbour feels while a volume is written and discarded again and again.
case_discard_neighbour()
{
	local other=/dev/mapper/snap churn

	[ "$1" != linear ] || return 0
	map_all "$1"
	dmsetup message pool 0 "create_thin 1"
	dmsetup create snap --table "0 $((256 * 2048)) $thin /dev/mapper/pool 1"
	( while :; do
		dd if=/dev/zero of=$other bs=1M oflag=direct status=none || true
		blkdiscard $other
	done ) 2> /dev/null &
	churn=$!
	run discard_neighbour "$1" --rw=randread --bs=4k --ioengine=libaio \
		--iodepth=4 "${timed[@]}"
	kill $churn
	wait $churn || true
	fuser -s -k $other || true
}

# What a neighbour feels while a volume of four million mappings goes.
delete_case()
{
	local kind=$1 n=4000000 blocks=4200000 thin pool

	case $kind in
	dm-thin) pool=thin-pool thin=thin ;;
	thinx) pool=thinx-pool thin=thinx ;;
	esac
	modprobe null_blk nr_devices=0
	local cfg=/sys/kernel/config/nullb/nullb0
	mount -t configfs none /sys/kernel/config 2> /dev/null || true
	mkdir $cfg
	echo $((blocks / 16 + 1)) > $cfg/size
	echo 4096 > $cfg/blocksize
	echo 0 > $cfg/memory_backed
	echo 1 > $cfg/power
	python3 - $n $blocks > /tmp/big.xml <<-'PYTHON'
	import sys
	n, blocks = map(int, sys.argv[1:])
	print(f'<superblock uuid="" time="0" transaction="0" flags="0" version="2" data_block_size="128" nr_data_blocks="{blocks}">')
	print('<device dev_id="0" mapped_blocks="1024" transaction="0" creation_time="0" snap_time="0">')
	print('<range_mapping origin_begin="0" data_begin="0" length="1024" time="0"/></device>')
	print(f'<device dev_id="1" mapped_blocks="{n}" transaction="0" creation_time="0" snap_time="0">')
	print(f'<range_mapping origin_begin="0" data_begin="2048" length="{n}" time="0"/></device>')
	print('</superblock>')
	PYTHON
	dd if=/dev/zero of=$meta bs=1M count=1 oflag=direct status=none
	thin_restore -i /tmp/big.xml -o $meta > /dev/null
	dmsetup create pool --table "0 $((blocks * 128)) $pool $meta /dev/nullb0 128 0"
	dmsetup create vol --table "0 $((1024 * 128)) $thin /dev/mapper/pool 0"
	dev=/dev/mapper/vol
	dd if="$dev" of=/dev/null bs=1M iflag=direct status=none
	( sleep 3; s=$(date +%s.%N); dmsetup message pool 0 "delete 1"
	  e=$(date +%s.%N)
	  echo "{\"case\": \"delete_seconds\", \"kind\": \"$kind\", \"iops\": $(echo "$e - $s" | bc)}" >> "$raw" ) &
	fio --name=x --filename="$dev" --direct=1 --output-format=json \
		--output=/tmp/fio.json --size=64m --randrepeat=0 --norandommap \
		--rw=randread --bs=4k --ioengine=libaio --iodepth=1 \
		--time_based --runtime=20 > /tmp/fio.err 2>&1
	wait
	python3 - "$kind" >> "$raw" <<-'PYTHON'
	import json, sys
	text = open('/tmp/fio.json').read()
	j = json.loads(text[text.index('{'):])['jobs'][0]
	print(json.dumps({'case': 'delete_neighbour', 'kind': sys.argv[1],
	                  'iops': j['read']['iops'],
	                  'max_lat_ms': j['read']['lat_ns']['max'] / 1e6}))
	PYTHON
	tail -n 2 "$raw"
	dmsetup remove vol
	dmsetup remove pool
	thin_check -q $meta
	echo 0 > $cfg/power
	rmdir $cfg
}

all=(read4k write4k uring_read4k uring_write4k seqread1m hole_read4k
	provision_seq1m provision_rand4k provision_rand4k_zero fsync4k
	snap_read4k snap_write4k discard_neighbour)
[ $# -gt 0 ] || set -- "${all[@]}"

: > "$raw"
for case in "$@"; do
	if [ "$case" = delete ]; then
		for kind in dm-thin thinx; do
			delete_case $kind
		done
		continue
	fi
	for _ in $(seq "$ROUNDS"); do
		for kind in $KINDS; do
			case $case in
			*_zero) features= ;;
			*) features="1 skip_block_zeroing" ;;
			esac
			setup "$kind"
			"case_$case" "$kind"
			teardown
		done
	done
done
