#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# provision on a slow data device: a suspend of the pool and a signal end it early,
# deletion and exchange of the device are refused meanwhile, others get on, what it
# has claimed is nobody else's; and a copy of the devices at any moment shows zeros.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
modprobe -q dm-delay || skip_all "no dm-delay"
mapped() { msg usage "$1" 0 1000000 | awk '$1 == "mapped" { print $2 }'; }
some_mapped() { [ "$(mapped "$1")" -gt 0 ]; }

disk META 8
disk DATA 128
disk META2 8
disk DATA2 128
require blockio write "$DATA" 0 128M 99
wrap data "$DATA"
make_pool "$META" /dev/mapper/data error_if_no_space
make_thin t1 1 128M
make_thin t2 2 64M
require msg create_thin 3
slow() { rewrap data delay "$DATA" 0 0 "$DATA" 0 1500; }
fast() { rewrap data linear "$DATA" 0; }
# begin ID: provision 1600 of the 2048 blocks, slowly
begin()
{
	slow
	spawn dmsetup message pool 0 "provision $1 0 1600"
	provision=$spawned
	ok "device $1 is being filled" wait_until 120 some_mapped "$1"
}

begin 3
fails "it cannot be deleted" busy msg delete 3
fails "nor exchanged" busy msg swap 3 4
log_mark
ok "a suspend does not wait for it" timeout 60 dmsetup suspend pool
ok "it ends" wait_until 60 stopped "$provision"
wait "$provision"
is $? 1 "with an error"
logged "provision for device 3: stopped, [0-9]+ of 1600 holes have blocks: send it again" \
	"and the log says how far it got"
require dmsetup resume pool
fast
activate t3 3 128M
ok "what it filled is zero" blockio zeros /dev/mapper/t3 0 100M
n=$(mapped 3)
ok "$n is a part of it" test "$n" -lt 1600
remove t3
ok "again" msg provision 3 0 1600
is "$(mapped 3)" 1600 "all of it"
require msg delete 3
require msg create_thin 3

begin 1
ok "others write" timeout 60 blockio write /dev/mapper/t2 0 1M 1
kill -9 "$provision"
ok "whoever sent it can be killed" wait_until 60 stopped "$provision"
ok "the device can be removed" timeout 60 dmsetup remove t1
fast
n=$(mapped 1)
ok "$n is a part of it" test "$n" -lt 1600
ok "what was claimed is free again" blockio write /dev/mapper/t2 0 24M 2
require blockio discard /dev/mapper/t2 0 64M
require msg delete 1
make_thin t1 1 128M
is "$(data_used)" 0 "all is free"

# Nobody else gets what it has claimed, and the pool is full for them.
begin 1
BLOCKIO_SIZE=8M fails "others find the rest" ENOSPC \
	timeout 200 blockio write /dev/mapper/t2 0 64M 3
fast
wait "$provision"
is $? 0 "all the same it has all of it"
is "$(mapped 1)" 1600 "mapped"
ok "zeros" blockio zeros /dev/mapper/t1 0 100M
require blockio discard /dev/mapper/t2 0 64M
require blockio discard /dev/mapper/t1 0 128M
require blockio sync /dev/mapper/t1
ok "space comes free" wait_until 60 mode_is rw
# What discards under way will free cannot be claimed yet.
all_free() { [ "$(data_used)" = 0 ]; }
ok "all of it" wait_until 60 all_free

# As after a power cut: the copy of the data is older than that of the metadata.
for i in 1 2 3; do
	spawn dmsetup message pool 0 "provision 3 0 1600"
	provision=$spawned
	require wait_until 120 some_mapped 3
	require dmsetup suspend --noflush --nolockfs data
	require dd if="$DATA" of="$DATA2" bs=1M iflag=direct oflag=direct status=none
	require dd if="$META" of="$META2" bs=1M iflag=direct oflag=direct status=none
	require dmsetup resume data
	ok "the copy is sound ($i)" thin_check -q "$META2"
	pool=pool2 make_pool "$META2" "$DATA2"
	pool=pool2 activate c3 3 128M
	ok "zeros ($i)" blockio zeros /dev/mapper/c3 0 100M
	remove c3 pool2
	wait "$provision"
	is $? 0 "it ends ($i)"
	require msg delete 3
	require msg create_thin 3
done
finish
