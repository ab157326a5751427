#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool whose devices are volumes of another pool: I/O, discards through both pools,
# snapshots on both levels, the lower pool suspended, full and grown; finally removed
# from the top down.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 256
echo 0 > "$parameters/no_space_timeout"
pool_sectors=$((180 * 16 * 128))
make_pool "$META" "$DATA"
make_thin upmeta 1 8M
make_thin updata 2 256M
u=/dev/mapper/updata
pool_sectors=
pool=upper make_pool /dev/mapper/upmeta $u
pool=upper make_thin t1 1 128M
t=/dev/mapper/t1
is "$(queue $t discard_granularity) $(queue $t optimal_io_size)" "65536 65536" \
	"limits"
ok "written" blockio write $t 0 32M 1
ok "read" blockio verify $t 0 32M 1
ok "holes" blockio zeros $t 64M 8M
is "$(pool=upper data_used)" 512 "blocks of the upper pool"
like "$(data_used)" '^5[1-9][0-9]$' "of the lower pool: as many and those of the metadata"

fails "the lower pool is in use" busy dmsetup remove pool
fails "and its volumes" busy dmsetup remove updata
fails "nor can they be deleted" busy msg delete 2

pool=upper snapshot t1 1 2
require timeout 120 dmsetup suspend --nolockfs upper
require msg create_snap 11 1
require msg create_snap 12 2
require timeout 120 dmsetup resume upper
ok "overwritten after a snapshot of each" blockio write $t 8M 8M 2
ok "in small pieces" env BLOCKIO_SIZE=4k blockio write $t 20M 256k 3
ok "the new data" blockio verify $t 8M 8M 2
ok "that of the small pieces" blockio verify $t 20M 256k 3
ok "the old data between them" blockio verify $t 16M 4M 1
pool=upper activate s2 2 128M
ok "the snapshot has the old data" blockio verify /dev/mapper/s2 0 32M 1
remove s2
pool=upper require msg delete 2

# Snapshots of the lower volumes are the upper pool as it was at the time.
activate oldmeta 11 8M
activate olddata 12 256M
pool=old make_pool /dev/mapper/oldmeta /dev/mapper/olddata
pool=old activate o1 1 128M
ok "a pool from the lower snapshots" blockio verify /dev/mapper/o1 0 32M 1
remove o1 old
ok "thin_check of its metadata" thin_check -q /dev/mapper/oldmeta
damaged /dev/mapper/oldmeta
remove oldmeta olddata
require msg delete 11
require msg delete 12

before=$(data_used)
ok "discarded" blockio discard $t 0 8M
require blockio sync $t
dmsetup status upper > /dev/null
discarded() { [ "$(data_used)" -le $((before - 120)) ]; }
ok "the blocks are freed in the lower pool" wait_until 120 discarded
ok "zeros there" blockio zeros $t 0 8M
ok "what follows is unharmed" blockio verify $t 8M 8M 2

busy w --filename=$t --direct=1 --ioengine=libaio --iodepth=8 \
	--rw=randwrite --bsrange=4k-128k --offset=40M --size=40M --io_size=16M \
	--verify=crc32c --verify_fatal=1
writer=$spawned
require wait_until 120 loaded t1
n=0
for _ in 1 2 3 4; do
	for q in pool upper updata upmeta t1; do
		timeout 120 dmsetup suspend --nolockfs $q || break 2
		sleep 0.1
		timeout 120 dmsetup resume $q || break 2
		n=$((n + 1))
	done
done
is $n 20 "$n times suspended and resumed"
ok "the load is still running" running "$writer"
calm
wait "$writer"
ok "and succeeds, with each level suspended and resumed" test $? = 0
is "$(pool_mode) $(pool=upper pool_mode)" "rw rw" "both pools are fine"

# The lower pool fills up: the upper one waits with it.
spawn blockio write $t 88M 40M 4
writer=$spawned
make_thin eater 3 256M
spawn_out=$scratch/eater spawn blockio write /dev/mapper/eater 0 128M 9
eater=$spawned
ok "the lower pool is full" wait_until 300 mode_is out_of_data_space
# The stock target's status waits for its metadata here.
! is_thinx || is "$(pool=upper pool_mode)" rw "the upper one does not notice"
reload_pool "$META" "$DATA"
ok "grown: the writers end" wait_until 300 stopped "$writer"
ok "with success" wait "$writer"
ok "so does the second" wait_until 300 stopped "$eater"
ok "written through a full pool" blockio verify $t 88M 40M 4
ok "the rest is unharmed" blockio verify $t 8M 8M 2

remove eater t1 upper
ok "thin_check of the upper metadata" thin_check -q /dev/mapper/upmeta
pool=upper make_pool /dev/mapper/upmeta $u
pool=upper activate t1 1 128M
ok "set up again" blockio verify $t 88M 40M 4
remove t1 upper
damaged /dev/mapper/upmeta
remove upmeta updata
for i in 1 2 3; do
	require msg delete $i
done
is "$(data_used)" 0 "nothing is left in the lower pool"
finish
