#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Make what the project needs available; quick when it already is.
#
#   scripts/deps.sh                  Debian packages for building and testing,
#                                    with the stable kernel and its headers
#   scripts/deps.sh --kernel 6.12    that series' newest kernel and headers from
#                                    backports, unpacked (not installed) into
#                                    the cache directory; 7.3: from those of
#                                    trixie, with its compiler
#   scripts/deps.sh --clients        what the tests in tests/clients drive: LVM2,
#                                    QEMU's disk tools, Docker, containerd, udev
#   scripts/deps.sh --scripts        checkpatch.pl, kernel-doc, .clang-format
#   scripts/deps.sh --source 7.3     that series' linux-source, unpacked, for
#                                    building kernels of our own; its path
#
# Packages come from the sources apt is configured with; other suites are reached
# by putting their names into a private copy of them.  The cache
# directory is $THINX_CACHE, or see scripts/kernels.sh.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

source_version=6.1

packages=(
	# building and user-space tests
	gcc make libc6-dev libcmocka-dev clang libclang-rt-dev clang-format
	sparse shellcheck perl python3 git xz-utils kmod
	# building a kernel
	bc bison flex libelf-dev libssl-dev rsync
	# the virtual machine and what runs in it
	qemu-system-x86 busybox-static linux-image-amd64 linux-headers-amd64
	dmsetup thin-provisioning-tools fio e2fsprogs xfsprogs util-linux
	iproute2 procps
	# installing, and the manual page
	dkms groff-base man-db mandoc
)

client_packages=(
	lvm2 dmeventd thin-provisioning-tools qemu-utils
	docker.io containerd runc crun iptables busybox-static
	udev
)

say() { echo "deps.sh: $*" >&2; }
die() { say "$*"; exit 1; }

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

update_once()
{
	[ -z "${updated:-}" ] || return 0
	updated=1
	as_root apt-get -qq update
}

# install_packages PACKAGE...: those that are missing
install_packages()
{
	local missing=() have p

	have=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null |
		tr '\n' ' ' | sed 's/ii \([^ ]*\)/\1/g') "
	for p in "$@"; do
		[[ $have == *" $p "* ]] || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq -s install "${missing[@]}" > /dev/null 2>&1 || update_once
	as_root apt-get -qq -y --no-install-recommends install \
		-o Dpkg::Use-Pty=0 "${missing[@]}" > /dev/null ||
	{
		update_once
		as_root apt-get -qq -y --no-install-recommends install \
			-o Dpkg::Use-Pty=0 "${missing[@]}" > /dev/null
	}
}

# Fetch one .deb into the current directory; options for apt-get come first.
download()
{
	apt-get -qq "${apt_options[@]}" -o APT::Sandbox::User=root \
		download "$@" > /dev/null
}

apt_options=()

#
# use_suites SUITE...: a private apt state that knows only these.
#
use_suites()
{
	local codename dir=$thinx_cache/apt f s

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	rm -rf "$dir"
	mkdir -p "$dir/parts" "$dir/lists/partial"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		awk -v RS= -v ORS='\n\n' \
			-v want="\nSuites:([^\n]* )?$codename( [^\n]*)?\n" \
			'("\n" $0 "\n") ~ want' "$f" |
			sed -E "s/^Suites:.*/Suites: $*/"
	done > "$dir/parts/suites.sources"
	for s in "$@"; do
		sed -nE "s/^(deb (\[[^]]*\] )?[^ ]+) $codename /\1 $s /p" \
			/etc/apt/sources.list /etc/apt/sources.list.d/*.list \
			2>/dev/null || :
	done > "$dir/parts/suites.list"
	apt_options=(-o Dir::Etc::sourcelist=/nonexistent
		-o "Dir::Etc::sourceparts=$dir/parts"
		-o "Dir::State::lists=$dir/lists"
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	apt-get -qq "${apt_options[@]}" update
}

has_package()
{
	apt-cache "${apt_options[@]}" show "$1" > /dev/null 2>&1
}

#
# Kernel and headers of a series.  The header packages refer to each other by
# absolute paths and their tools need the C library of their own Debian: in
# this one's backports the paths are pointed into the cache; a kernel of a later
# Debian gets a whole tree of that, compiler and all.
#
get_kernel()
{
	local series=$1 arch codename dir home release

	kernel_find "$series" && [ -e "$k_build" ] && return 0
	arch=$(dpkg --print-architecture)
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	case $series in
	7.*) home=trixie ;;
	*) home=$codename ;;
	esac
	say "fetching a $series kernel"
	if [ "$home" = "$codename" ]; then
		use_suites "$home-backports"
	else
		use_suites "$home" "$home-backports"
	fi
	release=$(apt-cache "${apt_options[@]}" pkgnames \
			"linux-headers-$series." |
		sed -nE "s/^linux-headers-($series\.[0-9]+[^-]*-$arch)$/\1/p" |
		sort -V | tail -n 1)
	[ -n "$release" ] || die "no $series kernel in $home-backports"
	dir=$thinx_cache/kernels/$series
	remove_tree "$dir"
	mkdir -p "$dir.debs"
	(
		cd "$dir.debs"
		# From 7.2 on an image is made of two packages; what has its
		# name may be an empty one that needs them.
		for p in "linux-binary-$release" "linux-binary-unsigned-$release" \
			"linux-image-$release" "linux-image-$release-unsigned"; do
			has_package "$p" && break
		done
		download "$p"
		! has_package "linux-modules-$release" ||
			download "linux-modules-$release"
	)
	if [ "$home" = "$codename" ]; then
		unpack_kernel "$dir" "$release"
	else
		tree_kernel "$dir" "$release" "$home"
	fi
	rm -rf "$dir.debs"
	if ! kernel_find "$series" || [ ! -e "$k_image" ]; then
		die "the packages of $series have no kernel"
	fi
	say "kernel $release is in $dir"
}

unpack_kernel()
{
	local dir=$1 release=$2 f

	(
		cd "$dir.debs"
		download "linux-headers-$release" \
			"linux-headers-${release%-*}-common" \
			"linux-kbuild-${release%-*}"
	)
	mkdir -p "$dir"
	for f in "$dir.debs"/*.deb; do
		dpkg-deb -x "$f" "$dir"
	done
	if [ ! -e "$dir/lib" ]; then
		ln -s usr/lib "$dir/lib"
	elif [ -d "$dir/usr/lib" ]; then
		cp -a "$dir/usr/lib/." "$dir/lib/"
		rm -rf "$dir/usr/lib"
		ln -s ../lib "$dir/usr/lib"
	fi
	grep -rlIE '/usr/(src|lib)/linux-' --include=Makefile \
		--include=.kernelvariables "$dir/usr/src/linux-headers-$release" |
		xargs -r sed -i -E "s,(^|[^A-Za-z0-9_.])/usr/(src|lib)/linux-,\1$dir/usr/\2/linux-,g"
	rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
	ln -s "$dir/usr/src/linux-headers-$release" \
		"$dir/lib/modules/$release/build"
	/sbin/depmod -b "$dir" "$release"
	echo "$release" > "$dir/complete"
}

# A tree that root did not make belongs to users whom only a namespace knows.
remove_tree()
{
	[ -e "$1" ] || return 0
	rm -rf "$1" 2> /dev/null || mmdebstrap --unshare-helper rm -rf "$1"
}

#
# tree_kernel DIRECTORY RELEASE CODENAME: without the kernel's maintainer
# scripts, which would make an initramfs.
#
tree_kernel()
{
	local dir=$1 release=$2 codename=$3

	install_packages mmdebstrap
	remove_tree "$dir.tmp"
	# shellcheck disable=SC2016 # expanded by the hook
	unpack=$dir.debs modules=$release \
	mmdebstrap --quiet --variant=essential \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="gcc,make,python3,linux-headers-$release" \
		--customize-hook='for f in "$unpack"/*.deb; do dpkg-deb -x "$f" "$1"; done' \
		--customize-hook='/sbin/depmod -b "$1" "$modules"' \
		--customize-hook='echo "$modules" > "$1/complete"' \
		"$codename" "$dir.tmp" "$thinx_cache"/apt/parts/suites.*
	mv "$dir.tmp" "$dir"
}

# home_of SERIES: the Debian that has it, itself or in its backports
home_of()
{
	case $1 in
	7.*) echo trixie ;;
	*) this_debian ;;
	esac
}

# shellcheck source=/dev/null
this_debian() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

newest_source_deb()
{
	find "$thinx_cache/debs" -name "linux-source-$1_*.deb" |
		sort -V | tail -n 1
}

# source_deb SERIES: the path of linux-source-SERIES's package in $deb
source_deb()
{
	local series=$1 home

	need_room "$thinx_cache" 300 "deps.sh: linux-source-$series" || exit 1
	mkdir -p "$thinx_cache/debs"
	deb=$(newest_source_deb "$series")
	[ -z "$deb" ] || return 0
	say "fetching linux-source-$series"
	home=$(home_of "$series")
	[ "$home" = "$(this_debian)" ] || use_suites "$home" "$home-backports"
	(
		cd "$thinx_cache/debs"
		download "linux-source-$series" ||
		{ update_once; download "linux-source-$series"; }
	) || die "no package linux-source-$series to be had: does apt know $home and $home-backports?"
	deb=$(newest_source_deb "$series")
	[ -n "$deb" ] || die "the package linux-source-$series did not arrive in $thinx_cache/debs"
}

# unpack_source SERIES DIRECTORY [MEMBER...]
unpack_source()
{
	local series=$1 dir=$2

	shift 2
	source_deb "$series"
	rm -rf "$dir" "$dir.tmp"
	[ $# -gt 0 ] ||
		need_room "$thinx_cache" 2200 "deps.sh: unpacking linux-source-$series" ||
		exit 1
	mkdir -p "$dir.tmp"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/linux-source-$series.tar.xz" |
		tar -xJ -C "$dir.tmp" --strip-components=1 \
			"${@/#/linux-source-$series/}" ||
	{
		rm -rf "$dir.tmp"
		die "cannot unpack $deb: remove it, so that it is fetched again"
	}
	mv "$dir.tmp" "$dir"
}

get_scripts()
{
	local dir=$thinx_cache/linux-scripts

	if [ ! -e "$dir/scripts/checkpatch.pl" ]; then
		unpack_source "$source_version" "$dir" .clang-format \
			scripts/checkpatch.pl scripts/spelling.txt \
			scripts/const_structs.checkpatch scripts/kernel-doc
	fi
	echo "$dir"
}

get_source()
{
	local dir=$thinx_cache/linux-source-$1

	[ -e "$dir/Makefile" ] || unpack_source "$1" "$dir"
	echo "$dir"
}

mkdir -p "$thinx_cache"
if [ $# -eq 0 ]; then
	install_packages "${packages[@]}"
	exit
fi
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) [ $# -ge 2 ] || die "--kernel needs a series"
		get_kernel "$2"; shift ;;
	--clients) install_packages "${client_packages[@]}" ;;
	--scripts) get_scripts ;;
	--source) [ $# -ge 2 ] || die "--source needs a series"
		get_source "$2"; shift ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
	shift
done
