#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A read of a volume takes very long on its data device, and so does create_snap of
# the volume, which waits for it.  Nobody else does: the fsync of another volume
# with changes, discards and their passing down, volumes that come and go.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target needs the origin suspended"
require modprobe dm-delay
disk META 8
disk DATA 128
wrap data "$DATA"
make_pool "$META" /dev/mapper/data
for i in 1 2 3; do
	make_thin t$i $i 64M
	require blockio write /dev/mapper/t$i 0 4M $i
done
require blockio sync /dev/mapper/t1
slow() { rewrap data delay "$DATA" 0 "$1" "$DATA" 0 0 "$DATA" 0 0; }

# Reads wait for another table.
slow 200000
spawn blockio verify /dev/mapper/t1 0 64k 1
reader=$spawned
require wait_until 60 blocked "$reader"
spawn_out=$scratch/snap spawn dmsetup message pool 0 create_snap 10 1
snapshot=$spawned
require wait_until 60 blocked "$snapshot"
spawn_out=$scratch/write spawn blockio write /dev/mapper/t1 1M 64k 9
writer=$spawned
require wait_until 60 blocked "$writer"

at_once() { ok "$1" timeout 60 "${@:2}"; }
at_once "another volume writes" blockio write /dev/mapper/t2 8M 64k 2
begin=$(date +%s%N)
at_once "and calls fsync" blockio sync /dev/mapper/t2
echo "# after $((($(date +%s%N) - begin) / 1000)) us, with the program's start"
at_once "discards" blockio discard /dev/mapper/t3 0 4M
at_once "and calls fsync" blockio sync /dev/mapper/t3
used() { [ "$(pool_field 6 | cut -d/ -f1)" = 129 ]; }
ok "the blocks come back" wait_until 60 used
at_once "a new volume" dmsetup message pool 0 create_thin 4
at_once "is activated" dmsetup create t4 --table "$(thin_table 4 64M)"
at_once "written" blockio write /dev/mapper/t4 0 64k 4
at_once "and removed" dmsetup remove t4
at_once "another table of the origin" dmsetup create u1 --table "$(thin_table 1 64M)"
at_once "which goes again" dmsetup remove u1
at_once "a snapshot of another volume" \
	dmsetup message pool 0 create_snap 11 2
ok "the reader still waits" running "$reader"
ok "and the snapshot" running "$snapshot"
ok "and the writer" running "$writer"

slow 0
ok "the read ends" wait_until 120 stopped "$reader"
ok "with success" wait "$reader"
ok "the snapshot is made" wait_until 120 stopped "$snapshot"
ok "with success" wait "$snapshot"
ok "the write ends" wait_until 120 stopped "$writer"
ok "with success" wait "$writer"
ok "and shows" blockio verify /dev/mapper/t1 1M 64k 9
activate s 10 64M
ok "in the snapshot it does not" blockio verify /dev/mapper/s 0 4M 1

# A suspend of the pool waits, too, and only for that.
slow 200000
spawn blockio verify /dev/mapper/t1 0 64k 1
reader=$spawned
require wait_until 60 blocked "$reader"
spawn_out=$scratch/suspend spawn dmsetup suspend pool
suspend=$spawned
require wait_until 60 blocked "$suspend"
at_once "meanwhile a volume is removed" dmsetup remove t3
ok "the suspend still waits" running "$suspend"
slow 0
ok "the read ends" wait_until 120 stopped "$reader"
ok "and the suspend" wait_until 120 stopped "$suspend"
require dmsetup resume pool
finish
