#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# QEMU with discard=unmap and each of its I/O engines: what a guest trims is freed in
# the pool, the rest keeps its data.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need qemu-io qemu-storage-daemon
disk META 16
disk DATA 256
make_pool "$META" "$DATA"
make_thin vm 1 128M
v=/dev/mapper/vm

# io AIO COMMAND...: commands of qemu-io
io()
{
	local aio=$1 c args=()

	shift
	for c; do
		args+=(-c "$c")
	done
	qemu-io -t none -i "$aio" -d unmap -f raw "${args[@]}" "$v"
}

# On a mismatch qemu-io says "Pattern verification failed" and exits with 1.
for aio in threads native io_uring; do
	ok "$aio: written" io $aio 'write -P 0x5a 0 16M' flush
	is "$(data_used)" 256 "takes space"
	fails "$aio: another pattern is noticed" "" io $aio 'read -P 0x5b 0 64k'
	ok "$aio: trimmed" io $aio 'discard 4M 8M'
	is "$(data_used)" 128 "is free"
	ok "$aio: reads" io $aio 'read -P 0x5a 0 4M' 'read -P 0 4M 8M' \
		'read -P 0x5a 12M 4M'
	ok "$aio: trimmed, not at block boundaries" io $aio \
		'discard 100k 200k'
	is "$(data_used)" 126 "only whole blocks are free"
	ok "$aio: the rest is there" io $aio 'read -P 0x5a 0 100k' \
		'read -P 0x5a 300k 3796k'
	ok "$aio: zeros with unmap" io $aio 'write -z -u 13M 1M' flush
	ok "$aio: are zeros" io $aio 'read -P 0 13M 1M' 'read -P 0x5a 12M 1M' \
		'read -P 0x5a 14M 2M'
	ok "$aio: all trimmed" io $aio 'discard 0 128M'
	is "$(data_used)" 0 "is free"
done

# As the disk of a running guest: through a daemon, many requests at a time.
sock=$scratch/nbd
spawn qemu-storage-daemon \
	--blockdev "driver=host_device,node-name=disk,filename=$v,cache.direct=on,discard=unmap,aio=native" \
	--nbd-server "addr.type=unix,addr.path=$sock" \
	--export type=nbd,id=e,node-name=disk,name=vm,writable=on
daemon=$spawned
wait_until 240 test -S "$sock"
is $? 0 "the daemon runs"
u="nbd+unix:///vm?socket=$sock"
ok "many writes at a time" qemu-img bench -q -w -t none -f raw -c 512 -d 16 \
	-s 65536 --pattern 119 --flush-interval 64 "$u"
is "$(data_used)" 512 "take space"
ok "reads while others trim" sh -c "
	qemu-io -d unmap -f raw -c 'discard 16M 16M' '$u' &
	qemu-img bench -q -t none -f raw -c 256 -d 8 -s 65536 '$u' && wait \$!"
is "$(data_used)" 256 "what was trimmed is free"
ok "data" qemu-io -f raw -c 'read -P 119 0 16M' -c 'read -P 0 16M 16M' "$u"
stop "$daemon"
closed() { ! opened vm; }
ok "the volume is closed" wait_until 120 closed
ok "data" io threads 'read -P 119 0 16M' 'read -P 0 16M 112M'
remove vm
finish
