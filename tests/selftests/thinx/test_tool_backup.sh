#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Backups by thinx --ranges and dd alone: a full copy, then what differs between
# snapshots, put on a copy somewhere else, which then has the same contents; from pools
# in use, over several generations, with holes, discards and a volume that does not
# end at a block.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"

size=$((100 * 1048576 + 5 * 4096))
disk META 16
disk DATA 512
disk COPY 101
make_pool "$META" "$DATA"
require msg create_thin 1
require dmsetup create t1 --table "0 $((size / 512)) $TARGET_THIN /dev/mapper/pool 1"

# copy RANGE-COMMAND...: what the ranges name goes from $from to $COPY; the number of
# bytes in $scratch/bytes
copy()
{
	local offset length kind n=0

	"$@" > "$scratch/ranges" || return 1
	while read -r offset length kind _; do
		case $kind in
		left_only)
			dd if=/dev/zero of="$COPY" bs=1M iflag=count_bytes oflag=seek_bytes,direct \
				count="$length" seek="$offset" conv=notrunc status=none ;;
		*)	dd if="$from" of="$COPY" bs=1M iflag=skip_bytes,count_bytes,direct \
				oflag=seek_bytes,direct skip="$offset" seek="$offset" \
				count="$length" conv=notrunc status=none ;;
		esac || return 1
		n=$((n + length))
	done < "$scratch/ranges"
	echo "$n" > "$scratch/bytes"
}

sum() { dd if="$1" bs=1M count=$size iflag=count_bytes,direct status=none | md5sum; }

require blockio write /dev/mapper/t1 0 70M 9
# A volume that is written all the time, and unmapped now and then.
busy w --filename=/dev/mapper/t1 --rw=randrw --bs=4k-256k --direct=1 --size=$size \
	--io_size=20M --rate=6M --time_based --runtime=3
writer=$spawned
require wait_until 60 loaded t1
require thinx snapshot s0=t1
from=/dev/mapper/s0
ok "a full copy" copy thinx map --ranges s0
is "$(sum "$COPY")" "$(sum /dev/mapper/s0)" "it has the contents of the snapshot"
total=$(cat "$scratch/bytes")
for i in 1 2 3; do
	sleep 1
	# The ragged end.
	write_synced /dev/mapper/t1 $((size - 4096)) 4096 $i
	require blockio discard /dev/mapper/t1 $((i * 20))M 3M
	require thinx snapshot "s$i=t1"
	from=/dev/mapper/s$i
	ok "what differs in generation $i" copy thinx delta --ranges "s$((i - 1))" "s$i"
	is "$(sum "$COPY")" "$(sum "/dev/mapper/s$i")" "applied, it has the same contents"
	ok "it has holes that became ones" test "$(grep -c left_only "$scratch/ranges")" -gt 0
	remove "s$((i - 1))"
done
ok "and is less than all of it" test "$(cat "$scratch/bytes")" -lt $size
is "$(tail -n 1 "$scratch/ranges" | awk '{ print $1 + $2 }')" $size "up to the end of the volume, and no further"
calm
wait "$writer"
is $? 0 "the writer saw no error"
# Restored into a fresh volume.
require thinx snapshot last=t1
require msg create_thin 50
require dmsetup create restored --table "0 $((size / 512)) $TARGET_THIN /dev/mapper/pool 50"
from=/dev/mapper/last
COPY=/dev/mapper/restored
ok "a full copy into another volume" copy thinx map --ranges last
is "$(sum "$COPY")" "$(sum /dev/mapper/last)" "has the same contents"
is "$(thinx map --ranges restored | awk '{ n += $2 } END { print n }')" "$(cat "$scratch/bytes")" \
	"and maps as much"
ok "the first copy was of $total bytes" test "$total" -gt 0
finish
