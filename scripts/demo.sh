#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The demonstration of scripts/run.sh, on whatever kernel is running: the life of a
# volume and its snapshot, every step checked.
#
#   scripts/demo.sh MODULE DIRECTORY...
#
#   two sparse files ─ loop ─► pool ─► volume ─ ext4 ─ DIRECTORY...
#                                └───► snapshot
#
# However it ends, the trap takes everything down again.

set -u

module=$1
shift
trees=("$@")

pool=thinx_demo_pool
volume=thinx_demo_volume
snap=thinx_demo_snapshot
scratch=thinx_demo_scratch
block=128			# sectors: 64 KiB
meta_mib=16
data_mib=512
volume_sectors=2097152		# 1 GiB
parameters=/sys/module/dm_thinx_pool
work=
loops=()
loaded=0
begin=$SECONDS
names=()			# the table at the end, line by line
used=()
file_mib=()

# --- output, checks, failures ---

number=0
step()
{
	number=$((number + 1))
	printf '%2d  %s\n' "$number" "$*"
}

good() { printf '      ok: %s\n' "$*"; }

fail()
{
	printf '      FAILED: %s\n' "$*"
	if [ -d $parameters ]; then
		echo "      the end of the kernel's log:"
		dmesg 2>/dev/null | grep -E 'device-mapper|thinx|EXT4|loop' |
			tail -n 12 | sed 's/^/        /'
	fi
	exit 1
}

# must COMMAND...: a step that has to work
must()
{
	local out

	out=$("$@" 2>&1) && return 0
	[ -z "$out" ] ||
		printf '        %s\n' "${out//$'\n'/$'\n        '}"
	fail "$*"
}

# check DESCRIPTION COMMAND...
check()
{
	local what=$1

	shift
	must "$@"
	good "$what"
}

# --- measurements ---

# Data blocks in use.  A plain status commits first, so the number is exact.
blocks_used()
{
	local status fields

	status=$(dmsetup status $pool) || return 1
	read -ra fields <<< "$status"
	echo "${fields[5]%/*}"
}

# note NAME: record a line of the table
note()
{
	local u

	u=$(blocks_used) || fail "the pool has no status"
	sleep 0.3		# discards reach the file after the commit
	names+=("$1")
	used+=("$u")
	file_mib+=("$(data_file_mib)")
}

data_file_mib() { du -m "$work/data" | cut -f1; }

file_at_most() { [ "$(data_file_mib)" -le "$1" ]; }

last_used() { echo "${used[-1]}"; }

at_most() { [ "$(blocks_used)" -le "$1" ]; }

# soon COMMAND...: wait for it; file systems and the pool discard in the background
soon()
{
	local end=$((SECONDS + 60))

	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}

# sums DIRECTORY FILE: list the checksums of all files below it
sums()
{
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum) \
		> "$work/$2" || fail "cannot read everything in $1"
}

# same DIRECTORY FILE: do the files below it match the list?
same()
{
	sums "$1" now
	diff -q "$work/$2" "$work/now" > /dev/null && return 0
	diff "$work/$2" "$work/now" | head -n 5
	return 1
}

files_in() { wc -l < "$work/$1"; }

# --- building ---

loop_on()
{
	local dev

	truncate -s "$2M" "$work/$1" || fail "cannot make $work/$1"
	dev=$(losetup -f --show "$work/$1") || fail "no loop device for $1"
	loops+=("$dev")
	printf -v "$1" %s "$dev"
}

# activate NAME ID SECTORS
activate()
{
	must dmsetup create "$1" \
		--table "0 $3 thinx /dev/mapper/$pool $2"
}

message() { must dmsetup message $pool 0 "$*"; }

mount_as()
{
	must mount -o "$3" "/dev/mapper/$1" "$work/$2"
}

# After this, reads come from the device, not from memory.
mount_again()
{
	must umount "$work/$2"
	mount_as "$@"
}

load_module()
{
	local m

	for m in dm-mod dm-bufio libcrc32c loop ext4; do
		modprobe -q $m
	done
	if [ -d $parameters ]; then
		echo "    dm-thinx-pool is already loaded: using it"
		return
	fi
	must insmod "$module"
	loaded=1
}

# --- taking down ---

unmount_all()
{
	local m

	for m in b a; do
		! mountpoint -q "$work/$m" || umount "$work/$m" || return 1
	done
}

remove_all()
{
	local n

	for n in $scratch $snap $volume $pool; do
		! dmsetup info "$n" > /dev/null 2>&1 ||
			dmsetup remove --retry "$n" || return 1
	done
}

detach_all()
{
	local dev

	for dev in "${loops[@]+"${loops[@]}"}"; do
		losetup -d "$dev" || return 1
	done
	loops=()
}

unload_module()
{
	[ $loaded = 1 ] || return 0
	rmmod dm_thinx_pool || return 1
	loaded=0
}

# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	trap - EXIT
	[ -n "$work" ] || return
	unmount_all && remove_all && detach_all && unload_module &&
		rm -rf "$work" && return
	echo "could not take everything down: see dmsetup ls and $work"
}

# --- the story ---

make_pool()
{
	local meta='' data=''

	step "A pool on two sparse files:" \
		"$meta_mib MiB for metadata, $data_mib MiB for data"
	loop_on meta $meta_mib
	loop_on data $data_mib
	metadata=$meta
	must dmsetup create $pool --table \
		"0 $((data_mib * 2048)) thinx-pool $meta $data $block 64"
	note "pool made"
	check "nothing is used" [ "$(last_used)" = 0 ]
}

make_volume()
{
	step "A volume of 1 GiB, larger than the pool, with ext4"
	message create_thin 1
	activate $volume 1 $volume_sectors
	must mkfs.ext4 -q -F /dev/mapper/$volume
	# Otherwise ext4 would keep writing in the background.
	mount_as $volume a discard,noinit_itable
	note "ext4 made"
	check "an empty file system of 1 GiB takes little space" \
		[ "$(last_used)" -lt 1024 ]
}

copy_in()
{
	local tree to i=0

	step "Copying in ${trees[*]}"
	must mkdir "$work/a/files"
	for tree in "${trees[@]}"; do
		to=$work/a/files/${tree##*/}
		[ ! -e "$to" ] || fail "two directories are called ${tree##*/}"
		i=$((i + 1))
		sums "$tree" source.$i
		must cp -a "$tree" "$to"
	done
	must sync -f "$work/a"
	mount_again $volume a discard,noinit_itable
	sums "$work/a" origin.0
	note "files copied in"
	i=0
	for tree in "${trees[@]}"; do
		i=$((i + 1))
		sed -n "s,  \./files/${tree##*/}/,  ./,p" "$work/origin.0" \
			> "$work/copy.$i"
		check "all $(files_in source.$i) files read back as they were" \
			cmp "$work/source.$i" "$work/copy.$i"
	done
}

take_snapshot()
{
	step "A snapshot while the volume is mounted: suspend, create_snap, resume"
	must sync -f "$work/a"
	must dmsetup suspend $volume
	message create_snap 2 1
	must dmsetup resume $volume
	note "snapshot made"
	check "it costs next to nothing" \
		[ $((used[-1] - used[-2])) -le 16 ]
}

# write_mib MIB WORD FILE: repeat the word for that long, and sync
write_mib()
{
	yes "$2" | dd of="$3" bs=1M count="$1" iflag=fullblock conv=fsync \
		status=none || fail "cannot write $3"
}

# Rewrites the first bytes of every tenth file, deletes every 25th.
change_files()
{
	find "$1/files" -type f | sort | awk 'NR % 10 == 0' |
		while read -r f; do
			printf '%s was here\n' "$2" 1<> "$f" || exit 1
		done || fail "cannot change files"
	find "$1/files" -type f | sort | awk 'NR % 25 == 3' |
		tr '\n' '\0' | xargs -0r rm -f
	write_mib 24 "$2" "$1/$2.data"
}

part_ways()
{
	step "Changing the volume, then the snapshot"
	change_files "$work/a" volume
	sums "$work/a" origin.1
	activate $snap 2 $volume_sectors
	mount_as $snap b discard,noinit_itable
	check "the snapshot still holds all $(files_in origin.0) files" \
		same "$work/b" origin.0
	change_files "$work/b" snapshot
	sums "$work/b" snapshot.1
	mount_again $volume a discard,noinit_itable
	mount_again $snap b discard,noinit_itable
	note "both changed"
	check "the volume has its changes, $(files_in origin.1) files" \
		same "$work/a" origin.1
	check "the snapshot has its own, $(files_in snapshot.1) files" \
		same "$work/b" snapshot.1
	check "and they differ" \
		test "$(sha256sum < "$work/origin.1")" != \
			"$(sha256sum < "$work/snapshot.1")"
}

delete_files()
{
	local before

	step "Deleting 24 MiB in the volume, mounted with -o discard"
	before=$(last_used)
	must rm "$work/a/volume.data"
	must sync -f "$work/a"
	check "at least 22 MiB of blocks come back" \
		soon at_most $((before - 22 * 16))
	note "24 MiB deleted"
}

trim()
{
	local before

	step "The same without -o discard, then fstrim"
	must mount -o remount,nodiscard "$work/a"
	before=$(last_used)
	write_mib 24 more "$work/a/more"
	must rm "$work/a/more"
	must sync -f "$work/a"
	note "24 MiB more, deleted"
	check "deleting alone gives nothing back" \
		[ $((used[-1] - before)) -ge $((22 * 16)) ]
	must fstrim "$work/a"
	check "fstrim does" soon at_most $((before + 32))
	note "fstrim"
}

discard_device()
{
	local before

	step "A volume of 32 MiB filled, then blkdiscard"
	before=$(last_used)
	message create_thin 3
	activate $scratch 3 65536
	write_mib 32 noise /dev/mapper/$scratch
	note "32 MiB written"
	check "all 512 blocks are taken" [ $((used[-1] - before)) = 512 ]
	must blkdiscard /dev/mapper/$scratch
	note "blkdiscard"
	check "all are back" [ "$(last_used)" = "$before" ]
	check "it reads as zeros" \
		cmp -n 33554432 /dev/mapper/$scratch /dev/zero
	if [[ $(dmsetup status $pool) == *" discard_passdown"* ]]; then
		check "and the data file has shrunk" \
			soon file_at_most $((file_mib[-2] - 30))
		file_mib[-1]=$(data_file_mib)
	fi
	must dmsetup remove --retry $scratch
	message delete 3
}

delete_snapshot()
{
	local before

	step "Deleting the snapshot"
	before=$(last_used)
	must umount "$work/b"
	must e2fsck -fn /dev/mapper/$snap
	must dmsetup remove --retry $snap
	message delete 2
	note "snapshot deleted"
	check "the blocks that only it used come back" \
		[ $((before - used[-1])) -ge $((22 * 16)) ]
	grep -v '  \./volume\.data$' "$work/origin.1" > "$work/origin.2"
	mount_again $volume a nodiscard,noinit_itable
	check "the volume is unchanged, $(files_in origin.2) files" \
		same "$work/a" origin.2
}

take_down()
{
	step "Taking everything down"
	must umount "$work/a"
	check "e2fsck finds the file system sound" \
		e2fsck -fn /dev/mapper/$volume
	must remove_all
	check "thin_check finds the metadata sound" thin_check -q "$metadata"
	# In this shell, so that it records what is gone.
	detach_all || fail "cannot detach the loop devices"
	unload_module || fail "cannot unload the module"
	must rm -rf "$work"
	work=
	good "nothing is left behind"
}

print_table()
{
	local i change

	printf '\n    %-24s %12s %8s %16s\n' "after" "data blocks" "change" \
		"data file, MiB"
	for i in "${!names[@]}"; do
		change=
		[ "$i" = 0 ] || change=$((used[i] - used[i - 1]))
		printf '    %-24s %12d %8s %16d\n' "${names[i]}" "${used[i]}" \
			"${change/#[1-9]/+&}" "${file_mib[i]}"
	done
	printf '\n    Blocks are 64 KiB.  Deleting a device passes no discards down, so the\n'
	printf '    file keeps its size; the pool reuses the space.\n\n'
}

[ $# -gt 0 ] || fail "usage: demo.sh MODULE DIRECTORY..."
for n in $pool $volume $snap $scratch; do
	! dmsetup info "$n" > /dev/null 2>&1 ||
		fail "there is already a device $n"
done
size=$(du -scm "${trees[@]}" | tail -n 1 | cut -f1)
[ "$size" -le 200 ] || fail "${trees[*]}: $size MiB, but the limit is 200"

export LC_ALL=C.UTF-8
if [ -n "${VM:-}" ]; then
	work=$(mktemp -d /mnt/thinx-demo.XXXXXX)
else
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/thinx-demo.XXXXXX")
fi || fail "cannot make a directory for the files"
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir "$work/a" "$work/b"

load_module
echo
make_pool
make_volume
copy_in
take_snapshot
part_ways
delete_files
trim
discard_device
delete_snapshot
take_down
print_table
echo "thinx works here: every check held ($((SECONDS - begin)) s, kernel $(uname -r))."
