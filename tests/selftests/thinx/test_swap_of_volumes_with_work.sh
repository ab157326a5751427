#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# swap while a suspended volume has something to come: a write that a noflush suspend
# has given back goes to the new contents; a volume that is resumed before the swap
# is durable waits for it, and then shows them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
require modprobe dm-delay
wrapped_pool data 8 16
make_thin t1 1 16M
make_thin t2 2 16M
require blockio write /dev/mapper/t1 0 8M 1
require blockio write /dev/mapper/t2 0 8M 2

# The pool is full.
spawn blockio write /dev/mapper/t1 12M 64k 9
writer=$spawned
becomes out_of_data_space "a write waits for space"
require wait_until 60 blocked "$writer"
fails "meanwhile: EBUSY" busy msg swap 1 2
require timeout 120 dmsetup suspend --noflush --nolockfs t1
require dmsetup suspend t2
ok "suspended without flushing" msg swap 1 2
require dmsetup resume t1
require dmsetup resume t2
ok "the first has the other's contents" blockio verify /dev/mapper/t1 0 8M 2
ok "the second, too" blockio verify /dev/mapper/t2 0 8M 1
ok "the write still waits" running "$writer"
ok "until there is space" blockio discard /dev/mapper/t2 4M 4M
succeeds "$writer" "then it ends"
ok "it went to the new contents" blockio verify /dev/mapper/t1 12M 64k 9
ok "and not to the old" blockio zeros /dev/mapper/t2 4M 12M
ok "which are as they were" blockio verify /dev/mapper/t2 0 4M 1

# Flushes of the data device take very long, so does the commit of the swap.
require dmsetup suspend t1
require dmsetup suspend t2
slow() { rewrap data delay "$DATA" 0 0 "$DATA" 0 0 "$DATA" 0 "$1"; }
slow 200000
spawn_out=$scratch/swap spawn dmsetup message pool 0 swap 2 1
swap=$spawned
require wait_until 60 blocked "$swap"
require dmsetup resume t1
require dmsetup resume t2
spawn_out=$scratch/read spawn blockio verify /dev/mapper/t1 0 4M 1
reader=$spawned
spawn_out=$scratch/write spawn blockio write /dev/mapper/t2 1M 64k 8
writer=$spawned
require wait_until 60 blocked "$reader"
require wait_until 60 blocked "$writer"
sleep 1
ok "a read of a resumed volume waits for the swap" running "$reader"
ok "a write, too" running "$writer"
ok "the swap waits for its commit" running "$swap"
slow 0
succeeds "$swap" "it ends"
succeeds "$reader" "the read shows the new contents"
succeeds "$writer" "the write ends"
ok "it is in the new contents" blockio verify /dev/mapper/t2 1M 64k 8
ok "next to what there was" blockio verify /dev/mapper/t2 2M 6M 2
ok "and not in the old" blockio verify /dev/mapper/t1 0 4M 1
remove t1 t2 pool
ok "the independent checker" decode META
finish
