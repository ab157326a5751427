#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The program thinx(8) on a real pool: what it lists; that its maps are thin_dump's and
# its differences thin_delta's; what it says when it cannot.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"

# mapped < XML: BLOCK DATA_BLOCK, one a line
mapped()
{
	sed -nE 's/.*<single_mapping origin_block="([0-9]+)" data_block="([0-9]+)".*/\1 \2 1/p
		s/.*<range_mapping origin_begin="([0-9]+)" data_begin="([0-9]+)" length="([0-9]+)".*/\1 \2 \3/p' |
		awk '{ for (i = 0; i < $3; i++) print $1 + i, $2 + i }'
}

# differing < XML: KIND BLOCK, one a line; nothing of what is the same
differing()
{
	sed -nE 's/.*<([a-z_]+) begin="([0-9]+)" length="([0-9]+)".*/\1 \2 \3/p' |
		awk '$1 != "same" { for (i = 0; i < $3; i++) print $1, $2 + i }'
}

# same_blocks < XML: blocks that both have, or neither
same_blocks()
{
	sed -nE 's/.*<same begin="([0-9]+)" length="([0-9]+)".*/\1 \2/p' |
		awk '{ for (i = 0; i < $2; i++) print $1 + i }'
}

disk META 16
disk DATA 256
ok "without any device" thinx list
is "$(thinx list --noheadings)" "" "there is nothing to list"
make_pool "$META" "$DATA"
make_thin t1 1 1G
require fio --name=w --filename=/dev/mapper/t1 --rw=randwrite --bs=64k --size=512M \
	--io_size=40M --direct=1 --randseed=1 --output="$scratch/fio"
snapshot t1 1 3
require fio --name=w --filename=/dev/mapper/t1 --rw=randwrite --bs=64k --size=512M \
	--io_size=20M --direct=1 --randseed=2 --output="$scratch/fio"
for i in 3 40 200 201 202 1000 5000; do
	require blockio discard /dev/mapper/t1 $((i * 64))k 64k
done
activate s 3 1G

# --- list ---

is "$(thinx list --noheadings -o name,type,pool,id | awk '{ print $1, $2, $3, $4 }')" \
	"pool pool pool 
t1 volume pool 1
s volume pool 3" "names, types and IDs"
is "$(thinx list --noheadings -o size --units b --nosuffix t1 | tr -d ' ')" 1073741824 \
	"a size in bytes"
is "$(thinx list --noheadings -o mapped --units s --nosuffix t1 | tr -d ' ')" \
	"$(status t1 | awk '{ print $4 }')" "mapped sectors, as the status line has them"
is "$(thinx list --noheadings -o mode,metadata_percent -S type=pool | awk '{ print $1 }')" \
	rw "the mode of the pool, by selection"
is "$(thinx list --json | python3 -c 'import json, sys
for d in json.load(sys.stdin)["device"]: print(d["name"], d["id"] or "-")')" \
	"pool -
t1 1
s 3" "as JSON"
own=$(thinx list --noheadings -o own,shared --units s --nosuffix t1)
is "$(awk '{ print $1 + $2 }' <<< "$own")" "$(status t1 | awk '{ print $4 }')" \
	"own and shared are all that is mapped"
is "$(thinx list --noheadings -o name --count 2 --interval 1 s | grep -c s)" 2 "twice"

is "$(thinx list --noheadings -o name,own,shared --units s --nosuffix -S type=volume)" \
	"$(thinx usage --noheadings -o name,own,shared --units s --nosuffix)" "usage says the same"
ok "with its usual columns" thinx usage t1

# --- stat ---

told() { thinx stat --counters --noheadings "${@:2}" | awk -v n="$1" '$1 == n { print $2, $3 }'; }
is "$(told blocks_provisioned pool)" "$(msg stats | sed -n 's/^blocks_provisioned //p') " \
	"a counter of the pool, and no rate"
is "$(told blocks_discarded t1)" "$(msg stats 1 | sed -n 's/^blocks_discarded //p') " \
	"a counter of a volume"
is "$(thinx stat --noheadings -o stage,count -S stage=commit pool | awk '{ print $2 }')" \
	"$(told commits pool | tr -d ' ')" "so many commits, so many durations"
like "$(thinx stat --bars t1)" 'data
( *[0-9]+ [nmu]?s  *[0-9]+ \|#*\.?
?)+' "histograms as bars"
is "$(thinx stat --bars pool | awk 'length > 80')" "" "of 80 columns"
is "$(thinx stat --json t1 | python3 -c 'import json, sys
print(json.load(sys.stdin)["stage"][0]["stage"])')" queued "as JSON"
spawn_out=$scratch/stat spawn thinx stat --counters --noheadings --interval 4 --count 2 t1
require wait_until 60 test -s "$scratch/stat"
write_synced /dev/mapper/t1 900M 320k 1
succeeds "$spawned" "stat ends after two tables"
is "$(awk '$1 == "blocks_provisioned" { print $2, NF }' "$scratch/stat" | tail -n 1)" "5 3" \
	"the second one is of the interval, with a rate"
require blockio discard /dev/mapper/t1 900M 320k
exits 1 "no such pool or volume" thinx stat none
exits 2 "a pool or a volume is expected" thinx stat

# --- map and delta ---

map1=$(thinx map t1)
map3=$(thinx map /dev/mapper/s)
delta=$(thinx delta s t1)
is "$(thinx map --dev-id 3 pool)" "$map3" "a map by ID"
is "$(thinx delta --thin1 3 --snap2 1 /dev/mapper/pool)" "$delta" "differences by ID"
ranges=$(thinx map --ranges t1)
is "$(awk '{ n += $2 } END { print n }' <<< "$ranges")" \
	$(($(mapped <<< "$map1" | wc -l) * 65536)) "ranges in bytes, together"
ok "the map as JSON" python3 -c 'import json, sys
m = json.loads(sys.argv[1]); assert m["devices"][0]["id"] == 1
assert sum(r["length"] for r in m["ranges"]) == int(sys.argv[2])' \
	"$(thinx map --json t1)" "$(mapped <<< "$map1" | wc -l)"
# What the ranges say is different, and nothing else, makes s into t1.
require cp --sparse=always /dev/mapper/s "$scratch/copy"
thinx delta --ranges s t1 | while read -r offset length _; do
	dd if=/dev/mapper/t1 of="$scratch/copy" bs=64k iflag=skip_bytes,count_bytes \
		oflag=seek_bytes skip="$offset" seek="$offset" count="$length" \
		conv=notrunc status=none
done
ok "the ranges that differ, copied, make one into the other" \
	cmp "$scratch/copy" /dev/mapper/t1
rm -f "$scratch/copy"
# shellcheck disable=SC2016 # for eval
fails "thin_restore refuses what has no times" "could not find attribute: time" eval '
	echo "$map1" > "$scratch/xml"; truncate -s 16M "$scratch/restored"
	thin_restore -i "$scratch/xml" -o "$scratch/restored"'

# --- what it says when it cannot ---

exits 1 "no such volume; 'thinx list' shows all" thinx map none
exits 1 "no such thin device in the pool" thinx map --dev-id 77 pool
exits 1 "no such pool" thinx map --dev-id 77 t1
exits 2 "a volume is expected" thinx map
exits 2 "two volumes are expected" thinx delta t1
exits 2 "no command 'mapp'" thinx mapp
exits 2 "does not take this option" thinx map --thin1 1 t1
exits 2 "is no thin device" thinx map --dev-id 16777216 pool
exits 1 "No space left" sh -c 'thinx map t1 > /dev/full'
spawn fio --name=w --filename=/dev/mapper/t1 --rw=randwrite --bs=64k --size=900M \
	--io_size=100M --direct=1 --rate_iops=300 --output="$scratch/fio"
bad=0
n=0
while running "$spawned"; do
	thinx map t1 > "$scratch/map" 2> "$scratch/said"
	case $? in
	0) grep -q '</superblock>' "$scratch/map" || bad=$((bad + 1)) ;;
	1) grep -q 'ask about a snapshot' "$scratch/said" || bad=$((bad + 1)) ;;
	*) bad=$((bad + 1)) ;;
	esac
	n=$((n + 1))
done
is $bad 0 "$n maps of a volume that changes: whole, or none and the reason"

# --- the oracles ---

map1=$(thinx map t1)
delta=$(thinx delta s t1)
usage=$(thinx usage --noheadings -o id,mapped,own,shared --units s --nosuffix)
remove t1 s pool
thin_dump "$META" > "$scratch/dump"
is "$(mapped <<< "$map1" | md5sum)" \
	"$(sed -n '/dev_id="1"/,/<.device>/p' "$scratch/dump" | mapped | md5sum)" \
	"the map is thin_dump's"
is "$(mapped <<< "$map3" | md5sum)" \
	"$(sed -n '/dev_id="3"/,/<.device>/p' "$scratch/dump" | mapped | md5sum)" \
	"that of the snapshot as well"
is "$(awk '{ print $1, $2, $3, $4 }' <<< "$usage")" \
	"$(thin_ls --no-headers -o DEV,MAPPED_SECTORS,EXCLUSIVE_SECTORS,SHARED_SECTORS "$META" |
		awk '{ print $1, $2, $3, $4 }')" "the usage is that of thin_ls"
thin_delta --thin1 3 --thin2 1 "$META" > "$scratch/delta"
is "$(differing <<< "$delta" | md5sum)" "$(differing < "$scratch/delta" | md5sum)" \
	"the differences are thin_delta's"
for kind in different left_only right_only; do
	like "$delta" "<$kind " "there are some that are $kind"
done
is "$(same_blocks < "$scratch/delta" | sort | comm -23 - <(same_blocks <<< "$delta" | sort))" "" \
	"all that is the same is"

# --- LVM's names ---

pool=vg-p--1-tpool
make_pool "$META" "$DATA"
activate vg-v--1 1 1G
is "$(thinx map vg/v-1)" "$map1" "a volume as LVM calls it"
is "$(thinx map /dev/vg/v-1)" "$map1" "and by its path, there or not"
is "$(thinx map --dev-id 3 vg/p-1)" "$(thinx map --dev-id 3 "$pool")" "a pool as LVM calls it"
exits 1 "no such volume" thinx map vg/v
remove vg-v--1 vg-p--1-tpool
finish
