#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The tracepoints tell what the slow path, commits and messages do, and a mapped bio
# hits none.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "looks at thinx's trace events"
modprobe -q dm-thinx-pool
t=/sys/kernel/tracing
[ -d $t/events ] || mount -t tracefs nodev $t 2> /dev/null
[ -d $t/events/thinx ] || skip_all "this kernel has no tracepoints"

# traced REGEX: how many events that match since the last clear
traced() { grep -cE " thinx_$1" $t/trace; }

disk META 16
disk DATA 64
make_pool "$META" "$DATA" error_if_no_space
make_thin t1 1 1G
require blockio write /dev/mapper/t1 0 64k 1
echo > $t/trace
echo 1 > $t/events/thinx/enable

require blockio write /dev/mapper/t1 0 64k 2
require blockio verify /dev/mapper/t1 0 64k 2
is "$(traced '(count|stage|group|update)')" 0 "a mapped bio hits none"

write_synced /dev/mapper/t1 1M 640k 3
ok "new blocks are counted" test "$(traced 'count: .* id 1 blocks_provisioned [1-9]')" -gt 0
ok "and why" test "$(traced 'count: .* id 1 (miss|hole_write) ')" -gt 0
for s in queued planning data inserting locked; do
	ok "stage $s" test "$(traced "stage: .* id 1 $s [0-9]+ ns")" -gt 0
done
ok "a commit for the flush" test \
	"$(traced 'commit: .* result 0 commits_for_waiters [1-9][0-9]* ns')" -gt 0
ok "and its parts" test "$(traced \
	'commit_parts: .* blocks [1-9][0-9]* close [0-9]+ flush [0-9]+ write [0-9]+ complete [0-9]+ ns')" -gt 0

# The parts are no longer than the whole: the write has the flush in it.
is "$(sed -nE 's/.*commit_parts: .* close ([0-9]+) flush [0-9]+ write ([0-9]+) complete ([0-9]+) ns/p \1 \2 \3/p
		s/.*thinx_commit: .* result 0 commits[^ ]* ([0-9]+) ns/c \1/p' $t/trace |
	awk '$1 == "p" { s = $2 + $3 + $4; n++; next }
		n && $2 < s { print "too long" } { n = 0 }')" "" \
	"the parts of a commit are together no longer than it"

require msg create_snap 2 1
is "$(traced "message: .* 'create_snap 2' result 0 [1-9][0-9]* ns")" 1 "a message"
msg usage 9 0 1 2> /dev/null
is "$(traced "message: .* 'usage 9' result -61 ")" 1 "a query that failed"
require blockio discard /dev/mapper/t1 1M 640k
ok "a discard's step" test "$(traced 'discard_step: .* id 1 ')" -gt 0

ok "the pool is filled" bash -c "! dd if=/dev/zero of=/dev/mapper/t1 bs=1M count=80 seek=100 oflag=direct 2> /dev/null"
is "$(traced 'mode: .* mode write -> out-of-data-space')" 1 "a change of mode, by names"
echo 0 > $t/events/thinx/enable
finish
