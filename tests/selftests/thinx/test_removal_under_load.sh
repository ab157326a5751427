#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Open volumes and busy pools cannot be removed; a forced removal under load ends the
# load with errors and has no other effect.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 128
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
require blockio write /dev/mapper/t2 0 16M 2
fails "the pool is busy while volumes exist" busy dmsetup remove pool
spawn fio --name=w --filename=/dev/mapper/t1 --direct=1 --ioengine=libaio \
	--iodepth=8 --rw=randwrite --bs=16k --size=64M --time_based --runtime=3000
writer=$spawned
require wait_until 120 loaded t1
fails "an open volume is busy" busy dmsetup remove t1
# dmsetup may say busy, but has replaced the table with one that fails all I/O.
timeout 120 dmsetup remove --force t1 > /dev/null 2>&1
ok "a forced removal ends the load" wait_until 120 stopped $writer
dmsetup remove --retry t1 > /dev/null 2>&1
fails "it is gone" "" dmsetup info -c t1
ok "the other volume is unharmed" blockio verify /dev/mapper/t2 0 16M 2
ok "the id can be activated again" dmsetup create t1 --table "$(thin_table 1 64M)"
ok "and written" blockio write /dev/mapper/t1 0 1M 1

# Removal right after buffered writes and discards.
for i in 1 2 3; do
	blockio write /dev/mapper/t1 0 32M $i > /dev/null 2>&1 &
	w=$!
	blockio discard /dev/mapper/t1 0 64M > /dev/null 2>&1
	wait $w
	ok "remove at once ($i)" dmsetup remove --retry t1
	activate t1 1 64M
done
remove t1
exec 3< /dev/mapper/t2
ok "deferred removal of an open volume" dmsetup remove --deferred t2
ok "again" dmsetup remove --deferred t2
ok "it is there" dmsetup info -c t2
exec 3<&-
is_gone() { ! dmsetup info -c t2; }
ok "it vanished with its last user" wait_until 120 is_gone
ok "the pool can go" dmsetup remove --retry pool
finish
