#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Commits happen while blocks are being copied and zeroed, and power fails before
# they are mapped: no block is leaked.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target leaks the blocks"
require modprobe dm-delay
wrapped_pool "meta data" 8 128
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t1 0 4M 1
snapshot t1 1 3
require blockio sync /dev/mapper/t1
used=$(data_used)

# Reads and flushes are not delayed; writes wait until the table is replaced.
rewrap data delay "$DATA" 0 0 "$DATA" 0 200000 "$DATA" 0 0
spawn_out=$scratch/out1
spawn blockio write /dev/mapper/t1 1M 4k 2
copy=$spawned
spawn_out=$scratch/out2
spawn blockio write /dev/mapper/t2 1M 4k 2
zero=$spawned
spawn_out=$scratch/out3
spawn blockio write /dev/mapper/t2 8M 1M 2
whole=$spawned
for p in $copy $zero $whole; do
	require wait_until 120 blocked "$p"
done
sleep 2
ok "a commit in the meantime" timeout 100 dmsetup message pool 0 create_thin 4
ok "another" timeout 100 dmsetup message pool 0 delete 4
for p in $copy $zero $whole; do
	ok "the write is still under way" running "$p"
done
# Power fails.
rewrap meta flakey "$META" 0 0 1 1 drop_writes
rewrap data linear "$DATA" 0
for p in $copy $zero $whole; do
	wait "$p"
done
remove t1 t2 pool
healed meta "$META"
ok "thin_check finds nothing wrong" thin_check /dev/mapper/meta
ok "nor does the independent checker, which reports leaks" decode META
make_pool /dev/mapper/meta /dev/mapper/data
is "$(data_used)" "$used" "as many blocks are in use as before"
activate t1 1 64M
activate t2 2 64M
ok "the old data is there" blockio verify /dev/mapper/t1 0 4M 1
ok "the new data is not" blockio zeros /dev/mapper/t2 0 16M
finish
