#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A read of a volume takes very long on its data device.  A discard and the breaking
# of sharing wait for it, because it may read what they change; nothing else of this
# volume does.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target waits for single blocks"
require modprobe dm-delay
disk META 8
disk DATA 128
wrap data "$DATA"
make_pool "$META" /dev/mapper/data
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 4M 1
require msg create_snap 2 1
require blockio write $t 8M 4M 2
slow() { rewrap data delay "$DATA" 0 "$1" "$DATA" 0 0 "$DATA" 0 0; }

# begin NAME COMMAND...: $NAME is its process, and it waits for the device
begin()
{
	spawn_out=$scratch/$1 spawn "${@:2}"
	declare -g "$1=$spawned"
	require wait_until 60 blocked "$spawned"
}

slow 200000
begin reader blockio verify $t 0 64k 1
begin breaker blockio write $t 1M 64k 3
begin discard blockio discard $t 8M 1M
begin second blockio discard $t 10M 1M
at_once() { ok "$1" timeout 60 "${@:2}"; }
at_once "a new block is written" blockio write $t 32M 64k 4
at_once "one of its own is overwritten" blockio write $t 9M 64k 5
at_once "a hole is read" blockio zeros $t 48M 1M
at_once "fsync" blockio sync $t
for i in reader breaker discard second; do
	ok "the $i still waits" running "${!i}"
done

slow 0
for i in reader breaker discard second; do
	ok "the $i ends" wait_until 120 stopped "${!i}"
	ok "with success" wait "${!i}"
done
ok "sharing was broken" blockio verify $t 1M 64k 3
ok "the rest is shared" blockio verify $t 0 1M 1
ok "unmapped" blockio zeros $t 8M 1M
ok "unmapped" blockio zeros $t 10M 1M
ok "written meanwhile" blockio verify $t 9M 64k 5
ok "written meanwhile" blockio verify $t 32M 64k 4
activate s 2 64M
ok "the snapshot has its block" blockio verify /dev/mapper/s 0 4M 1
finish
