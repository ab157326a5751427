#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Metadata space runs low (an event) and runs out (the metadata is not damaged); a
# larger device, or deleting enough, brings write mode back.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 512k
disk DATA 64
echo 2 > "$parameters/no_space_timeout"
make_pool "$META" "$DATA"
like "$(status)" "/128 0/1024 - rw .* - 32 $" "a small metadata device"
log_mark
i=0
while [ $i -lt 200 ] && msg create_thin $i > "$scratch/out" 2>&1; do
	i=$((i + 1))
done
ok "some volumes fit" test $i -gt 50
ok "but not 200" test $i -lt 200
logged "reached low water mark for metadata device: sending event" \
	"the low water mark is logged"
is "$(pool_mode)" ro "read-only"
if is_thinx; then
	raised 2 "one event for the mark, one for the mode"
else
	ok "with events" test "$(events)" -ge 2
fi
is "$(pool_field 11)" - "without needs_check"
logged "No free metadata blocks" "the log says why"
fails "no messages any more" "not supported" msg create_thin 300
activate t1 1 16M
if is_thinx; then
	fails "no new blocks" ENOSPC timeout 120 blockio write /dev/mapper/t1 0 64k 1
	is "$(pool_mode)" ro "which changes nothing"
else
	fails "nor deletion" "not supported" msg delete 2
	fails "no new blocks" EIO blockio write /dev/mapper/t1 0 64k 1
fi
ok "reading goes on" blockio zeros /dev/mapper/t1 0 1M
ok "a discard succeeds" blockio discard /dev/mapper/t1 0 1M
! is_thinx || ok "deletion goes on" msg delete 2

log_mark
disk_grow META 2M
suspend_and_resume pool
logged "growing the metadata device from 128 to 512 blocks" "grown on resume"
is "$(pool_mode)" rw "writable"
ok "messages are accepted" msg create_thin 300
ok "data can be written" blockio write /dev/mapper/t1 0 1M 1
ok "and read" blockio verify /dev/mapper/t1 0 1M 1
ok "deletion works" msg delete 3
is_thinx || require msg delete 2
remove t1
remove pool
is "$(thin_ls --no-headers "$META" | wc -l)" $((i - 1)) \
	"as many volumes as were made and not deleted"
is_thinx || finish

# Full again, and this time without a larger device.
echo 0 > "$parameters/no_space_timeout"
make_pool "$META" "$DATA"
i=1000
while [ $i -lt 2000 ] && msg create_thin $i > "$scratch/out" 2>&1; do
	i=$((i + 1))
done
is "$(pool_mode)" ro "out of metadata space again"
remove pool
log_mark
make_pool "$META" "$DATA"
is "$(pool_mode)" ro "set up again: from the start"
logged "No free metadata blocks" "and the log says why"
n=$(events)
log_mark
i=1000
while mode_is ro && [ $i -lt 1200 ]; do
	msg delete $i > /dev/null 2>&1 || break
	i=$((i + 1))
done
is "$(pool_mode)" rw "deleting $((i - 1000)) volumes leads back"
logged "switching pool to write mode" "which is logged"
raised $((n + 2)) "with an event, after one for the mark: it is below it still"
ok "messages are taken" msg create_thin 300000
remove pool
finish
