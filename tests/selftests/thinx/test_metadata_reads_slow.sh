#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Each read of the metadata device takes four seconds.  Reads of blocks whose mappings
# are not cached wait for it together, not one after the other, and nobody else waits
# with them: not a neighbour that writes new blocks, not a read of the same volume
# whose mapping is cached.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target reads one metadata block at a time"
modprobe -q dm-delay || skip_all "no dm-delay"
n=30000
disk META 32
disk DATA 4096
format_scattered "$META" "$DATA" $n
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
make_thin t2 2 64M
require blockio write /dev/mapper/t2 0 1M 2
activate t1 1 $((n * 64))k
require blockio zeros /dev/mapper/t1 0 4k
rewrap meta delay "$META" 0 4000 "$META" 0 0

# read_cold NR: reads so many random blocks at the same time, prints the milliseconds
read_cold()
{
	local begin

	begin=$(date +%s%N)
	fio --name=cold --filename=/dev/mapper/t1 --rw=randread --bs=4k --direct=1 \
		--ioengine=libaio --iodepth="$1" --number_ios="$1" \
		--offset=64M --randseed=3 > "$scratch/fio" 2>&1 || return
	echo $((($(date +%s%N) - begin) / 1000000))
}

# A root, a node and 48 leaves.
read_cold 48 > "$scratch/ms" &
reader=$!
sleep 2
begin=$(date +%s%N)
ok "a neighbour writes new blocks meanwhile" blockio write /dev/mapper/t2 8M 64k 9
ok "a mapping that is cached is used" blockio zeros /dev/mapper/t1 0 4k
ms=$((($(date +%s%N) - begin) / 1000000))
ok "neither waits for the metadata ($ms ms)" test $ms -lt 3600
ok "the reads are still under way" running $reader
wait $reader
is $? 0 "they end well"
ms=$(cat "$scratch/ms")
echo "# 48 cold reads took $ms ms"
ok "together, not one after the other" test "${ms:-99999}" -lt 32000
rewrap meta linear "$META" 0
finish
