#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# no_space_timeout takes effect when waiting begins, can be written at any time, and
# 0 means for ever.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

disk META 8
disk DATA 64
p=$parameters/no_space_timeout
is "$(cat "$p")" 60 "the default"
pool_sectors=$((20 * 128))
make_pool "$META" "$DATA"
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1

# make_room OFFSET: free a block for the waiting writer
make_room()
{
	require blockio discard $t "$1" 64k
	commit_freed $t
}

ok "can be written" bash -c "echo 0 > $p"
fails "but not with nonsense" "" bash -c "echo x > $p"
is "$(cat "$p")" 0 "which changes nothing"
spawn blockio write $t 2M 64k 2
writer=$spawned
becomes out_of_data_space "full"
raised 2 "low water mark and mode: two events"
n=2
echo 2 > "$p"
sleep 5
ok "0 when it began: held for ever" running $writer
is "$(pool_field 10) $(events)" "queue_if_no_space $n" "queueing, no event"
make_room 0
succeeds $writer "with room it ends"
becomes rw "write mode"
n=$((n + 1))
raised $n "one event"

log_mark
spawn blockio write $t 3M 64k 3
writer=$spawned
becomes out_of_data_space "full again"
echo 0 > "$p"
begin=$SECONDS
ok "2 when it began: it ends" wait_until 120 stopped $writer
ok "not later than it should" test $((SECONDS - begin)) -le 45
like "$(cat "$scratch/out")" ENOSPC "with ENOSPC"
logged "switching pool to out-of-data-space \(error IO\) mode" "logged"
n=$((n + 2))
raised $n "two events: full, and expired"
is "$(pool_mode) $(pool_field 10)" "out_of_data_space error_if_no_space" "status"

make_room 64k
becomes rw "write mode"
n=$((n + 1))
raised $n "one event"
is "$(pool_field 10)" queue_if_no_space "queueing as the table says"
require blockio write $t 4M 64k 4
spawn blockio write $t 5M 64k 5
writer=$spawned
becomes out_of_data_space "full once more"
n=$((n + 1))
raised $n "one event"
sleep 4
ok "0 again: held" running $writer
is "$(events)" "$n" "no event"
make_room 128k
succeeds $writer "with room it ends"
for i in 2 4 5; do
	ok "what was written is there ($i)" blockio verify $t ${i}M 64k "$i"
done
ok "what was refused is not" blockio zeros $t 3M 64k
ok "the rest is unharmed" blockio verify $t 192k 1088k 1
finish
