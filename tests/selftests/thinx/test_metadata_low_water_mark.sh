#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The metadata low water mark: a quarter of the device's size at the last resume, but
# 1024 blocks at most; what raises the event, that it is raised once, and what
# re-arms it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Its value.
disk DATA 64
for size in 256k:16 1M:64 7M:448 16M:1024 64M:1024; do
	disk META ${size%:*}
	make_pool "$META" "$DATA"
	is "$(status | awk '{ print $NF }')" ${size#*:} "mark of ${size%:*}"
	is "$(events)" 0 "no event"
	remove pool
done

disk META 1M
make_pool "$META" "$DATA"
free() { status | awk '{ split($5, f, "/"); print f[2] - f[1] }'; }
# The reserve of 25 blocks counts as used in the status, but not for the mark.
made=0
is_above() { [ $(($(free) + 25)) -gt $((64 + $1)) ]; }
log_mark
# lies_in LOW HIGH: the number of free blocks
lies_in() { [ "$(free)" -ge "$1" ] && [ "$(free)" -le "$2" ]; }
# create COUNT: make that many devices
create()
{
	seq -f 'msg pool create_thin %g' $made $((made + $1 - 1)) |
		dmbatch > "$scratch/batch" 2>&1 || bail "create $1 from $made"
	made=$((made + $1))
}

while is_above 30; do
	create 8
	[ $made -lt 600 ] || break
done
ok "$made devices are far from the mark" test $made -gt 50
is "$(events)" 0 "no event so far"
while ! is_above 0 || [ "$(events)" = 0 ]; do
	msg create_thin $made > /dev/null 2>&1 || break
	made=$((made + 1))
	[ "$(events)" = 0 ] || break
done
logged "reached low water mark for metadata device: sending event" \
	"at the mark it is logged"
ok "with an event" wait_until 60 _events_reach 1
is "$(pool_mode)" rw "in write mode still"
if is_thinx; then
	is "$(events)" 1 "just one"
	create 16
	is "$(events)" 1 "no second one"
	suspend_and_resume pool
	create 1
	is "$(events)" 1 "nor after a resume: it is still below"
	n=$made
	made=20
	ok "many are deleted" bash -c "seq -f 'msg pool delete %g' $made $((n - 1)) |
		dmbatch"
	ok "deleted many: above again" is_above 30
	is "$(events)" 1 "that raises no event"
	while [ "$(events)" = 1 ] && [ $made -lt 600 ]; do
		create 4
	done
	raised 2 "a second event when it is reached again"
	ok "at the mark" bash -c "[ $(free) -le 60 ]"
	# A larger device: 272 blocks, 27 of them in reserve, and a mark of 68.
	disk_grow META 1088k
	suspend_and_resume pool
	is "$(status | awk '{ print $NF }')" 68 "a little larger, with a larger mark"
	is "$(events)" 2 "that raises no event"
	ok "just above it" lies_in $((68 - 27 + 1)) $((68 - 27 + 17))
	while [ "$(events)" = 2 ] && [ $made -lt 600 ]; do
		create 2
	done
	raised 3 "a third event when it is reached"
	is "$(pool_mode)" rw "the mode has not changed"
	# The commit has freed what the transaction replaced.
	ok "at the mark now" lies_in 20 $((68 - 27 + 10))
fi
log_mark
n=$(events)
disk_grow META 2M
suspend_and_resume pool
is "$(status | awk '{ print $NF }')" 128 "a larger device has a larger mark"
is "$(events)" "$n" "growth raises no event"
finish
