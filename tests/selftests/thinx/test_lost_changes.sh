#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A commit fails that the volume did not ask for: a volume with lost changes gets an
# error for each FLUSH and each FUA write until it is set up again; a volume without
# changes gets none.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target may say yes"
disk META 2
disk DATA 64
wrap meta "$META"
t=/dev/mapper/t1

# change KIND: change t1, without asking for durability
change()
{
	case $1 in
	new)		blockio write "$t" 16M 64k 2 ;;
	shared)		blockio write "$t" 64k 4k 2 ;;
	discard)	blockio discard "$t" 512k 64k ;;
	esac
}

# commit_by HOW: cause a commit; whether it reports the error is tested elsewhere
commit_by()
{
	case $1 in
	"the timer")	;;
	"a message")	msg create_thin 9 ;;
	"a status")	dmsetup status pool ;;
	"a suspend")	timeout 120 dmsetup suspend pool &&
				timeout 120 dmsetup resume pool ;;
	"another volume's write")
			blockio fua /dev/mapper/t3 8M 64k 4 ;;
	esac > /dev/null 2>&1
}

# fua_refused DESCRIPTION OFFSET LENGTH: RWF_DSYNC may be a write and a flush; the trace
# shows that the FUA write itself fails
trace=/sys/kernel/tracing
mountpoint -q $trace || require mount -t tracefs tracefs $trace
fua_refused()
{
	local got

	echo > $trace/trace
	echo 1 > $trace/events/block/block_bio_complete/enable
	refused "$1" blockio fua $t "$2" "$3" 1
	echo 0 > $trace/events/block/block_bio_complete/enable
	got=$(grep -oE "complete: $dev WFS .*" $trace/trace)
	like "$got" '\[-5\]$' "$1, by itself"
}

refused() { fails "$1: EIO" EIO "${@:2}"; }

all_refused()
{
	dev=$(major_minor $t | tr : ,)
	refused "$1: a flush" blockio sync $t
	refused "$1: another" blockio sync $t
	fua_refused "$1: a FUA write to a mapped block" 768k 64k
	fua_refused "$1: of a part of one" 772k 4k
	ok "$1: a plain write promises nothing" blockio write $t 768k 64k 1
	refused "$1: a flush after it" blockio sync $t
	ok "$1: an unchanged volume can be flushed" blockio sync /dev/mapper/t2
	ok "$1: and written with FUA" blockio fua /dev/mapper/t2 0 64k 3
}

make_pool /dev/mapper/meta "$DATA"
make_thin t1 1 32M
make_thin t2 2 32M
make_thin t3 3 32M
require blockio write $t 0 1M 1
require blockio write /dev/mapper/t2 0 1M 3
snapshot t1 1 4
# These blocks are exclusive again.
write_synced $t 512k 512k 1
first=1
while read -r kind how; do
	if [ $first = 0 ]; then
		make_pool /dev/mapper/meta "$DATA"
		activate t1 1 32M
		activate t2 2 32M
		activate t3 3 32M
	fi
	first=0
	broken meta "$META"
	require change "$kind"
	commit_by "$how"
	becomes ro "$kind, $how: read-only"
	all_refused "$kind, $how"
	require timeout 120 dmsetup suspend t1
	require dmsetup resume t1
	all_refused "t1 resumed"
	healed meta "$META"
	require timeout 120 dmsetup suspend pool
	require dmsetup resume pool
	all_refused "healed, the pool resumed"
	ok "what was committed is there" blockio verify $t 0 1M 1
	ok "what was not is gone" blockio zeros $t 16M 1M
	remove t1
	activate t1 1 32M
	ok "set up again: it can be flushed" blockio sync $t
	ok "and written with FUA" blockio fua $t 768k 64k 1
	remove t1 t2 t3 pool
	require thin_check -q --clear-needs-check-flag /dev/mapper/meta
done << 'CASES'
new the timer
shared a message
discard a status
new a suspend
discard the timer
shared another volume's write
CASES
make_pool /dev/mapper/meta "$DATA"
activate t1 1 32M
ok "finally it can be written" blockio fua $t 16M 64k 2
finish
