#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thinx policy: what it keeps, what it refuses to keep, and that it is in effect again
# after the pool was removed and set up anew.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"

dir=$scratch/policy.d
policy() { thinx policy --config "$dir" "$@"; }
# filled NAME: how many MiB fit in
filled()
{
	dd if=/dev/urandom of="/dev/mapper/$1" bs=64k oflag=direct 2>&1 |
		sed -n 's/ bytes .*//p' | awk '{ print $1 / 1048576 }'
}

disk META 16
disk DATA 64
make_pool "$META" "$DATA" error_if_no_space
make_thin t1 1 64M
make_thin t2 2 64M

# --- files, whatever the kernel knows ---

is "$(policy show)" "" "without files there is nothing to show"
ok "nor to apply" policy apply
exits 2 "set, show or apply" policy
exits 2 "set, show or apply" policy put
exits 2 "reserve SIZE or --limit SIZE is expected" policy set t1
exits 2 "are for set" policy show --limit 5
exits 2 "is no size" policy set --limit 5x t1
exits 1 "no such volume; give a pool" policy set --limit 5m pool
exits 1 "no such pool" policy set --limit 5m --dev-id 1 t1
exits 1 "no such pool" policy apply none
mkdir -p "$dir"
echo "device 1 limitt 5m" > "$dir/pool.conf"
exits 1 "pool.conf, line 1: 'device ID" policy apply
exits 1 "pool.conf, line 1" policy set --limit 5m t1
is "$(cat "$dir/pool.conf")" "device 1 limitt 5m" "a file that is not understood is left alone"
echo "device 3 limit 5m" > "$dir/elsewhere.conf"
rm "$dir/pool.conf"
is "$(policy show --noheadings | awk '{ print $1, $2, $3 }')" "elsewhere 3 5.00m" \
	"a pool that is not set up"
rm "$dir/elsewhere.conf"

if ! msg limit 1 0 2> /dev/null; then
	log_mark
	exits 1 "Invalid argument" policy set --limit 5m t1
	is "$(ls "$dir")" "" "what the kernel refuses is not kept"
	finish
fi

# --- set ---

ok "a limit" policy set --limit 10m t1
ok "a reserve" policy set --reserve 20m --dev-id 2 pool
is "$(policy show --noheadings --units m --nosuffix -o id,name,reserve,limit |
	awk '{ print $1, $2, $3 }')" "1 t1 10.00
2 t2 20.00" "both are shown"
is "$(policy show --json | python3 -c 'import json, sys
for r in json.load(sys.stdin)["policy"]: print(r["pool"], r["id"])')" "pool 1
pool 2" "as JSON"
is "$(thinx list --noheadings -o id,limit,reserve,left --units m --nosuffix -S type=volume |
	awk '{ print $1, $2, $3 }')" "1 10.00 
2 20.00 20.00" "the kernel has them, and list shows it"
is "$(filled t1)" 10 "the limit is in effect"
exits 1 "less free than that" policy set --reserve 1g t1
exits 1 "no such thin device" policy set --limit 1g --dev-id 9 pool
is "$(grep -c device "$dir/pool.conf")" 2 "what is refused is not kept"

# --- apply ---

remove t1 t2 pool
make_pool "$META" "$DATA" error_if_no_space
activate t1 1 64M
activate t2 2 64M
require blockio discard /dev/mapper/t1 0 64M
require msg create_thin 3
activate t3 3 64M
ok "all of them again" policy apply
is "$(filled t1)" 10 "the limit is in effect"
is "$(filled t3)" $((64 - 20 - 10)) "so is the reserve, for others"
is "$(filled t2)" 20 "and for whom it is"
require blockio discard /dev/mapper/t3 0 64M
ok "ended" policy set --limit 0 --reserve 0 t1
ok "and the other" policy set --reserve 0 t2
is "$(grep -c device "$dir/pool.conf")" 0 "nothing is kept of it"
ok "more fits" test "$(filled t1)" -gt 10
remove t3
require msg delete 3
echo "device 3 limit 5m
device 1 limit 30m" > "$dir/pool.conf"
require blockio discard /dev/mapper/t1 0 64M
exits 1 "no such thin device" policy apply pool
is "$(filled t1)" 30 "the others have theirs nevertheless"
finish
