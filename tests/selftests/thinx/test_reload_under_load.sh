#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# New tables for pool and volumes, with other features, while volumes are written and
# verified undisturbed: each feature is in effect at once.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 16
disk DATA 256
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
make_thin t3 3 64M
for i in 1 2; do
	busy fio$i --filename=/dev/mapper/t$i --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randrw --bsrange=4k-128k \
		--size=64M --io_size=24M --verify=crc32c \
		--verify_fatal=1 --verify_backlog=64 --randseed=$i
	fio_pids[i]=$spawned
	require wait_until 120 loaded t$i
done
n=0
none=$(events)
size=65536
while running "${fio_pids[1]}" && running "${fio_pids[2]}"; do
	for f in skip_block_zeroing no_discard_passdown error_if_no_space \
			"skip_block_zeroing no_discard_passdown error_if_no_space" ""; do
		low=$n
		# shellcheck disable=SC2086 # words
		reload_pool "$META" "$DATA" $f
		is "$(dmsetup table pool | cut -d' ' -f7- | sed 's/ *$//')" \
			"$n $(echo "$f" | wc -w)${f:+ $f}" "table $n"
		size=$((size + 64))
		require dmsetup load t1 --table "$(thin_table 1 ${size}k)"
		require timeout 120 dmsetup suspend t1
		require timeout 120 dmsetup resume t1
		n=$((n + 1))
		case $f in
		*passdown*) like "$(status)" " no_discard_passdown " "$n: in effect" ;;
		*) like "$(status)" " discard_passdown " "$n: in effect" ;;
		esac
		case $f in
		*error*) like "$(status)" " error_if_no_space " "$n: in effect" ;;
		*) like "$(status)" " queue_if_no_space " "$n: in effect" ;;
		esac
	done
	[ $n -lt 20 ] || break
done
calm
is $n 20 "$n tables"
for i in 1 2; do
	fio_succeeded "$i" "${fio_pids[i]}"
done
is "$(events)" "$none" "no event"

# With and without zeroing.
low=0
reload_pool "$META" "$DATA"
require blockio write /dev/mapper/t3 0 32M 3
require blockio discard /dev/mapper/t3 0 32M
dmsetup status pool > /dev/null
reload_pool "$META" "$DATA" skip_block_zeroing
require blockio write /dev/mapper/t3 1M 4k 4
ok "written without zeroing" blockio verify /dev/mapper/t3 1M 4k 4
reload_pool "$META" "$DATA"
require blockio write /dev/mapper/t3 2M 4k 4
ok "with zeroing: the rest is zeros" blockio zeros /dev/mapper/t3 2052k 60k
finish
