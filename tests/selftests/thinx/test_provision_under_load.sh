#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# provision while others write, discard and take snapshots of the same blocks, and
# while neighbours fill the pool: what is written stays, holes are zero or a hole, and
# the message maps all or nothing.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target has no such message"
mapped() { msg usage "$1" 0 1000000 | awk '$1 == "mapped" { print $2 }'; }

disk META 16
disk DATA 256
require blockio write "$DATA" 0 256M 99
make_pool "$META" "$DATA" error_if_no_space
make_thin t1 1 64M
t1=/dev/mapper/t1

# --- the same blocks ---

busy w --filename=$t1 --direct=1 --ioengine=libaio --iodepth=4 --rw=randwrite \
	--bsrange=4k-192k --size=32M --io_size=16M --verify=crc32c \
	--serialize_overlap=1
writer=$spawned
for i in 1 2 3 4 5; do
	ok "filled ($i)" msg provision 1 0 1024
	is "$(mapped 1)" 1024 "all is mapped ($i)"
	ok "a snapshot ($i)" msg create_snap $((10 + i)) 1
	ok "behind what is written it is zero ($i)" blockio zeros $t1 32M 32M
	require blockio discard $t1 32M 32M
	[ $((i % 2)) = 0 ] || require msg delete $((10 + i))
done
calm
ok "fio ends" wait_until 240 stopped "$writer"
wait "$writer"
is $? 0 "and found what it wrote"
require msg delete 12
require msg delete 14
for i in 1 2 3 4 5 6 7 8; do
	BLOCKIO_SIZE=64k blockio discard $t1 0 64M &
	msg provision 1 0 1024 > /dev/null || echo "filling and discarding failed"
	wait $!
done > "$scratch/out"
is "$(cat "$scratch/out")" "" "filled while it is discarded"
ok "zeros" blockio zeros $t1 0 64M
require blockio discard $t1 0 64M
is "$(data_used)" 0 "all is free"

# --- neighbours in a pool that becomes full ---

remove t1
require msg delete 1
pool_sectors=
remove pool
blank "$META"
pool_sectors=$((200 * 128))
make_pool "$META" "$DATA" error_if_no_space
for i in 2 3 4 5; do
	make_thin "t$i" "$i" 64M
done
all=0 none=0
for i in $(seq 1 12); do
	pids=()
	for t in 2 3 4 5; do
		# In every other round there is room for all before they come.
		BLOCKIO_SIZE=64k blockio write "/dev/mapper/t$t" 0 \
			"$((i % 2 ? 2 : t))M" "$i" \
			> /dev/null 2>&1 &
		pids+=($!)
	done
	require msg create_thin 1
	if msg provision 1 0 80 > /dev/null 2>&1; then
		is "$(mapped 1)" 80 "all ($i)"
		all=$((all + 1))
	else
		is "$(mapped 1)" 0 "none ($i)"
		none=$((none + 1))
	fi
	wait "${pids[@]}"
	activate t1 1 64M
	ok "zeros ($i)" blockio zeros $t1 0 64M
	remove t1
	require msg delete 1
	for t in 2 3 4 5; do
		require blockio discard "/dev/mapper/t$t" 0 64M
	done
	is "$(data_used)" 0 "all is free ($i)"
	ok "for all ($i)" wait_until 60 mode_is rw
done
echo "# all: $all, none: $none"
finish
