#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The same device in two tables, and twice in a third: suspending one does not affect
# the others, each has its own writes waiting for space, and the device is in use
# until the last table is gone.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 200
make_thin a 1 32M
activate b 1 48M
require dmsetup create c << TABLE
0 8192 $TARGET_THIN /dev/mapper/pool 1
8192 8192 $TARGET_THIN /dev/mapper/pool 1
TABLE
a=/dev/mapper/a b=/dev/mapper/b c=/dev/mapper/c
ok "written through one" blockio write $a 0 1M 1
ok "read through the other" blockio verify $b 0 1M 1
ok "overwritten through the other" blockio write $b 256k 256k 2
ok "read through the first" blockio verify $a 256k 256k 2
ok "the table that has it twice" cmp -n 1M $c <(dd if=$c bs=1M skip=4 count=1 \
	iflag=direct status=none)
ok "discarded through one" blockio discard $a 0 128k
ok "zeros in the other" blockio zeros $b 0 128k
ok "rewritten through the other" blockio write $b 0 64k 3
ok "seen by the first" blockio verify $a 0 64k 3

# A snapshot taken as documented: every table is suspended.
for t in a b c; do
	require dmsetup suspend $t
done
require msg create_snap 2 1
for t in a b c; do
	require dmsetup resume $t
done
ok "written after the snapshot" blockio write $a 0 64k 4
ok "seen by the other" blockio verify $b 0 64k 4
activate s 2 32M
ok "not by the snapshot" blockio verify /dev/mapper/s 0 64k 3
remove s

# One suspended, the other goes on.
require dmsetup suspend a
ok "written through b while a is suspended" blockio write $b 12M 64k 5
require dmsetup resume a
ok "seen by a" blockio verify $a 12M 64k 5

# Full: both hold a write; that of a is given back and waits in device-mapper.
used=$(data_used)
require blockio write $b 16M $(((200 - used) * 64))k 6
spawn_out=$scratch/out1 spawn blockio write $a 31M 64k 7
wa=$spawned
spawn_out=$scratch/out2 spawn blockio write $b 40M 64k 8
wb=$spawned
becomes out_of_data_space "full"
require wait_until 120 blocked "$wa"
require wait_until 120 blocked "$wb"
require timeout 120 dmsetup suspend --noflush --nolockfs a
ok "both wait" running "$wa"
ok "both of them" running "$wb"
resize_pool 210
succeeds "$wb" "room: b's is done"
ok "a's waits" running "$wa"
require dmsetup resume a
succeeds "$wa" "resumed: a's is done"
ok "seen by b" blockio verify $b 31M 64k 7

fails "delete: busy" busy msg delete 1
remove a
fails "still busy" busy msg delete 1
remove c
fails "and still busy" busy msg delete 1
ok "b works" blockio verify $b 31M 64k 7
remove b
ok "no longer busy" msg delete 1
finish
