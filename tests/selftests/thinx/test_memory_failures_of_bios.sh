#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Bios can be allocated from the reserves only, and requests have to be split at each
# of their blocks, into more pieces than the reserves have.  They complete all the
# same.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

fault=/sys/kernel/debug/failslab
[ -d $fault ] || skip_all "the kernel has no fault injection"
modprobe -q dm-delay || skip_all "no dm-delay"
wrapped_pool data 8 256
make_thin t1 1 128M
t=/dev/mapper/t1
allocations_fail "bio-*"

failing()
{
	echo Y > $fault/cache-filter
	echo N > $fault/ignore-gfp-wait
	echo 0 > $fault/verbose
	echo 1 > $fault/interval
	echo -1 > $fault/times
	echo 100 > $fault/probability
}

# Turning failures off may fail as well.
failing_no_more()
{
	wait_until 120 bash -c "echo 0 > $fault/probability" ||
		bail "failures cannot be turned off"
	echo N > $fault/cache-filter
}

# Every second of the 16 blocks of each request is new.
pieces() { fio --name=w --filename="$t" --direct=1 --size=128M --output="$scratch/fio" "$@"; }
for i in 1 2 3; do
	require blockio discard $t 0 128M
	require pieces --rw=write:64k --bs=64k
	require blockio sync $t
	# So that the pieces stay in flight for a while.
	rewrap data delay "$DATA" 0 50
	failing
	ok "round $i: all requests complete" timeout 900 fio --name=u --filename=$t \
		--ioengine=io_uring --direct=1 --bs=1M --iodepth=64 \
		--rw=write --size=128M --output="$scratch/fio" \
		--verify=crc32c --do_verify=0 --verify_state_save=0
	failing_no_more
	rewrap data linear "$DATA" 0
	ok "and have written their data" timeout 900 fio --name=u \
		--filename=$t --direct=1 --bs=1M --rw=read --size=128M \
		--verify=crc32c --verify_only=1 --verify_state_load=0 \
		--output="$scratch/fio"
	is "$(data_used)" 2048 "no block is leaked"
done
is "$(pool_mode)" rw "the pool is writable"
remove t1 pool
finish
