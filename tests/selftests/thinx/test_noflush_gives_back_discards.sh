#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool is suspended while a large discard is half done: its volume can then be
# suspended without flushing; the discard, and a read waiting for it, complete later.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin suspends the volumes with their pool"
require modprobe dm-delay
blocks=160000
disk META 64
wrap meta "$META"

# A pool on a zero target with one big volume, every second block of which is mapped.
python3 - $blocks > "$scratch/xml" <<'PYTHON'
import sys
n = int(sys.argv[1])
print(f'<superblock uuid="" time="0" transaction="0" flags="0" version="2" data_block_size="128" nr_data_blocks="{n}">')
print(f'<device dev_id="1" mapped_blocks="{n // 2}" transaction="0" creation_time="0" snap_time="0">')
for i in range(0, n, 2):
    print(f'<single_mapping origin_block="{i}" data_block="{i}" time="0"/>')
print('</device></superblock>')
PYTHON
require dmsetup create data --table "0 $((blocks * 128)) zero"
bigtable="0 $((blocks * 128)) $TARGET_THIN /dev/mapper/pool 1"

# Some of it is unmapped, but not yet all.
mapped() { status t1 | awk '{ print $4 }'; }
begun() { [ "$(mapped)" -lt $((blocks * 64)) ]; }

caught=0
for ((i = 1; i <= 3 || (i <= 30 && caught == 0); i++)); do
	require thin_restore -q -i "$scratch/xml" -o /dev/mapper/meta
	make_pool /dev/mapper/meta /dev/mapper/data no_discard_passdown
	require dmsetup create t1 --table "$bigtable"
	# Reading the metadata to be unmapped takes some seconds on any machine.
	rewrap meta delay "$META" 0 100 "$META" 0 0
	spawn blkdiscard -l $((blocks * 65536 / 2)) /dev/mapper/t1
	discard=$spawned
	until begun || stopped "$discard"; do :; done
	spawn_out=$scratch/out2 spawn blockio verify /dev/mapper/t1 128k 64k 0
	behind=$spawned
	require dmsetup suspend pool
	if [ "$(mapped)" -gt $((blocks * 32)) ] && running "$discard"; then
		caught=$((caught + 1))
	fi
	ok "$i: suspend the volume without flushing" \
		timeout 120 dmsetup suspend --noflush --nolockfs t1
	rewrap meta linear "$META" 0
	require dmsetup resume pool
	require dmsetup resume t1
	ok "$i: the discard ends" wait_until 120 stopped "$discard"
	ok "$i: with success" wait "$discard"
	wait_until 120 stopped "$behind"
	is "$(dmsetup status t1 | awk '{ print $4 }')" $((blocks * 32)) \
		"$i: half of the blocks are unmapped"
	remove t1 pool
done
ok "a discard was caught half done ($caught)" test $caught -gt 0
finish
