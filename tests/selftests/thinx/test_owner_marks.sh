#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A small pool whose blocks are reused all the time: volumes are written, discarded,
# snapshotted, deleted and created again while others are verified.  No volume ever
# shows the data of another, or anything but zeros where nothing was written.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 9
seconds=${MARKS_SECONDS:-25}
kib=$((bs / 2))
# 144 blocks for volumes that may need 256: running out of space is part of the test.
make_pool "$META" "$DATA" error_if_no_space
require blockio write "$DATA" 0 9M 666
size=4M
bad=0
owner=10

# fresh ID: a new volume with an empty state
fresh()
{
	require msg create_thin "$1"
	rm -f "$scratch/state$1"
	activate "v$1" "$1" $size
}

# run ID SECONDS: marks in the background
run()
{
	owner=$((owner + 1))
	spawn_out=$scratch/out$1 spawn marks run "/dev/mapper/v$1" \
		"$scratch/state$1" $owner "$2" $RANDOM $kib
	pids[$1]=$spawned
}

# joined ID: its marks has succeeded
joined()
{
	wait "${pids[$1]}" && return 0
	diag < "$scratch/out$1"
	bad=$((bad + 1))
}

checked()
{
	marks check "/dev/mapper/v$1" "$scratch/state$1" > "$scratch/check" 2>&1 &&
		return 0
	diag < "$scratch/check"
	bad=$((bad + 1))
}

for id in 1 2 3 4; do fresh $id; done
# The first runs all the time; the others take turns.
run 1 "$seconds"
end=$((SECONDS + seconds))
rounds=0
while [ $bad = 0 ] && { [ $SECONDS -lt $end ] || [ $rounds -lt 2 ]; }; do
	run 2 1
	run 3 1
	# Volume 4 is idle: snapshot it, change both, check both.
	snapshot v4 4 5
	cp "$scratch/state4" "$scratch/state5" 2>/dev/null || : > "$scratch/state5"
	activate v5 5 $size
	joined 2
	joined 3
	run 4 1
	run 5 1
	require blockio discard /dev/mapper/v2 0 $size
	rm -f "$scratch/state2"
	checked 2
	joined 4
	joined 5
	checked 4
	checked 5
	checked 3
	# The snapshot takes its origin's place every other round.
	if [ $((rounds % 2)) = 0 ]; then
		remove v5
		require msg delete 5
	else
		remove v4 v5
		require msg delete 4
		require msg create_snap 4 5
		require msg delete 5
		mv "$scratch/state5" "$scratch/state4"
		activate v4 4 $size
		checked 4
	fi
	remove v3
	require msg delete 3
	fresh 3
	checked 3
	rounds=$((rounds + 1))
done
joined 1
checked 1
ok "in $rounds rounds every read returned what its owner wrote" test $bad = 0
ok "there were some rounds" test $rounds -ge 2
diag < "$scratch/out1"
remove v1 v2 v3 v4 pool
make_pool "$META" "$DATA" error_if_no_space
for id in 1 2 4; do
	activate v$id $id $size
	checked $id
done
ok "the same after setting up again" test $bad = 0
finish
