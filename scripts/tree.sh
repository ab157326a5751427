#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Make a tree of another Debian release, with what tests/selftests and
# tests/clients run: scripts/vm.sh -R uses it as a machine's root.
#
#   scripts/tree.sh SUITE      trixie or bookworm; prints the directory
#
# It is made once and stays in the cache directory.  After a change of the list
# below, and with -n, it is made again.  Only bookworm's has Docker: later ones
# have no driver for thin pools.
#
#   scripts/tree.sh -n SUITE   with what has been released since

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

packages=(
	kmod util-linux mount procps iproute2 iptables udev busybox-static
	# the pools, and what uses them
	lvm2 dmeventd dmsetup thin-provisioning-tools
	e2fsprogs xfsprogs fio
	qemu-utils qemu-system-common
	containerd runc crun
	# the tests; gcc and make install the module
	gcc make rsync python3 perl-base xz-utils
)

say() { echo "tree.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# sources_of SUITE DIRECTORY: apt's own sources, with the suite's name
sources_of()
{
	local here s=$1 f

	# shellcheck source=/dev/null
	here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		awk -v RS= -v ORS='\n\n' \
			-v want="\nSuites:([^\n]* )?$here( [^\n]*)?\n" \
			'("\n" $0 "\n") ~ want' "$f" |
			sed -E "s/^Suites:.*/Suites: $s/"
	done > "$2/suite.sources"
	sed -nE "s/^(deb (\[[^]]*\] )?[^ ]+) $here /\1 $s /p" \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		2> /dev/null > "$2/suite.list" || :
	find "$2" -name 'suite.*' -empty -delete
}

# A tree made without root belongs to users that exist only in a namespace.
remove_tree()
{
	[ -e "$1" ] || return 0
	rm -rf "$1" 2> /dev/null || mmdebstrap --unshare-helper rm -rf "$1"
}

make_tree()
{
	local suite=$1 dir=$2 work=$2.d why

	rm -rf "$work"
	remove_tree "$dir.tmp"
	mkdir -p "$work"
	sources_of "$suite" "$work"
	[ -n "$(ls "$work")" ] ||
		die "apt knows no Debian archive to get $suite from"
	need_room "$thinx_cache" 1500 "tree.sh: a tree of $suite" || exit 1
	say "making a tree of $suite; log: $dir.log"
	# shellcheck disable=SC2016 # expanded by the hook
	if ! complete=$key nice mmdebstrap --quiet --variant=essential \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			--include="$(IFS=,; echo "${packages[*]}")" \
			--customize-hook='echo "$complete" > "$1/complete"' \
			"$suite" "$dir.tmp" "$work"/suite.* > "$dir.log" 2>&1; then
		why=$(grep -m 1 '^E: ' "$dir.log" || :)
		remove_tree "$dir.tmp"
		die "no tree of $suite: ${why:-see $dir.log}"
	fi
	remove_tree "$dir"
	mv "$dir.tmp" "$dir"
	rm -rf "$work"
}

anew=0
[ "${1:-}" != -n ] || { anew=1; shift; }
case $#${1:-} in
1trixie) ;;
1bookworm) packages+=(docker.io) ;;
1[a-z]*) die "no tree of '$1', only of trixie and bookworm" ;;
*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
command -v mmdebstrap > /dev/null || die "no mmdebstrap: install the package of that name"
mkdir -p "$thinx_cache/trees" 2> /dev/null ||
	die "cannot write to $thinx_cache: name another place in THINX_CACHE"
dir=$thinx_cache/trees/$1
exec 9> "$dir.lock"
flock 9
key=$(echo "$1 ${packages[*]}" | sha256sum | cut -c1-16)
if [ $anew = 1 ] || [ "$(cat "$dir/complete" 2> /dev/null)" != "$key" ]; then
	make_tree "$1" "$dir" >&2
fi
echo "$dir"
