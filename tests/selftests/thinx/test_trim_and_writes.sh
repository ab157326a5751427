#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# While blocks are trimmed a write does not get them, and waits for them if there are
# no others; the low water mark is not reached by trimming.  A suspend, and a signal,
# end it early.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
require modprobe dm-delay
t=/dev/mapper/t1

# slow MS: all writes and discards of the data device take so long
slow() { rewrap data delay "$DATA" 0 0 "$DATA" 0 "$1"; }
quick() { rewrap data linear "$DATA" 0; }
trim_begins()
{
	spawn dmsetup message pool 0 trim
	trimmer=$spawned
	require wait_until 60 blocked "$trimmer"
	sleep 0.5
}
stat_of() { msg stats | awk -v n="$1" '$1 == n { print $2 }'; }

# --- no other space ---

pool_sectors=$((20 * 128))
wrapped_pool data 8 64 error_if_no_space
make_thin t1 1 64M
write_synced $t 0 1216k 1
slow 3000
trim_begins
spawn_out=$scratch/written spawn blockio write $t 8M 64k 2
ok "a write while the last free block is trimmed" wait_until 60 stopped "$spawned"
ok "succeeds" wait "$spawned"
ok "it had to wait" test "$(stat_of starved)" -gt 0
succeeds "$trimmer" "the trimming ends"
is "$(tail -n 1 "$scratch/out")" end "at the end"
quick
is "$(pool_mode)" rw "the mode has not changed"
ok "what was written is there" blockio verify $t 8M 64k 2
ok "and the rest" blockio verify $t 0 1216k 1
is "$(data_used)" 20 "the pool is full"
fails "now a write fails" ENOSPC blockio write $t 9M 64k 2
remove t1 pool data

# --- a provision has claimed what is being trimmed ---

pool_sectors=$((800 * 128))
wrapped_pool data 8 64 error_if_no_space
make_thin t1 1 64M
make_thin t2 2 64M
# The first half, which is trimmed first, is slow, the rest is not: that is filled long
# before the trimming ends.
swap_table data <<-TABLE
0 51200 delay $DATA 0 0 $DATA 0 6000
51200 $(($(size_of "$DATA") - 51200)) linear $DATA 51200
TABLE
trim_begins
ok "all that is free, half of it held" timeout 200 dmsetup message pool 0 "provision 1 0 800"
succeeds "$trimmer" "the trimming ends"
quick
is "$(data_used)" 800 "the device has it"
is "$(status t1 | awk '{ print $4 }')" $((800 * 128)) "all of it"
fails "and nobody else" ENOSPC blockio write /dev/mapper/t2 0 64k 2
becomes out_of_data_space "the pool is full"
require blockio discard $t 0 64M
becomes rw "until the device gives it back"
remove t1 t2 pool data

# --- the low water mark ---

pool_sectors=$((40 * 128))
low=8 wrapped_pool data 8 64
make_thin t1 1 64M
write_synced $t 0 1280k 1
slow 2000
trim_begins
ok "three more blocks" blockio write $t 4M 192k 2
ok "during the trimming" running "$trimmer"
is "$(events)" 0 "no event with 17 blocks left, 10 of them held"
succeeds "$trimmer" "the trimming ends"
quick
require blockio write $t 5M 512k 3
is "$(events)" 0 "none with 9 left"
require blockio write $t 6M 128k 3
raised 1 "one when 8 are left and another one is taken"
remove t1 pool data

# --- suspend and signals ---

pool_sectors=
wrapped_pool data 8 1G
make_thin t1 1 64M
write_synced $t 0 8M 1
slow 700
trim_begins
before=$SECONDS
ok "the pool is suspended" timeout 30 dmsetup suspend pool
ok "at once" test $((SECONDS - before)) -lt 8
succeeds "$trimmer" "that ends the trimming"
like "$(tail -n 1 "$scratch/out")" '^next [1-9][0-9]*$' "and it says where"
next=$(sed -n 's/^next //p' "$scratch/out")
done_so_far=$(sed -n 's/^trimmed //p' "$scratch/out")
quick
require dmsetup resume pool
is "$(msg trim "$next" 100000 | sed -n 2p)" "trimmed $((16384 - 128 - done_so_far))" \
	"the rest of it"
slow 700
trim_begins
before=$SECONDS
kill -9 "$trimmer"
ok "a killed one is gone" wait_until 60 stopped "$trimmer"
ok "soon" test $((SECONDS - before)) -lt 8
quick
is "$(msg trim | sed -n 2p)" "trimmed 16256" "nothing is held any more"
is "$(pool_mode)" rw "the mode has not changed"
ok "what was written is there" blockio verify $t 0 8M 1
remove t1 pool data
finish
