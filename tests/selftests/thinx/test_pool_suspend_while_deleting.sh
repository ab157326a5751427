#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The pool is suspended while a large volume is deleted, which takes long because the
# metadata device is slow: the suspend waits for that, as dm core requires, but
# meanwhile volumes are read and written and other messages are answered.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin holds up its volumes while it deletes one"
n=40000
disk META 32
disk DATA 5120
format_scattered "$META" "$DATA" $n
modprobe -q dm-delay || skip_all "no dm-delay"
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
make_thin t2 2 64M
write_synced /dev/mapper/t2 0 4M 1
# Their mappings are cached: reading them needs no metadata.
require blockio verify /dev/mapper/t2 0 4M 1
rewrap meta delay "$META" 0 500

spawn dmsetup message pool 0 "delete 1"
delete=$spawned
ok "a volume is being deleted" wait_until 120 blocked "$delete"
spawn dmsetup suspend pool
suspend=$spawned
ok "the pool is being suspended" wait_until 120 blocked "$suspend"
ok "other messages are answered" timeout 200 dmsetup message pool 0 "create_thin 3"
ok "a neighbour reads" blockio verify /dev/mapper/t2 0 4M 1
ok "and writes" blockio write /dev/mapper/t2 0 1M 2
ok "before the deletion is done" running "$delete"
rewrap meta linear "$META" 0
ok "the deletion ends" wait_until 240 stopped "$delete"
wait "$delete"
is $? 0 "without an error"
wait "$suspend"
is $? 0 "and so is the suspend"
is "$(dmsetup info -c --noheadings -o suspended pool)" Suspended "the pool is suspended"
require dmsetup resume pool
is "$(data_used)" 64 "the blocks are free"
ok "what was written is there" blockio verify /dev/mapper/t2 0 1M 2
remove t2 pool
finish
