#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The message trim gives the space of free blocks back to the data device: what it
# trims and what not, page by page, in every mode; what it refuses.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
inval="Invalid argument"

disk META 8
disk DATA 128
wrap data "$DATA"
make_pool "$META" /dev/mapper/data no_discard_passdown
make_thin t1 1 64M
t=/dev/mapper/t1
mib() { echo $((($(used_kib DATA) + 512) / 1024)); }

# --- what it trims ---

write_synced $t 0 32M 1
snapshot t1 1 2
write_synced $t 8M 4M 2
is "$(mib)" 36 "written"
is "$(msg trim)" "thinx-trim 1
trimmed 1472
end" "all that is free is trimmed"
is "$(mib)" 36 "nothing has been used there yet"
require blockio discard $t 0 16M
is "$(mib)" 36 "discards are not passed down"
is "$(msg TRIM | head -n 2)" "thinx-trim 1
trimmed 1536" "what has just been freed as well; in upper case"
is "$(mib)" 32 "its space is given back"
ok "the volume is unharmed" blockio verify $t 16M 16M 1
activate s 2 64M
ok "so is the snapshot" blockio verify /dev/mapper/s 0 32M 1
remove s
require msg delete 2
is "$(msg trim | sed -n 2p)" "trimmed 1792" "after the snapshot is gone"
is "$(mib)" 16 "its space is given back, too"
ok "the volume is still unharmed" blockio verify $t 16M 16M 1
ok "and zeros are where it was discarded" blockio zeros $t 0 16M
write_synced $t 0 32M 3
ok "trimmed blocks can be used" blockio verify $t 0 32M 3
require blockio discard $t 0 64M
is "$(msg trim | sed -n 2p)" "trimmed 2048" "an empty pool"
is "$(mib)" 0 "nothing is left"

# --- pages ---

# pages FROM MAX: all of them; prints the sum and how many
pages()
{
	local from=$1 page sum=0 n=0

	while :; do
		page=$(msg trim "$from" "$2") || return 1
		n=$((n + 1))
		sum=$((sum + $(sed -n 's/^trimmed //p' <<< "$page")))
		[[ $page != *end ]] || break
		[ "${page##*next }" -gt "$from" ] || return 1
		from=${page##*next }
	done
	echo $sum $n
}

is "$(msg trim 0 10)" "thinx-trim 1
trimmed 10
next 10" "ten blocks"
is "$(msg trim 2040 10)" "thinx-trim 1
trimmed 8
end" "the last eight"
is "$(msg trim 2048 10)" "thinx-trim 1
trimmed 0
end" "from behind the last one"
is "$(msg trim 18446744073709551615 18446744073709551615)" "thinx-trim 1
trimmed 0
end" "from far behind"
is "$(pages 0 300)" "2048 7" "in pages of 300"
is "$(pages 3 2000)" "2045 2" "in two, from the middle"
require blockio write $t 0 64M 4
for ((i = 0; i < 64; i += 2)); do
	require blockio discard $t ${i}M 512k
done
is "$(pages 0 100)" "1280 13" "free blocks here and there, in pages of 100"
is "$(mib)" 48 "their space is given back"
unharmed()
{
	local i

	for ((i = 1; i < 64; i += 2)); do
		blockio verify "$t" "${i}M" 1M 4 || return 1
		blockio verify "$t" $(((i - 1) * 1024 + 512))k 512k 4 || return 1
	done
}
ok "the rest is unharmed" unharmed

# --- what it refuses ---

log_mark
fails "one number" "$inval" msg trim 1
logged "trim \[FROM MAX\]: 1 or 3 words expected, 2 found" "is logged"
fails "three" "$inval" msg trim 1 2 3
fails "no number" "$inval" msg trim x 1
logged "trim \[FROM MAX\]: a block number expected, 'x' found" "is logged"
fails "less than 0" "$inval" msg trim -1 1
fails "a number too large" "$inval" msg trim 18446744073709551616 1
fails "MAX 0" "$inval" msg trim 0 0
logged "trim \[FROM MAX\]: a number of at least 1 expected, '0' found" "is logged"
fails "MAX too large" "$inval" msg trim 0 18446744073709551616
require dmsetup suspend pool
fails "while the pool is suspended" "busy" msg trim
logged "trim: the pool is suspended" "is logged"
require dmsetup resume pool
before=$(status)
broken data "$DATA"
fails "the data device fails" "Input/output error" msg trim
logged "trim: data device \(dm-[0-9]+\): a discard between data blocks [0-9]+ and [0-9]+ failed: error -5" \
	"is logged"
healed data "$DATA"
is "$(status)" "$before" "the mode has not changed"
ok "healed" msg trim
is "$(events)" 0 "no event was raised"
ok "all is there" blockio verify $t 1M 1M 4
remove t1 pool

# --- modes and features ---

for feature in discard_passdown ignore_discard; do
	[ $feature = ignore_discard ] && blank "$META"
	set -- $feature
	[ $feature = ignore_discard ] || shift
	make_pool "$META" /dev/mapper/data "$@"
	like "$(msg trim | tr '\n' ' ')" 'trimmed [1-9][0-9]* end ' "a pool with $feature"
	[ $feature = ignore_discard ] || { activate t1 1 64M; require blockio discard $t 0 64M; remove t1; }
	remove pool
done
make_pool "$META" /dev/mapper/data read_only
log_mark
fails "read-only" "not supported" msg trim
logged "unable to service pool target messages in READ_ONLY or FAIL mode" "is logged"
remove pool
make_pool "$META" /dev/mapper/data error_if_no_space
make_thin t1 1 256M
dd if=/dev/zero of=$t bs=1M oflag=direct 2> /dev/null
becomes out_of_data_space "out of data space"
is "$(msg trim)" "thinx-trim 1
trimmed 0
end" "nothing is free"
require blockio discard $t 10M 20M
like "$(msg trim | tr '\n' ' ')" 'trimmed [0-9]+ end ' "blocks are free"
becomes rw "in write mode"
remove t1 pool

# --- a device without discards ---

limit=/sys/dev/block/$(major_minor "$DATA")/queue/discard_max_bytes
echo 0 > "$limit"
make_pool "$META" "$DATA"
log_mark
fails "no discards" "not supported" msg trim
logged "trim: data device \(loop[0-9]+\) that takes discards expected" "is logged"
remove pool
remove data
disk_gone DATA
finish
