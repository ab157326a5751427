#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The messages that ask: map, delta and usage.  What they say, page by page, in every
# mode, while volumes change and go; what they refuse; and that they change nothing.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "dm-thin knows no queries"
inval="Invalid argument"

# lines WORDS...: the answer without its first line
lines() { msg "$@" | tail -n +2; }

# pages NAME ID... MAX: the lines of all pages, from block 0; $nr_pages are counted in
# $scratch/pages
pages()
{
	local max=${*: -1} from=0 page last n=0
	local ids=("${@:2:$#-2}")

	while :; do
		page=$(msg "$1" "${ids[@]}" "$from" "$max") || return 1
		n=$((n + 1))
		last=$(tail -n 1 <<< "$page")
		sed -e 1d -e '$d' <<< "$page"
		[ "$last" != end ] || break
		[[ $last =~ ^next\ [0-9]+$ ]] && [ "${last#next }" -gt "$from" ] || return 1
		from=${last#next }
	done
	echo $n > "$scratch/pages"
}

# joined: lines of a map; neighbours become one
joined()
{
	awk 'n && $1 == b + l && $3 == d + l && $4 == s { l += $2; next }
		n { print b, l, d, s }
		{ n = 1; b = $1; l = $2; d = $3; s = $4 }
		END { if (n) print b, l, d, s }'
}

stamp() { msg map "$1" 0 1 | awk 'NR == 1 { print $4 }'; }

disk META 16
disk DATA 128
make_pool "$META" "$DATA"
make_thin t1 1 1G
require msg create_thin 2

# --- what they say ---

is "$(lines map 1 0 10)" end "the map of an empty volume"
is "$(lines delta 1 2 0 10)" end "a comparison of empty volumes"
is "$(lines usage 1 0 10)" "mapped 0
own 0
end" "the usage of an empty volume"
write_synced /dev/mapper/t1 0 640k 1
write_synced /dev/mapper/t1 64M 128k 2
is "$(lines map 1 0 10)" "0 10 0 own
1024 2 10 own
end" "a map of two runs"
like "$(msg map 1 0 10 | head -n 1)" '^thinx-map 1 1 [0-9a-f]{16}\.[0-9a-f]+$' \
	"the first line names the format, the device and its stamp"
is "$(lines map 1 3 1)" "3 7 3 own
next 10" "from the middle, one line"
is "$(lines map 1 10 1)" "1024 2 10 own
end" "the next page"
is "$(lines map 1 1026 1)" end "from behind the last block"
is "$(lines MAP 1 0 18446744073709551615)" "$(lines map 1 0 10)" \
	"in any case, with the largest MAX"
is "$(lines map 1 18446744073709551615 1)" end "from the last block there can be"
snapshot t1 1 3
is "$(lines map 1 0 10)" "0 10 0 shared
1024 2 10 shared
end" "all is shared with the snapshot"
write_synced /dev/mapper/t1 128k 64k 3
is "$(lines map 1 0 10)" "0 2 0 shared
2 1 12 own
3 7 3 shared
1024 2 10 shared
end" "but for what was written since"
is "$(lines map 3 0 10)" "0 2 0 shared
2 1 2 own
3 7 3 shared
1024 2 10 shared
end" "on the other side as well"
is "$(lines delta 3 1 0 10)" "same 0 2
different 2 1
same 3 1023
end" "the comparison"
is "$(lines delta 3 1 0 2)" "same 0 2
different 2 1
next 3" "two lines of it"
like "$(msg delta 3 1 0 10 | head -n 1)" \
	'^thinx-delta 1 3 [0-9a-f]{16}\.[0-9a-f]+ 1 [0-9a-f]{16}\.[0-9a-f]+$' \
	"the first line has the stamps of both"
require blockio discard /dev/mapper/t1 64M 64k
write_synced /dev/mapper/t1 128M 64k 3
is "$(lines delta 3 1 3 10)" "same 3 1021
left_only 1024 1
same 1025 1023
right_only 2048 1
end" "blocks that only one has"
is "$(lines usage 1 0 100)" "mapped 12
own 2
end" "own blocks of the volume"
is "$(lines usage 3 0 100)" "mapped 12
own 2
end" "and of the snapshot"
used=$(data_used)
require msg delete 3
is $((used - $(data_used))) 2 "which is what deleting frees"
is "$(lines usage 1 0 100)" "mapped 12
own 12
end" "then all of the volume's is its own"

# --- which devices there are ---

is "$(msg devices 0 10)" "thinx-devices 1
1 12 0 0 1 used
2 0 0 0 0 idle
end" "two, one of them in a table"
require msg set_transaction_id 0 5
require msg create_snap 16777215 1
is "$(lines devices 1 1)" "1 12 0 0 2 used
next 2" "a page of one"
is "$(lines devices 2 1)" "2 0 0 0 0 idle
next 3" "the next one"
is "$(lines devices 3 18446744073709551615)" "16777215 12 5 2 2 idle
end" "with the transaction id and the times"
is "$(lines devices 18446744073709551615 1)" end "from behind the last"
require msg delete 16777215
require msg set_transaction_id 5 0

# --- what they refuse ---

log_mark
fails "no such device" "No data available" msg map 9 0 1
logged "map: there is no device 9" "is logged"
fails "one of two" "No data available" msg delta 1 9 0 1
logged "delta: there is no device 1, or no device 9" "is logged"
fails "an id too large" "$inval" msg map 16777216 0 1
logged "map ID FROM MAX: a device id expected, '16777216' found" "is logged"
fails "no id" "$inval" msg usage x 0 1
fails "no block number" "$inval" msg map 1 -1 1
logged "map ID FROM MAX: a block number expected, '-1' found" "is logged"
fails "a block number too large" "$inval" msg map 1 18446744073709551616 1
fails "MAX 0" "$inval" msg map 1 0 0
logged "map ID FROM MAX: a number of at least 1 expected, '0' found" "is logged"
fails "MAX too large" "$inval" msg delta 1 1 0 18446744073709551616
fails "too few words" "$inval" msg map 1 0
logged "map ID FROM MAX: 4 words expected, 3 found" "is logged"
fails "too many" "$inval" msg delta 1 2 0 1 1
fails "none" "$inval" msg usage
fails "the list, without MAX" "$inval" msg devices 0
fails "from nowhere" "$inval" msg devices -1 1
logged "devices FROM MAX: a number expected, '-1' found" "is logged"
fails "MAX 0 of the list" "$inval" msg devices 0 0

# --- pages, small and large replies ---

# Every second block of 20000, so that the map has 10000 lines.
remove t1 pool
disk META2 32
disk DATA2 4G
format_scattered "$META2" "$DATA2" 10000
make_pool "$META2" "$DATA2"
wanted=$(seq 0 9999 | awk '{ print $1, 1, 2 * $1, "own" }')
is "$(lines map 1 0 1000000 | wc -l)" 4097 "an answer has 4096 lines at most"
is "$(lines map 1 0 1000000 | tail -n 1)" "next 4096" "and says so"
is "$(pages map 1 1000000 | md5sum)" "$(md5sum <<< "$wanted")" "they are all there"
is "$(cat "$scratch/pages")" 3 "in three pages"
is "$(pages map 1 777 | md5sum)" "$(md5sum <<< "$wanted")" "in pages of 777"
is "$(cat "$scratch/pages")" 13 "thirteen"
is "$(pages usage 1 7 | awk '/own/ { n += $2 } END { print n }')" 10000 \
	"usage adds up over pages"
ok "more than one" test "$(cat "$scratch/pages")" -gt 5
remove pool

# --- a volume that changes and goes between pages ---

make_pool "$META" "$DATA"
activate t1 1 1G
a=$(stamp 1)
is "$(stamp 1)" "$a" "a stamp stays"
b=$(stamp 2)
write_synced /dev/mapper/t1 300M 64k 4
c=$(stamp 1)
ok "until the mappings change" test "$a" != "$c"
is "$(stamp 2)" "$b" "those of others do not matter"
write_synced /dev/mapper/t1 300M 64k 5
is "$(stamp 1)" "$c" "nor does a block that is overwritten in place"
require blockio discard /dev/mapper/t1 300M 64k
ok "a discard changes it" test "$(stamp 1)" != "$c"
a=$(stamp 1)
require msg create_snap 7 1
fails "page 2 of a device deleted after page 1" "No data available" \
	eval 'msg map 7 0 1 > /dev/null; msg delete 7; msg map 7 10 1'
spawn fio --name=w --filename=/dev/mapper/t1 --rw=randwrite --bs=64k --size=60M \
	--time_based --runtime=5 --direct=1
bad=0
n=0
while running "$spawned"; do
	pages map 1 50 > /dev/null && pages delta 2 1 50 > /dev/null || bad=$((bad + 1))
	msg create_snap 8 1 && pages delta 8 1 5 > /dev/null && msg delete 8 || bad=$((bad + 1))
	n=$((n + 1))
done
is $bad 0 "$n times, while it is written and snapshots come and go"
ok "more than once" test $n -gt 0
remove t1
a=$(pages map 1 1000 | joined | awk '{ print $1, $2, $3 }')
remove pool
is "$a" "$(thin_dump "$META" | sed -n '/dev_id="1"/,/<.device>/{
	s/.*origin_block="\([0-9]*\)" data_block="\([0-9]*\)".*/\1 1 \2 x/p
	s/.*origin_begin="\([0-9]*\)" data_begin="\([0-9]*\)" length="\([0-9]*\)".*/\1 \3 \2 x/p
	}' | joined | awk '{ print $1, $2, $3 }')" "the map is thin_dump's"
make_pool "$META" "$DATA"

# --- every mode, and that nothing changes ---

is "$(events)" 0 "no event so far"
require dmsetup suspend pool
is "$(lines delta 1 1 0 1)" "$(lines delta 1 1 0 1)" "while the pool is suspended"
ok "the map" msg map 1 0 1000
require dmsetup resume pool
is "$(events)" 0 "queries raise no events"
a=$(pages map 1 1000)
# shellcheck disable=SC2016 # for awk
nr_writes() { io_counts "$META" '$5'; }
writes=$(nr_writes)
is "$(pages map 1 1000)" "$a" "asked again, the same"
is "$(nr_writes)" "$writes" "without a commit"
activate t1 1 1G
dd if=/dev/zero of=/dev/mapper/t1 bs=64k seek=4000 count=3000 oflag=direct 2> /dev/null &
writer=$!
becomes out_of_data_space "out of data space"
ok "a map" pages map 1 1000
ok "a comparison" pages delta 2 1 1000
require blockio discard /dev/mapper/t1 0 50M
wait $writer
remove t1
remove pool
make_pool "$META" "$DATA" read_only
is "$(pool_mode)" ro "read-only"
a=$(pages map 1 1000)
like "$a" '^[0-9]+ [0-9]+ [0-9]+ own' "a map"
ok "a comparison" pages delta 2 1 1000
ok "the usage" pages usage 1 1000
ok "the list" msg devices 0 100
fails "other messages are refused" "not supported" msg create_thin 50
remove pool

# --- many devices ---

disk META3 64
{
	echo "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" data_block_size=\"$bs\" nr_data_blocks=\"$(($(size_of "$DATA") / bs))\">"
	seq 0 7 $((4999 * 7)) | sed 's,.*,<device dev_id="&" mapped_blocks="0" transaction="0" creation_time="0" snap_time="0"></device>,'
	echo "</superblock>"
} > "$scratch/xml"
require thin_restore -i "$scratch/xml" -o "$META3"
make_pool "$META3" "$DATA"
is "$(lines devices 0 1000000 | wc -l)" 4097 "a page of the list has 4096 lines at most"
is "$(lines devices 0 1000000 | tail -n 1)" "next $((4095 * 7 + 1))" "and says so"
is "$(pages devices 333 | awk '{ print $1 }' | md5sum)" \
	"$(seq 0 7 $((4999 * 7)) | md5sum)" "they are all there"
remove pool
finish
