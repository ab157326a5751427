#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Allocations fail, one at a time in commands and at random under load: each command
# succeeds or fails cleanly, nothing is lost, and nothing crashes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

fault=/sys/kernel/debug/failslab
[ -d $fault ] || skip_all "the kernel has no fault injection"
# dm-bufio makes a slab cache for each pool.
trace_expected 'kmem_cache_create[_a-z]*[(]dm_bufio_buffer.*failed with error -'
disk META 8
# Room for a full copy per snapshot, in case none can be deleted
disk DATA 1024
make_pool "$META" "$DATA"
make_thin t1 1 64M
t=/dev/mapper/t1
write_synced $t 0 8M 1

# nth N DMSETUP...: the N-th allocation in each of its requests fails
nth()
{
	FAIL_NTH=$1 LD_PRELOAD=$top/build/selftests/failioctl.so "${@:2}" \
		> /dev/null 2>&1
}
echo N > $fault/ignore-gfp-wait
echo 0 > $fault/verbose

# sweep FIRST LAST STEP DMSETUP...: the number of failures is in $failed
sweep()
{
	local n

	failed=0
	for ((n = $1; n <= $2; n += $3)); do
		nth $n "${@:4}" || failed=$((failed + 1))
	done
}

sweep 1 25 2 dmsetup create x --table "$(thin_table 1 1M)"
dmsetup remove x 2>/dev/null
ok "activating a volume ($failed failed)" dmsetup create x --table "$(thin_table 1 1M)"
remove x
sweep 1 25 2 dmsetup message pool 0 create_thin 2
msg delete 2 > /dev/null 2>&1
ok "create_thin ($failed failed)" msg create_thin 2
sweep 1 25 2 dmsetup message pool 0 create_snap 3 1
msg delete 3 > /dev/null 2>&1
ok "create_snap ($failed failed)" msg create_snap 3 1
sweep 1 25 2 dmsetup message pool 0 delete 3
msg create_thin 3 > /dev/null 2>&1
ok "delete ($failed failed)" msg delete 3
sweep 1 25 2 dmsetup load pool --table "$(pool_table "$META" "$DATA")"
ok "loading the pool's table ($failed failed)" dmsetup clear pool
sweep 1 9 2 dmsetup status pool
ok "status ($failed failed)" dmsetup status pool
is "$(pool_mode)" rw "the pool is writable"
ok "its data unharmed" blockio verify $t 0 8M 1
remove t1 pool
sweep 1 101 5 dmsetup create pool --table "$(pool_table "$META" "$DATA")"
dmsetup remove pool 2>/dev/null
make_pool "$META" "$DATA"
_result 0 "setting up the pool ($failed failed)"
activate t1 1 64M

# At random, for all of the kernel, in the sizes that the module uses.
allocations_fail kmalloc-{64,96,128,192,256,512,1k}
spawn fio --name=w --filename=$t --direct=1 --ioengine=libaio --iodepth=16 \
	--rw=randrw --bsrange=4k-128k --offset=8M --size=40M --time_based \
	--runtime=3000 --continue_on_error=all
require wait_until 120 loaded t1
echo Y > $fault/cache-filter
echo 5 > $fault/interval
echo 0 > $fault/times
echo 10 > $fault/probability
# Meanwhile this shell only waits, because it could not fork.  Opening the file may
# fail as well, but not for ever.
no_more()
{
	local until=$((SECONDS + 120))

	until { echo 0 > $fault/times; } 2>/dev/null; do
		[ $SECONDS -lt $until ] || bail "failures cannot be turned off"
	done
}
ended=0
for i in 1 2 3 4 5 6 7 8; do
	{
		echo 40 > $fault/times
		msg create_snap $((i + 10)) 1
		blockio discard $t 16M 8M
		blockio sync $t
		msg delete $((i + 9))
		sleep 0.3
	} > /dev/null 2>&1 &
	wait $! && ended=$((ended + 1))
	no_more
done
diag <<< "$ended of 8 rounds completed"
echo 0 > $fault/probability
echo N > $fault/cache-filter
stop $spawned
# Reading the metadata device may fail as well, even in an abort: then the pool is
# unusable until it is set up again, but nothing is lost.
mode=$(pool_mode)
! is_failed || mode=Fail
like "$mode" '^(r[wo]|Fail)$' "under random failures: the pool works, or says that it has failed"
if [ "$mode" = rw ]; then
	ok "it works" blockio write $t 60M 1M 2
	ok "it reads" blockio verify $t 60M 1M 2
fi
[ "$mode" = Fail ] ||
	ok "what was not written to is unharmed" blockio verify $t 0 8M 1
remove t1 pool
ok "thin_check after failures" \
	thin_check -q --clear-needs-check-flag "$META"
make_pool "$META" "$DATA"
activate t1 1 64M
ok "after setting up again it is unharmed" blockio verify $t 0 8M 1
finish
