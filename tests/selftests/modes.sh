# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# Copyright (C) 2026 The thinx authors.
#
# A pool with one of everything that may behave differently in each mode, and the
# checks.  Sourced after lib.sh by the tests of the modes.
#
#   t1  id 1   blocks 0 to 15, exclusive, pattern 1
#   t2  id 2   blocks 0 to 3, pattern 2, shared with id 3, which has no table
#   t4  id 4   nothing mapped, over an external origin of 1000 sectors, pattern 7
#   t5  id 5   nothing mapped: for filling the pool
#   -   id 6   nothing mapped, no table
#
# The pool has $modes_blocks data blocks and uses 20; its metadata is on a mapping
# named meta.

modes_blocks=64
_held=()

# modes_setup METADATA-SIZE [FEATURE...]
modes_setup()
{
	disk META "$1"
	disk DATA 64
	disk ORIGIN 1
	shift
	require blockio write "$ORIGIN" 0 1M 7
	require dmsetup create origin --table "0 1000 linear $ORIGIN 0"
	wrap meta "$META"
	pool_sectors=$((modes_blocks * bs))
	make_pool /dev/mapper/meta "$DATA" "$@"
	make_thin t1 1 32M
	require blockio write /dev/mapper/t1 0 1M 1
	make_thin t2 2 32M
	require blockio write /dev/mapper/t2 0 256k 2
	snapshot t2 2 3
	make_thin t4 4 2M /dev/mapper/origin
	make_thin t5 5 32M
	require msg create_thin 6
	require blockio sync /dev/mapper/t1
}

modes_activate()
{
	activate t1 1 32M
	activate t2 2 32M
	activate t4 4 2M /dev/mapper/origin
	activate t5 5 32M
}

# fill_pool: no block is left, and no write has failed for lack of one yet
fill_pool()
{
	local used

	used=$(data_used)
	require blockio write /dev/mapper/t5 0 $(((modes_blocks - used) * 64))k 5
	is "$(data_used)" $modes_blocks "all blocks are in use"
	is "$(pool_mode)" rw "that alone does not end write mode"
}

# try WANTED DESCRIPTION COMMAND...: WANTED is ok, held, or the name of an errno
try()
{
	local want=$1 what=$2

	shift 2
	case $want in
	ok)	ok "$what" timeout 120 "$@" ;;
	held)	spawn_out=$scratch/held.${#_held[@]} spawn "$@"
		_held+=("$spawned")
		wait_until 120 blocked "$spawned"
		sleep 0.5
		ok "$what: held" running "$spawned" ;;
	*)	fails "$what: $want" "$want" timeout 120 "$@" ;;
	esac
}

# held_end ok|ERRNO SECONDS: all held writes end like that
held_end()
{
	local i

	for i in "${!_held[@]}"; do
		ok "held write $i ends" wait_until "$2" stopped "${_held[i]}"
		if [ "$1" = ok ]; then
			ok "with success" wait "${_held[i]}"
		else
			like "$(cat "$scratch/held.$i")" "$1" "with $1"
		fi
	done
	_held=()
}

held_still()
{
	local i

	for i in "${!_held[@]}"; do
		ok "write $i is still held ($1)" running "${_held[i]}"
	done
}

# modes_reads ok|ERRNO
modes_reads()
{
	local tail=$1

	try "$1" "a mapped block can be read" \
		blockio verify /dev/mapper/t1 0 64k 1
	try "$1" "a shared block" blockio verify /dev/mapper/t2 192k 64k 2
	try "$1" "a hole" blockio zeros /dev/mapper/t1 8M 1M
	try "$1" "a hole over the external origin" \
		blockio verify /dev/mapper/t4 0 448k 7
	# The stock target clips reads at the end of an origin in write mode only.
	is_thinx || mode_is rw || tail=EIO
	try "$tail" "across the end of the origin" \
		blockio read /dev/mapper/t4 448k 64k
}

# modes_writes OVERWRITE NEW: what to expect of each, as for try
modes_writes()
{
	try "$1" "an exclusive block can be overwritten" \
		blockio write /dev/mapper/t1 64k 64k 11
	try "$1" "a part of one" blockio write /dev/mapper/t1 128k 4k 11
	try "$1" "with FUA" blockio fua /dev/mapper/t1 192k 4k 11
	try "$1" "flushed" blockio sync /dev/mapper/t1
	try "$2" "a new block" blockio write /dev/mapper/t1 16M 64k 12
	try "$2" "a part of one" blockio write /dev/mapper/t1 17M 4k 12
	try "$2" "a shared block" blockio write /dev/mapper/t2 64k 4k 13
	try "$2" "a block over the origin" \
		blockio write /dev/mapper/t4 64k 4k 14
}

# modes_written ok|no: what modes_writes wrote is there, and nothing else changed
modes_written()
{
	ok "overwritten" blockio verify /dev/mapper/t1 64k 68k 11
	ok "the rest of its block" blockio verify /dev/mapper/t1 132k 60k 1
	ok "with FUA" blockio verify /dev/mapper/t1 192k 4k 11
	if [ "$1" = ok ]; then
		ok "the new block" blockio verify /dev/mapper/t1 16M 64k 12
		ok "the part of one" blockio verify /dev/mapper/t1 17M 4k 12
		ok "the rest of it is zeros" \
			blockio zeros /dev/mapper/t1 17412k 60k
		ok "the shared block" blockio verify /dev/mapper/t2 64k 4k 13
		ok "the rest of it is copied" blockio verify /dev/mapper/t2 68k 60k 2
		ok "the block over the origin" \
			blockio verify /dev/mapper/t4 64k 4k 14
		ok "the rest of it is copied" blockio verify /dev/mapper/t4 68k 60k 7
	else
		ok "the hole is still a hole" blockio zeros /dev/mapper/t1 16M 2M
		ok "the shared block is as it was" \
			blockio verify /dev/mapper/t2 0 256k 2
		ok "the origin shows through" blockio verify /dev/mapper/t4 0 448k 7
	fi
}

# modes_messages ok|refused|shrink: only those that take no metadata blocks
modes_messages()
{
	local m n

	n=$(events)
	if [ "$1" = ok ]; then
		for m in "create_thin 20" "create_snap 21 20" "create_snap 22 1" \
				"delete 22" "delete 21" "delete 20" \
				"set_transaction_id 0 7" "set_transaction_id 7 0" \
				reserve_metadata_snap release_metadata_snap; do
			# shellcheck disable=SC2086 # words
			ok "message $m" msg $m
		done
		fails "message create_thin 1: EEXIST" "File exists" \
			msg create_thin 1
		fails "message delete 1: EBUSY" busy msg delete 1
	elif [ "$1" = shrink ]; then
		for m in "create_thin 20" "create_snap 20 1" reserve_metadata_snap; do
			log_mark
			# shellcheck disable=SC2086 # words
			fails "message $m: EOPNOTSUPP" "not supported" msg $m
			logged "unable to service pool target messages in READ_ONLY or FAIL mode" \
				"and the log says why"
		done
		for m in "set_transaction_id 0 7" "set_transaction_id 7 0"; do
			# shellcheck disable=SC2086 # words
			ok "message $m" msg $m
		done
		fails "message delete 1: EBUSY" busy msg delete 1
		fails "message nonsense: EINVAL" "Invalid argument" msg nonsense
		fails "message release_metadata_snap: EINVAL" "Invalid argument" \
			msg release_metadata_snap
	else
		for m in "create_thin 20" "create_snap 20 1" "delete 6" \
				"set_transaction_id 0 7" reserve_metadata_snap \
				release_metadata_snap nonsense; do
			log_mark
			# shellcheck disable=SC2086 # words
			fails "message $m: EOPNOTSUPP" "not supported" msg $m
			logged "unable to service pool target messages in READ_ONLY or FAIL mode" \
				"and the log says why"
		done
	fi
	is "$(events)" "$n" "no message raised an event"
}

# modes_stays MODE: suspending and resuming changes nothing
modes_stays()
{
	local n

	n=$(events)
	require timeout 120 dmsetup suspend pool
	is "$(pool_mode)" "$1" "status of the suspended pool"
	require timeout 120 dmsetup resume pool
	is "$(pool_mode)" "$1" "resumed: the mode has not changed"
	require timeout 120 dmsetup suspend t5
	require dmsetup resume t5
	is "$(pool_mode)" "$1" "nor by suspending a volume"
	is "$(events)" "$n" "no event was raised"
}

# pool_status_is REGEX: of what follows the metadata blocks
pool_status_is()
{
	like "$(status)" "^0 $pool_sectors $TARGET_POOL 0 [0-9]+/[0-9]+ $1 \$" \
		"the pool's status"
}

# tables_are FEATURES: the tables read back as they were loaded
tables_are()
{
	is "$(dmsetup table pool)" \
		"0 $pool_sectors $TARGET_POOL $(major_minor /dev/mapper/meta) $(major_minor "$DATA") $bs ${low:-0} $1 " \
		"the pool's table"
	is "$(dmsetup table t1)" \
		"0 65536 $TARGET_THIN $(major_minor /dev/mapper/pool) 1" \
		"a volume's table"
	is "$(dmsetup table t4)" \
		"0 4096 $TARGET_THIN $(major_minor /dev/mapper/pool) 4 $(major_minor /dev/mapper/origin)" \
		"that of a volume with an external origin"
}
