#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A commit takes long on a slow metadata device.  Only the request that asked for it
# waits: not reads, overwrites or writes of new blocks, nor an fsync of a volume with
# nothing to commit.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "with the stock target everything waits"
require modprobe dm-delay
wrapped_pool meta 8 128
for i in 1 2 3; do
	make_thin t$i $i 64M
	require blockio write /dev/mapper/t$i 0 4M $i
done
require msg create_thin 4
# Empty its map cache: lookups read the metadata.
remove t2
activate t2 2 64M

# Writes wait until the table is replaced.
rewrap meta delay "$META" 0 0 "$META" 0 200000 "$META" 0 0
spawn blockio fua /dev/mapper/t1 8M 64k 1
writer=$spawned
require wait_until 60 blocked "$writer"
sleep 2
at_once() { ok "$1" timeout 60 "${@:2}"; }
at_once "a read, cached" blockio verify /dev/mapper/t3 0 1M 3
at_once "a read, not cached" blockio verify /dev/mapper/t2 0 4M 2
at_once "a hole" blockio zeros /dev/mapper/t2 32M 1M
at_once "a read of the waiting volume" blockio verify /dev/mapper/t1 0 4M 1
at_once "overwriting it" blockio write /dev/mapper/t1 0 1M 9
at_once "fsync of a volume that has changed nothing" blockio sync /dev/mapper/t3
at_once "overwriting with FUA" blockio fua /dev/mapper/t3 0 64k 9
at_once "a new block" blockio write /dev/mapper/t2 8M 64k 9
at_once "which can be read" blockio verify /dev/mapper/t2 8M 64k 9
at_once "the status" dmsetup status --noflush pool
at_once "a volume's status" dmsetup status --noflush t1
at_once "activating another volume" dmsetup create t4 --table "$(thin_table 4 64M)"
ok "the commit is still under way" running "$writer"
rewrap meta linear "$META" 0
succeeds "$writer" "it ends"
finish
