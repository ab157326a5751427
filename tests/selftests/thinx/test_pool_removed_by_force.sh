#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A pool is removed by force while its volumes are under load or wait for space: the
# load ends with errors, what was flushed is on the disk, and the volumes can be
# removed.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

is_thinx || skip_all "the stock target leaks its metadata object"
timeout=0 small_pool 500
make_thin t1 1 32M
make_thin t2 2 32M
write_synced /dev/mapper/t1 0 4M 1
for load in fio full; do
	if [ $load = full ]; then
		make_pool "$META" "$DATA"
		activate t1 1 32M
		activate t2 2 32M
	fi
	case $load in
	fio)	spawn fio --name=w --filename=/dev/mapper/t2 --direct=1 \
			--ioengine=libaio --iodepth=8 --rw=randrw --bs=16k \
			--size=16M --time_based --runtime=3000
		require wait_until 120 loaded t2
		sleep 2 ;;
	full)	require blockio write /dev/mapper/t1 8M 8M 1
		spawn blockio write /dev/mapper/t2 0 32M 2
		becomes out_of_data_space "full: a write waits"
		;;
	esac
	# dmsetup may say busy, but has replaced the table with one that fails all I/O.
	timeout 120 dmsetup remove --force pool > /dev/null 2>&1
	like "$(dmsetup table pool)" " error" "$load: the table is gone"
	ok "$load: the load ends" wait_until 120 stopped "$spawned"
	fails "$load: reading fails" EIO \
		timeout 120 blockio read /dev/mapper/t1 8M 64k
	fails "$load: writing fails" EIO \
		timeout 120 blockio write /dev/mapper/t1 0 64k 9
	fails "$load: flushing fails" EIO \
		timeout 120 blockio sync /dev/mapper/t1
	fails "$load: no messages" "" timeout 120 dmsetup message pool 0 \
		"create_thin 50"
	fails "$load: no volume can be activated" "" \
		dmsetup create t3 --table "$(thin_table 1 1M)"
	ok "$load: suspend a volume" timeout 120 dmsetup suspend --noflush t1
	ok "$load: resume it" timeout 120 dmsetup resume t1
	ok "$load: remove one" timeout 120 dmsetup remove --retry t1
	ok "$load: and the other" timeout 120 dmsetup remove --retry t2
	ok "$load: and the pool" timeout 120 dmsetup remove --retry pool
	ok "$load: the metadata is sound" thin_check -q "$META"
	make_pool "$META" "$DATA"
	is "$(pool_mode)" rw "$load: set up again: writable"
	activate t1 1 32M
	ok "$load: what was flushed is there" \
		blockio verify /dev/mapper/t1 0 4M 1
	remove t1 pool
done
finish
