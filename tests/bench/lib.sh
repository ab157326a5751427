# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # for the cases, of guest.sh
# Copyright (C) 2026 The thinx authors.
#
# Sourced by guest.sh: devices, measurements and checks for the cases.  A case is a
# function case_NAME.  It runs in a subshell, which any failing command ends, for the
# current $kind and $round:
#
#   setup                       $dev: a volume of 512 MiB on the ramdisk
#   fio_rate METRIC OPTION...   measure requests a second
#   check "..." GOT WANTED      what must hold for the figure to mean something

data=/dev/ram0
meta=/dev/ram1
ram_mib=1280			# of each ramdisk
volume_mib=512			# of $dev
bs=128				# sectors of a block
scratch=/mnt/bench

raw=$VM_RESULTS/raw.jsonl

# fail MESSAGE: end the case; the report has the message, too
fail()
{
	echo "$*" > "$scratch/failure"
	exit 1
}

# check WHAT GOT WANTED
check()
{
	[ "$2" = "$3" ] || fail "$1: $2, should be $3"
}

# check_least, check_most WHAT GOT LIMIT
check_least()
{
	[ "$2" -ge "$3" ] || fail "$1: $2, should be $3 or more"
}

check_most()
{
	[ "$2" -le "$3" ] || fail "$1: $2, should be $3 or less"
}

# figure METRIC VALUE
figure()
{
	printf '{"case": "%s", "metric": "%s", "kind": "%s", "round": %d, "value": %s}\n' \
		"$case" "$1" "$kind" "$round" "$2" >> "$raw"
}

# begin, end: mark what is measured; profile.sh counts samples between them only
begin() { echo "begin $EPOCHREALTIME" >> "$VM_RESULTS/marks"; }
end() { echo "end $EPOCHREALTIME" >> "$VM_RESULTS/marks"; }

# seconds METRIC COMMAND...: how long it takes
seconds()
{
	local metric=$1 from to

	shift
	begin
	from=$EPOCHREALTIME
	"$@"
	to=$EPOCHREALTIME
	end
	figure "$metric" "$(echo "$to - $from" | bc | sed 's/^\./0./')"
}

# fio_rate METRIC OPTION...: fio on $dev
fio_rate()
{
	local metric=$1

	shift
	begin
	fio --name=x --filename="$dev" --direct=1 --output-format=json \
		--output="$scratch/fio" --size="${fio_size:-${volume_mib}m}" \
		--group_reporting --randrepeat=0 --norandommap "$@" \
		> "$scratch/fio.err" 2>&1 ||
		fail "fio: $(head -c 300 "$scratch/fio.err")"
	end
	tests/bench/fio-figures.py "$scratch/fio" "$case" "$metric" "$kind" \
		"$round" >> "$raw" || fail "fio's report"
}

# Many requests per system call: the block layer and below are what is measured.
deep=(--iodepth=32 --iodepth_batch_submit=16 --iodepth_batch_complete_min=8)
libaio=(--ioengine=libaio "${deep[@]}")
uring=(--ioengine=io_uring "${deep[@]}" --numjobs=2)
timed=(--time_based --runtime="$SECONDS_EACH" --ramp_time=500ms)

# --- devices ---

is_linear() { [ "$kind" = linear ]; }

# targets: of this kind, in $pool_target and $thin_target
targets()
{
	case $kind in
	dm-thin) pool_target=thin-pool thin_target=thin ;;
	thinx) pool_target=thinx-pool thin_target=thinx ;;
	*) fail "$kind has no pools" ;;
	esac
}

sectors() { blockdev --getsz "$1"; }

# A ramdisk allocates memory when it is first written and frees it when it is
# discarded: allocate it outside of measurements.
populate()
{
	[ ! -e "$scratch/populated" ] || return 0
	dd if=/dev/zero of=$data bs=1M count=$ram_mib oflag=direct status=none
	: > "$scratch/populated"
}

# punches: call this in cases that discard
punches() { rm -f "$scratch/populated"; }

# make_pool METADATA DATA SECTORS [FEATURE...]
make_pool()
{
	local m=$1 d=$2 n=$3

	shift 3
	targets
	dmsetup create pool --table \
		"0 $n $pool_target $m $d $bs 0 $# $*"
}

# make_new_pool [FEATURE...]: on the ramdisks
make_new_pool()
{
	populate
	dd if=/dev/zero of=$meta bs=4k count=1 oflag=direct status=none
	make_pool $meta $data $((ram_mib * 2048)) "$@"
}

# make_thin NAME ID MIB: a new one
make_thin()
{
	dmsetup message pool 0 "create_thin $2"
	activate "$@"
}

# activate NAME ID MIB
activate()
{
	targets
	dmsetup create "$1" --table "0 $(($3 * 2048)) $thin_target /dev/mapper/pool $2"
}

# make_volume NAME ID MIB: in the pool, or for linear a part of the ramdisk
next_mib=0
make_volume()
{
	if is_linear; then
		dmsetup create "$1" \
			--table "0 $(($3 * 2048)) linear $data $((next_mib * 2048))"
		next_mib=$((next_mib + $3))
	else
		make_thin "$@"
	fi
}

# setup [FEATURE...]: $dev with nothing mapped
setup()
{
	if is_linear; then
		populate
	else
		make_new_pool "$@"
	fi
	make_volume vol 0 $volume_mib
	dev=/dev/mapper/vol
}

unzeroed() { setup skip_block_zeroing; }

# map NAME: map every block of it
map()
{
	dd if=/dev/zero of="/dev/mapper/$1" bs=1M \
		count=$(($(sectors "/dev/mapper/$1") / 2048)) oflag=direct status=none
	is_linear || check "blocks of $1" "$(mapped "$1")" "$(blocks_of "$1")"
}

blocks_of() { echo $(($(sectors "/dev/mapper/$1") / bs)); }
mapped() { echo $(($(dmsetup status --noflush "$1" | awk '{ print $4 }') / bs)); }

# used, total: numbers of data blocks, the first after a commit
used() { dmsetup status pool | awk '{ split($6, f, "/"); print f[1] }'; }
total() { dmsetup status --noflush pool | awk '{ split($6, f, "/"); print f[2] }'; }

# Remove all devices, upper ones first.
remove_all()
{
	local name

	for _ in 1 2 3; do
		dmsetup ls --target "${thin_target:-none}" 2> /dev/null |
			awk '/\(/ { print "remove " $1 }' > "$scratch/names"
		[ ! -s "$scratch/names" ] ||
			build/selftests/dmbatch < "$scratch/names" > /dev/null || :
		for name in other vol pool; do
			[ ! -e /dev/mapper/$name ] || dmsetup remove --retry $name || :
		done
		[ "$(dmsetup ls)" != "No devices found" ] || return 0
		sleep 1
	done
	echo "bench: cannot remove: $(dmsetup ls | head -n 3)" >&2
	return 1
}

# --- a neighbour ---

# neighbour_begin ARGUMENT...: start neighbour.c, which runs until neighbour_end
neighbour_begin()
{
	local i

	build/bench/neighbour "$@" > "$scratch/neighbour" 2> "$scratch/neighbour.err" &
	neighbour=$!
	for ((i = 0; i < 500; i++)); do
		[ ! -s "$scratch/neighbour" ] || return 0
		sleep 0.01
	done
	fail "the neighbour does not begin: $(cat "$scratch/neighbour.err")"
}

# neighbour_end PREFIX: stop it; figures PREFIXp50, p99, p999, max in us
neighbour_end()
{
	local prefix=$1 name value

	kill -TERM "$neighbour"
	wait "$neighbour" || fail "the neighbour: $(cat "$scratch/neighbour.err")"
	while read -r name value; do
		figure "$prefix$name" "$value"
	done < <(tail -n +2 "$scratch/neighbour")
}

# neighbour_alone SECONDS REQUESTS-A-SECOND: if it is late even without other load, its
# figures mean nothing
neighbour_alone()
{
	local made

	sleep "$1"
	neighbour_end quiet_
	made=$(awk '$1 == "requests" { print $2 }' "$scratch/neighbour")
	check_least "requests in time without other load (is the machine busy?)" \
		"$made" $(($1 * $2 * 9 / 10))
}

# beside COMMAND...: figures of a neighbour that reads $dev, first alone, then while the
# command runs
: "${READS_A_SECOND:=2000}"
beside()
{
	neighbour_begin read "$dev" "$READS_A_SECOND"
	neighbour_alone "$SECONDS_EACH" "$READS_A_SECOND"
	neighbour_begin read "$dev" "$READS_A_SECOND"
	seconds other "$@"
	neighbour_end ''
}
