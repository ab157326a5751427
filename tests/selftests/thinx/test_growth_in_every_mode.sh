#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A longer table and a larger metadata device in each mode: which of the two takes
# effect, and which mode follows.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

disk META 512k
disk DATA 64
echo 0 > "$parameters/no_space_timeout"
pool_sectors=$((20 * 128))
make_pool "$META" "$DATA"
make_thin t1 1 64M
t=/dev/mapper/t1

# sizes_are METADATA DATA MODE DESCRIPTION
sizes_are()
{
	like "$(status)" " [0-9]+/$1 [0-9]+/$2 - $3 " "$4"
}

# Write mode.
require blockio write $t 0 1280k 1
resize_pool 30
sizes_are 128 30 rw "write mode: data"
disk_grow META 600k
suspend_and_resume pool
sizes_are 150 30 rw "write mode: metadata"
is "$(events)" 0 "no event"

# Out of data space, queueing.
require blockio write $t 1280k 640k 1
spawn blockio write $t 8M 128k 2
writer=$spawned
becomes out_of_data_space "full"
disk_grow META 700k
suspend_and_resume pool
sizes_are 175 30 out_of_data_space "full: larger metadata does not end it"
ok "the writer is held" running "$writer"
n=$(events)
resize_pool 31
becomes out_of_data_space "one block more, two wanted: full again"
sizes_are 175 31 out_of_data_space "full: data"
raised $((n + 3)) "write mode, low water mark, full: three events"
ok "the writer is held" running "$writer"
resize_pool 32
succeeds "$writer" "the second: it ends"
ok "it is there" blockio verify $t 8M 128k 2
sizes_are 175 32 rw "write mode"

# Out of data space, failing.
n=$(events)
reload_pool "$META" "$DATA" error_if_no_space
fails "full" ENOSPC timeout 120 blockio write $t 9M 64k 3
becomes out_of_data_space "the mode"
n=$((n + 2))
raised "$n" "low water mark, full: two events"
resize_pool 40 error_if_no_space
sizes_are 175 40 rw "failing: data"
is "$(events)" $((n + 1)) "one event"
ok "can be written" blockio write $t 9M 64k 3

# Out of metadata space.
i=100
while [ $i -lt 400 ] && msg create_thin $i > /dev/null 2>&1; do
	i=$((i + 1))
done
sizes_are 175 40 ro "out of metadata space"
is "$(pool_field 11)" - "no needs_check"
n=$(events)
suspend_and_resume pool
sizes_are 175 40 ro "suspend and resume: no change"
is "$(events)" "$n" "no event"
log_mark
disk_grow META 4M
resize_pool 50 error_if_no_space
logged "growing the metadata device from 175 to 1024 blocks" "metadata grows"
logged "growing the data device from 40 to 50 blocks" "so does data"
sizes_are 1024 50 rw "both at once"
is "$(events)" $((n + 1)) "one event"
ok "can be written" blockio write $t 10M 640k 3
ok "a message is accepted" msg create_thin 1000
ok "all is there" blockio verify $t 0 1920k 1
ok "the rest, too" blockio verify $t 10M 640k 3
finish
