#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The message "stats": what it counts, that mapped I/O is not counted, histograms,
# a volume's own numbers, and beginning again at zero.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin knows no queries"

# n NAME [ID]: a counter
n() { msg stats "${@:2}" | awk -v n="$1" '$1 == n { print $2 }'; }

# durations NAME [ID]: how many a histogram has
durations()
{
	msg stats "${@:2}" | awk -v n="$1_ns" '$1 == n {
		for (i = 4; i <= NF; i++) { split($i, a, ":"); s += a[2] }
		print s + 0 }'
}

disk META 16
disk DATA 64
make_pool "$META" "$DATA" no_discard_passdown
make_thin t1 1 1G
make_thin t2 2 1G
require msg stats reset

is "$(msg stats | head -n 1)" "thinx-stats 1" "the first line of the pool's"
is "$(msg stats 1 | head -n 1)" "thinx-stats 1 1" "and of a volume's"
is "$(msg stats | tail -n 1)" end "the last one"
is "$(msg stats 1 | grep -c '[1-9][0-9]*:')" 0 "no duration yet"
is "$(msg stats 1 | awk 'NR > 1 && $1 !~ /_ns$/ && $2 > 0' | wc -l)" 0 "nothing counted yet"

write_synced /dev/mapper/t1 0 640k 1
is "$(n blocks_provisioned)" 10 "ten new blocks"
is "$(n blocks_provisioned 1)" 10 "of this volume"
is "$(n blocks_provisioned 2)" 0 "none of the other"
ok "as writes to holes, or to what was not known" test $(($(n hole_write 1) + $(n miss 1))) -gt 0
ok "a flush with changes" test "$(n flush_commit 1)" -ge 1
ok "committed for it" test "$(n commits_for_waiters)" -ge 1
ok "with metadata blocks" test "$(n commit_blocks)" -ge 3
for t in queued planning data inserting locked; do
	ok "durations: $t" test "$(durations $t)" -gt 0
	ok "of the volume" test "$(durations $t 1)" -gt 0
done
for t in commit commit_close commit_flush commit_write commit_complete; do
	ok "durations: $t" test "$(durations $t)" -gt 0
done
is "$(durations commit)" "$(n commits)" "one for each commit"
ok "the longest is no shorter than the shortest" test \
	"$(msg stats | awk '$1 == "commit_ns" { print $3 }')" -ge \
	"$(msg stats | awk '$1 == "commit_ns" { sub(/:.*/, "", $4); print $4 }')"

a=$(n deferred)
require blockio write /dev/mapper/t1 0 640k 2
require blockio verify /dev/mapper/t1 0 640k 2
is "$(n deferred)" "$a" "mapped I/O is not counted"

require blockio write /dev/mapper/t1 1M 4k 3
is "$(n sectors_zeroed 1)" 120 "the rest of a block is zeroed"
snapshot t1 1 3
require blockio write /dev/mapper/t1 0 4k 4
is "$(n blocks_unshared 1)" 1 "a shared block is copied"
is "$(n sectors_copied 1)" 120 "but for what is written"
require msg delete 3
require blockio write /dev/mapper/t1 128k 4k 5
is "$(n blocks_unshared 1)" 1 "not once the snapshot is gone"
ok "it is its own again" test "$(n blocks_restamped 1)" -ge 1
require blockio discard /dev/mapper/t1 0 192k
is "$(n blocks_discarded 1)" 3 "three blocks unmapped"
is "$(n discard 1)" 1 "by a discard"
is "$(durations discarding 1)" 1 "which took its time"
require blockio fua /dev/mapper/t1 0 64k 6
ok "a FUA write that waits for a commit" test "$(n fua_commit 1)" -ge 1
ok "chunks of the map cache" test "$(n map_cache_chunks)" -gt 0
ok "which were made" test "$(n map_cache_filled)" -ge "$(n map_cache_chunks)"

ok "two processes cannot make it less" test "$(n deferred)" -ge "$(n deferred 1)"
is "$(msg stats 1 reset | awk '$1 == "blocks_discarded" { print $2 }')" 3 "a reset tells once more"
is "$(n blocks_discarded 1)" 0 "then it is zero"
is "$(durations queued 1)" 0 "the histograms, too"
is "$(n blocks_discarded)" 3 "the pool's are left"
require msg STATS RESET
is "$(n blocks_discarded)" 0 "until they are reset"

log_mark
fails "a device without a table" "No data available" msg stats 7
logged "stats: no table uses device 7" "is logged"
fails "no id" "Invalid argument" msg stats x
logged "a device id or 'reset' expected, 'x' found" "is logged"
fails "too much" "Invalid argument" msg stats 1 reset now
fails "the wrong way round" "Invalid argument" msg stats reset 1

require blockio write /dev/mapper/t2 0 1M 1
dd if=/dev/zero of=/dev/mapper/t2 bs=64k count=2000 oflag=direct 2> /dev/null &
writer=$!
becomes out_of_data_space "out of data space"
starved() { [ "$(n starved 2)" -gt 0 ]; }
ok "starved writes" wait_until 60 starved
require blockio discard /dev/mapper/t2 0 64M
require dmsetup suspend --noflush --nolockfs t2
require dmsetup resume t2
kill $writer
require blockio discard /dev/mapper/t2 0 64M
wait $writer
remove t1 t2 pool
make_pool "$META" "$DATA" read_only
is "$(msg stats | tail -n 1)" end "of a read-only pool"
is "$(events)" 1 "no event but that of the mode"
finish
