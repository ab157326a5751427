#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# One thin device in two tables at once: both show the same data, whichever of them
# is written or discarded, and neither harms the other.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
make_pool "$META" "$DATA"
make_thin a 1 64M
activate b 1 64M
ok "written through one" blockio write /dev/mapper/a 0 8M 1
ok "read through the other" blockio verify /dev/mapper/b 0 8M 1
ok "written through the other" blockio write /dev/mapper/b 1M 1M 2
ok "read through the first" blockio verify /dev/mapper/a 1M 1M 2
ok "discarded through the first" blockio discard /dev/mapper/a 2M 1M
ok "zeros in the other" blockio zeros /dev/mapper/b 2M 1M
is "$(status a | cut -d' ' -f4-)" "$(status b | cut -d' ' -f4-)" "one status"
is "$(data_used)" 112 "one set of blocks"
fails "it cannot be deleted" busy msg delete 1
remove a
fails "nor while one is left" busy msg delete 1
activate a 1 64M

# Two writers through each table, all in the same blocks: provisioning, breaking of
# sharing and discards meet.
require dmsetup suspend a
require dmsetup suspend b
require msg create_snap 2 1
require dmsetup resume a
require dmsetup resume b
# writer NAME N [verify]: 4 KiB pieces N, N + 4, N + 8 ... of the first 16 MiB
writer()
{
	local i

	for ((i = $2; i < 4096; i += 4)); do
		echo "${3:-write} $1 $((i * 4096)) 4096 $((i + 100))"
	done
}

for i in 0 1 2 3; do
	writer "$([ $((i % 2)) = 0 ] && echo a || echo b)" $i > "$scratch/in$i"
	spawn_out=$scratch/out$i spawn sh -c "dmbatch < $scratch/in$i"
	pids[i]=$spawned
done
for ((i = 0; i < 20; i++)); do
	require blockio discard /dev/mapper/b 32M 16M
	require blockio write /dev/mapper/a 32M 1M $i
	sleep 0.1
done
for i in 0 1 2 3; do
	wait "${pids[i]}"
	ok "writer $i succeeded" test $? = 0
done
for i in 0 1 2 3; do
	batch "its data is seen through the other table" < <(
		writer "$([ $((i % 2)) = 0 ] && echo b || echo a)" $i verify)
done
ok "discarded through one table and written through the other" \
	blockio verify /dev/mapper/b 32M 1M 19
activate s 2 64M
ok "a snapshot kept its data from both" blockio verify /dev/mapper/s 3M 5M 1
remove a b s
require msg delete 1
require msg delete 2
is "$(data_used)" 0 "nothing is left"
finish
