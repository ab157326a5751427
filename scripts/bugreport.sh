#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Print what somebody who is to explain a problem with thinx needs to know: versions,
# parameters, tables, status and numbers of all pools and volumes, what the kernel's
# log says about them, and whether the metadata is sound.
#
#   scripts/bugreport.sh [-n] [-c] > REPORT
#
#   -n     replace names: of mapped devices, of LVM's objects, of this machine
#   -c     no thin_check.  Without this option a metadata snapshot of each pool in
#          write mode is taken, which commits, checked, and released again; one that
#          is there already is checked and kept
#
# Nothing else is changed, nothing waits for I/O of the pools, and no data is read.
# Read the report before you send it to anybody.

set -u

names=1 check=1
while getopts nc opt; do
	case $opt in
	n) names=0 ;;
	c) check=0 ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
done
[ "$(id -u)" = 0 ] || { echo "bugreport.sh: needs root" >&2; exit 1; }
command -v dmsetup > /dev/null || { echo "bugreport.sh: no dmsetup" >&2; exit 1; }
export LC_ALL=C

section() { printf '\n== %s\n' "$*"; }

# tell COMMAND...: its output, or that there is none; a stuck pool stops nothing else
tell()
{
	local out r

	if ! command -v "$1" > /dev/null; then
		echo "$1: not here"
		return
	fi
	out=$(timeout -k 5 30 "$@" 2>&1)
	r=$?
	[ -z "$out" ] || echo "$out"
	[ $r = 0 ] || echo "(exit status $r: $*)"
}

# of_targets TARGET...: names of the devices with such a table
of_targets()
{
	local t

	for t; do
		timeout -k 5 30 dmsetup ls --target "$t" 2> /dev/null
	done | awk '$1 != "No" { print $1 }'
}

pools() { of_targets thinx-pool thin-pool; }

versions()
{
	local m

	uname -srvm
	sed -n 's/^PRETTY_NAME=//p' /etc/os-release
	for m in dm_thinx_pool dm_thin_pool; do
		[ -d /sys/module/$m ] || { echo "$m: not loaded"; continue; }
		echo "$m: version $(cat /sys/module/$m/version 2> /dev/null ||
			echo "none (dm-thin's own)"), flags $(cat /sys/module/$m/taint 2> /dev/null)"
		grep -H . /sys/module/$m/parameters/* 2> /dev/null
	done
	for m in dm-thinx-pool dm-thin-pool; do
		echo "modprobe $m would load: $(modinfo -n $m 2>&1), version $(modinfo -F version $m 2> /dev/null)"
	done
	tell dkms status thinx
	tell dmsetup version
	tell dmsetup targets
	tell lvm version
	tell thin_check -V
	tell mokutil --sb-state
	echo "kernel tainted: $(cat /proc/sys/kernel/tainted)"
	grep -E '^(MemTotal|MemAvailable):' /proc/meminfo
	echo "processors: $(nproc)"
}

# is_ours TABLE: a pool of thinx, not of dm-thin
is_ours()
{
	[[ $1 == *" thinx-pool "* ]] ||
		grep -qs O /sys/module/dm_thin_pool/taint ||
		grep -qs Y /sys/module/dm_thinx_pool/parameters/drop_in
}

pool()
{
	local p=$1 table

	section "pool $p"
	table=$(timeout -k 5 30 dmsetup table "$p")
	echo "table:  $table"
	echo "status: $(tell dmsetup status --noflush "$p")"
	tell dmsetup info -c --noheadings -o major,minor,attr,open,segments,events "$p"
	! is_ours "$table" || tell dmsetup message "$p" 0 stats
}

volume()
{
	local v=$1

	section "volume $v"
	echo "table:  $(tell dmsetup table "$v")"
	echo "status: $(tell dmsetup status --noflush "$v")"
	tell dmsetup info -c --noheadings -o major,minor,attr,open,segments,events "$v"
}

# Is the state of a moment sound?  The pool's own metadata changes while it is read.
# A process of its own, which releases the metadata snapshot if it is interrupted, too.
checked()
(
	p=$1

	section "metadata of $p"
	if ! thin_check --help 2>&1 | grep -q -- --metadata-snap; then
		echo "this thin_check cannot check a metadata snapshot: $(thin_check -V 2>&1)"
		exit
	fi
	# START LENGTH TARGET TID META DATA HELD MODE ...
	read -r _ _ _ _ _ _ held mode _ < <(timeout -k 5 30 dmsetup status --noflush "$p")
	meta=/dev/thinx-bugreport-$$
	trap 'rm -f "$meta"' EXIT
	if [ "$held" = - ]; then
		[ "$mode" = rw ] || { echo "not in write mode: not checked"; exit; }
		trap 'rm -f "$meta"; tell dmsetup message "$p" 0 release_metadata_snap' EXIT
		timeout -k 5 60 dmsetup message "$p" 0 reserve_metadata_snap || exit
	fi
	# Not every system has names for numbers.
	timeout -k 5 30 dmsetup table "$p" | awk '{ sub(":", " ", $4); print $4 }' |
		xargs mknod -m 600 "$meta" b
	timeout -k 5 600 thin_check --metadata-snap "$meta" 2>&1
	echo "thin_check of a metadata snapshot: exit status $?"
)

log()
{
	dmesg 2>&1 | awk '
	/cut here|BUG:|Oops|Call Trace|INFO: task|WARNING:/ { more = 80 }
	more > 0 || /device-mapper|thin|dm-[0-9]|I\/O error|critical|Out of memory/ { print }
	{ more-- }' | tail -n 2000
}

report()
{
	local p v

	echo "thinx bug report, $(date -u +%Y-%m-%dT%H:%MZ)"
	section versions
	versions
	section "block devices"
	tell lsblk -o KNAME,TYPE,SIZE,RO,ROTA,LOG-SEC,PHY-SEC,DISC-GRAN,DISC-MAX
	for p in $(pools); do
		pool "$p"
	done
	for v in $(of_targets thinx thin); do
		volume "$v"
	done
	section "memory of ours"
	grep -E 'thinx|dm_bufio' /proc/slabinfo 2> /dev/null
	section "kernel's log"
	log
	[ $check = 0 ] || for p in $(pools); do
		checked "$p"
	done
}

#
# The script for sed that replaces each name where it stands alone; long names first,
# because they may contain others.
#
replacements()
{
	local edge='[^A-Za-z0-9_.+-]' n=0 word

	{
		dmsetup ls 2> /dev/null | awk '$1 != "No" { print $1 }'
		dmsetup info -c --noheadings -o uuid 2> /dev/null
		! command -v lvs > /dev/null ||
			timeout -k 5 30 lvs --noheadings -a -o vg_name,lv_name 2> /dev/null |
			tr -s ' []' '\n'
		uname -n
	} | grep . | grep -vxE 'thinx?(-pool)?' | sort -u |
	awk '{ print length, $0 }' | sort -rn | cut -d' ' -f2- |
	sed 's/[][\.*^$|+?(){}]/\\&/g' | while read -r word; do
		n=$((n + 1))
		printf ':again%d\ns/(^|%s)%s(%s|$)/\\1name%d\\2/\ntagain%d\n' \
			$n "$edge" "$word" "$edge" $n $n
	done
}

if [ $names = 1 ]; then
	report
else
	script=$(replacements)
	report | sed -E "$script"
fi
