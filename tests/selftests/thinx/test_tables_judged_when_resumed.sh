#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Volume managers load all tables first and resume from below.  So when a pool's table
# is loaded its devices are still what they were: what they can do is judged when the
# table is resumed, at each resume, and a table that does not fit then does no harm.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk RAW 400
t=/dev/mapper/t1
mib=2048

# under TABLE-FROM-THIRD-WORD: another table for the data device, which is suspended
# and resumed as a volume manager does
under()
{
	require dmsetup load data --table "0 $*"
	require dmsetup suspend --nolockfs data
	require dmsetup resume data
}
load() { dmsetup load pool --table "$(pool_sectors=$1 pool_table "$META" /dev/mapper/data "${@:2}")"; }

# --- its size ---

require dmsetup create data --table "0 $((100 * mib)) linear $RAW 0"
fails "a first table longer than its device" "Invalid argument" dmsetup create pool \
	--table "$(pool_sectors=$((300 * mib)) pool_table "$META" /dev/mapper/data)"
! is_thinx || ok "is refused before anything is written" cmp -n 8388608 "$META" /dev/zero
make_pool "$META" /dev/mapper/data
make_thin t1 1 290M
require blockio write $t 0 90M 1

require dmsetup suspend pool
ok "a longer table is taken before the device has grown" load $((300 * mib))
log_mark
fails "but not resumed" "" dmsetup resume pool
logged "too small for target" "the log says why"
ok "the old table can be resumed" dmsetup resume pool
like "$(status)" "/1600 - rw " "and nothing has changed"
ok "data are unharmed" blockio verify $t 0 90M 1

require dmsetup suspend pool
require load $((300 * mib))
under "$((300 * mib)) linear $RAW 0"
ok "a longer table, resumed once the device has grown" dmsetup resume pool
like "$(status)" "/4800 - rw " "the pool has grown"
ok "all of it can be used" blockio write $t 90M 200M 2
is "$(data_used)" 4640 "it is"
ok "what was there" blockio verify $t 0 90M 1
ok "what is new" blockio verify $t 90M 200M 2

if is_thinx; then
	log_mark
	require dmsetup suspend pool
	under "$((299 * mib)) linear $RAW 0"
	ok "a device that shrank below its table: resumed" dmsetup resume pool
	logged "data device .* has 612352 sectors, too few for 4800 blocks" \
		"the log says so"
	like "$(status)" "/4800 - rw " "the pool keeps its size"
	require dmsetup suspend pool
	under "$((300 * mib)) linear $RAW 0"
	require dmsetup resume pool
	ok "data are unharmed" blockio verify $t 90M 200M 2
fi
remove t1 pool data

# --- its discards ---

require dd if=/dev/zero of="$META" bs=1M count=8 status=none oflag=direct
disk A 64
disk B 64
limit_of() { echo "/sys/dev/block/$(major_minor "$1")/queue/discard_max_bytes"; }
limit=$(limit_of "$A")
# From 0 nothing leads back.
at_end disk_gone A
echo 0 > "$limit" || bail "no discards"
n=$(size_of "$A")
require dmsetup create data --table "0 $n linear $A 0"
log_mark
make_pool "$META" /dev/mapper/data
logged "Data device \(dm-[0-9]*\) discard unsupported: Disabling discard passdown\." \
	"without discards the log says that nothing is passed down"
is "$(pool_field 9)" no_discard_passdown "so does the status"
make_thin t1 1 60M
require blockio write $t 0 48M 1
require blockio sync $t

# move FROM TO: the pool's table is loaded before its device has moved
move()
{
	require dmsetup suspend pool
	require load "$n"
	require dmsetup suspend --nolockfs data
	require dd if="$1" of="$2" bs=1M iflag=direct oflag=direct status=none
	require dmsetup load data --table "0 $n linear $2 0"
	require dmsetup resume data
	log_mark
	require dmsetup resume pool
}
shrunk() { [ $((before - $(used_kib B))) -ge 8192 ]; }

move "$A" "$B"
is "$(pool_field 9)" discard_passdown "discards have come"
not_logged "Disabling discard passdown" "and nothing is said"
before=$(used_kib B)
ok "8 MiB are discarded" blockio discard $t 0 8M
data_used > /dev/null
ok "and reach the device" wait_until 60 shrunk
move "$B" "$A"
is "$(pool_field 9)" no_discard_passdown "discards have gone"
logged "discard unsupported: Disabling discard passdown" "which the log says"
ok "the rest is there" blockio verify $t 8M 40M 1

# Their size, without a new table.
move "$A" "$B"
limit=$(limit_of /dev/mapper/data)
most=$(cat "$limit")
echo 32768 > "$limit" || bail "a limit of 32 KiB"
require dmsetup suspend pool
log_mark
require dmsetup resume pool
is "$(pool_field 9)" no_discard_passdown "discards of half a block only"
logged "max discard sectors smaller than a block: Disabling" "which the log says"
echo $((most >> 20 << 20)) > "$limit" || bail "the limit of before"
require dmsetup suspend pool
require dmsetup resume pool
is "$(pool_field 9)" discard_passdown "and whole ones again"
ok "the rest is there" blockio verify $t 8M 40M 1

# --- its cache ---

cache=/sys/dev/block/$(major_minor "$B")/queue/write_cache
# flushes: field 16 of the kernel's I/O counts
flushes() { awk '{ print $16 }' "/sys/dev/block/$(major_minor "$B")/stat"; }
for how in "write through" "write back"; do
	require bash -c "echo '$how' > $cache"
	under "$n linear $B 0"
	require dmsetup suspend pool
	require dmsetup resume pool
	require blockio write $t 8M 1M 1
	before=$(flushes)
	require blockio sync $t
	if [ "$how" = "write back" ]; then
		ok "a cache that came is flushed" test "$(flushes)" -gt "$before"
	else
		is "$(flushes)" "$before" "one that went is not"
	fi
done
remove t1 pool data
finish
