#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Install what the project needs; quick if it is already there.
#
#   scripts/deps.sh                  to build the module for the running kernel:
#                                    gcc, make, headers
#   scripts/deps.sh --demo           to build, and for scripts/demo.sh
#   scripts/deps.sh --vm             to build, and for scripts/vm.sh
#   scripts/deps.sh --test           for the tests, except their kernels
#   scripts/deps.sh --kernel 6.12    that series' newest kernel and headers: those
#                                    of this Debian are installed, those of its
#                                    backports unpacked into the cache directory;
#                                    another Debian's too, with its compiler
#                                    (6.1: Debian 12; 6.12: Debian 13, or the
#                                    backports of 12; 7.3: the backports of 13)
#   scripts/deps.sh --clients        what the tests in tests/clients use: LVM2,
#                                    QEMU's disk tools, Docker, containerd, udev
#   scripts/deps.sh --bench          for tests/bench/profile.sh
#   scripts/deps.sh --tree trixie    a tree of that Debian, with what those tests
#                                    use: see scripts/tree.sh
#   scripts/deps.sh --scripts        checkpatch.pl, kernel-doc, .clang-format
#   scripts/deps.sh --source 7.3     that series' linux-source, unpacked, for
#                                    building kernels of our own; its path
#
# On Debian 12 and 13 packages come from the sources apt is configured with, and
# from a private copy of them with the name of another suite.  On other systems it
# says what is missing.  The cache directory is $THINX_CACHE; for its default see
# scripts/kernels.sh.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

source_version=$kernel_default

build_packages=(gcc make rsync kmod xz-utils)

demo_packages=("${build_packages[@]}"
	dmsetup thin-provisioning-tools e2fsprogs mount util-linux)

vm_packages=("${build_packages[@]}"
	qemu-system-x86 busybox-static e2fsprogs iproute2 procps zstd)

test_packages=("${demo_packages[@]}" "${vm_packages[@]}"
	# user-space tests
	libc6-dev libcmocka-dev libdevmapper-dev clang libclang-rt-dev clang-format
	sparse shellcheck perl python3 git
	# building a kernel
	bc bison flex libelf-dev libssl-dev patch
	# what runs in the virtual machines
	fio xfsprogs gnuplot-nox
	# installing, and the manual page
	dkms groff-base man-db mandoc
	# packages
	dpkg-dev debhelper dh-dkms lintian rpm
	# other Debians
	mmdebstrap
)

client_packages=(
	lvm2 dmeventd thin-provisioning-tools qemu-utils
	docker.io containerd runc crun iptables busybox-static
	udev
)

# What must be there on systems whose packages we do not know.
build_commands=(gcc make)
demo_commands=("${build_commands[@]}" rsync
	dmsetup thin_check mkfs.ext4 losetup fstrim blkdiscard)
vm_commands=("${build_commands[@]}" rsync
	qemu-system-x86_64 busybox mkfs.ext4 ip ps)
test_commands=("${demo_commands[@]}" "${vm_commands[@]}"
	clang sparse shellcheck perl python3 git fio mkfs.xfs bc bison flex
	patch)

say() { echo "deps.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# A service that a package starts must not inherit the lock.
as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi 8>&-
}

can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }

#
# Only one process at a time may change the cache and the system's packages; after
# lock(), check again whether that is still needed.
#
lock()
{
	[ -z "${locked:-}" ] || return 0
	locked=1
	mkdir -p "$thinx_cache" 2> /dev/null || :
	[ -w "$thinx_cache" ] ||
		die "cannot write to $thinx_cache: name another place in THINX_CACHE"
	exec 8> "$thinx_cache/lock"
	flock -n 8 || { say "waiting for another deps.sh"; flock 8; }
}

update_once()
{
	[ -z "${updated:-}" ] || return 0
	updated=1
	as_root apt-get -qq update
}

# missing_packages PACKAGE...: sets missing
missing_packages()
{
	local have p

	missing=()
	have=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null |
		tr '\n' ' ' | sed 's/ii \([^ ]*\)/\1/g') "
	for p in "$@"; do
		[[ $have == *" $p "* ]] || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ]
}

# The output of an installation is of interest only if it fails.
apt_install()
{
	as_root apt-get -qq -y --no-install-recommends install \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" \
		> "$thinx_cache/install.log" 2>&1
}

# install_packages PACKAGE...: those that are missing
install_packages()
{
	local missing=()

	missing_packages "$@" || return 0
	can_be_root ||
		die "become root, or run: sudo apt-get install ${missing[*]}"
	lock
	missing_packages "$@" || return 0
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq -s install "${missing[@]}" > /dev/null 2>&1 || update_once
	apt_install "${missing[@]}" || { update_once; apt_install "${missing[@]}"; } || {
		tail -n 20 "$thinx_cache/install.log" >&2
		die "cannot install ${missing[*]}"
	}
}

#
# Headers of the running kernel if it is Debian's; else those of Debian's newest
# kernel, for make KDIR=DIR.
#
get_headers()
{
	local release p

	release=$(uname -r)
	p=linux-headers-$release
	[ ! -e "/lib/modules/$release/build/Makefile" ] || return 0
	if ! has_package "$p" && missing_packages linux-headers-amd64; then
		lock
		can_be_root && update_once
	fi
	if has_package "$p"; then
		install_packages "$p"
		return
	fi
	install_packages linux-headers-amd64
	p=$(dpkg-query -W -f '${Depends}' linux-headers-amd64)
	say "no package has headers of the running kernel, $release;" \
		"for Debian's: make KDIR=/usr/src/${p%% *}"
}

#
# Other systems.
#

# package_of MANAGER COMMAND: the package to install
package_of()
{
	case $1:$2 in
	apt-get:headers) echo "linux-headers-$(uname -r)" ;;
	dnf:headers)	echo "kernel-devel-$(uname -r)" ;;
	zypper:headers)	echo kernel-default-devel ;;
	*:headers)	echo linux-headers ;;
	apt-get:dmsetup) echo dmsetup ;;
	*:dmsetup)	echo device-mapper ;;
	dnf:thin_check)	echo device-mapper-persistent-data ;;
	*:thin_check)	echo thin-provisioning-tools ;;
	*:mkfs.ext4)	echo e2fsprogs ;;
	*:mkfs.xfs)	echo xfsprogs ;;
	*:losetup|*:fstrim|*:blkdiscard) echo util-linux ;;
	dnf:qemu-system-x86_64) echo qemu-system-x86-core ;;
	apt-get:qemu-system-x86_64) echo qemu-system-x86 ;;
	*:qemu-system-x86_64) echo qemu-x86 ;;
	dnf:shellcheck|zypper:shellcheck) echo ShellCheck ;;
	*:ip)		echo iproute2 ;;
	*:ps)		echo procps ;;
	*)		echo "$2" ;;
	esac
}

# demand COMMAND...: if any is missing, die and say which and how to get them
demand()
{
	local c m name words=() names=() manager='' how

	for c in "$@"; do
		if [ "$c" = headers ]; then
			[ -e "/lib/modules/$(uname -r)/build/Makefile" ] ||
				words+=("headers of kernel $(uname -r)")
		elif ! PATH=$PATH:/usr/sbin:/sbin command -v "$c" > /dev/null; then
			words+=("$c")
		else
			continue
		fi
		for m in apt-get dnf zypper pacman; do
			[ -n "$manager" ] || ! command -v $m > /dev/null || manager=$m
		done
		name=$(package_of "$manager" "$c")
		[[ " ${names[*]-} " == *" $name "* ]] || names+=("$name")
	done
	[ ${#words[@]} -gt 0 ] || return 0
	case $manager in
	'') how= ;;
	pacman) how=" (pacman -S ${names[*]})" ;;
	*) how=" ($manager install ${names[*]})" ;;
	esac
	printf -v m '%s, ' "${words[@]}"
	die "this is $(system_name); packages are installed on Debian 12 and 13 only;" \
		"missing here: ${m%, }$how; with gcc, make and the kernel's headers" \
		"there, make and make install do without the scripts"
}

system_name()
{
	local name

	name=$(os_release PRETTY_NAME) || :
	echo "${name:-an unknown system}"
}

is_known() { [ -n "$thinx_debian" ] && command -v apt-get > /dev/null; }

# provide PACKAGES COMMANDS: install the packages, or on other systems demand the
# commands
provide()
{
	local words

	if is_known; then
		read -ra words <<< "$1"
		install_packages "${words[@]}"
	else
		read -ra words <<< "$2"
		demand "${words[@]}"
	fi
}

get_build()
{
	provide "${build_packages[*]}" "${build_commands[*]} headers"
	! is_known || get_headers
}

# debian_only WHAT
debian_only()
{
	is_known ||
		die "$1 come from packages of Debian 12 or 13, and this is $(system_name)"
}

# Fetch one .deb into the current directory; options for apt-get come first.
download()
{
	apt-get -qq "${apt_options[@]}" download "$@" > /dev/null
}

# As root: apt's own user need not be able to enter our directories.
apt_plain=(-o APT::Sandbox::User=root)
apt_options=("${apt_plain[@]}")

#
# use_suites SUITE...: a private apt state that knows only these.
#
use_suites()
{
	local codename=$thinx_debian dir=$thinx_cache/apt f s

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
	apt_options=("${apt_plain[@]}" -o Dir::Etc::sourcelist=/nonexistent
		-o "Dir::Etc::sourceparts=$dir/parts"
		-o "Dir::State::lists=$dir/lists"
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	apt-get -qq "${apt_options[@]}" update
}

has_package()
{
	apt-cache "${apt_options[@]}" show "$1" > /dev/null 2>&1
}

# suites_of SERIES: where to find that series, if not in this Debian itself
suites_of()
{
	case $thinx_debian-$1 in
	trixie-6.1)	echo bookworm ;;
	bookworm-6.12)	echo bookworm-backports ;;
	bookworm-*)	echo trixie trixie-backports ;;
	trixie-*)	echo trixie-backports ;;
	esac
}

#
# Kernel and headers of a series.  The header packages refer to each other by
# absolute paths, and their tools need the C library of their own Debian: for this
# Debian's backports the paths are changed to point into the cache; a kernel of
# another Debian gets a whole tree of that Debian, compiler and all.
#
get_kernel()
{
	local series=$1 arch dir release suites

	has_kernel "$series" && return 0
	is_known || die "this is $(system_name); kernels are fetched on Debian 12 and 13" \
		"only, and no kernel $series is in /boot with its headers;" \
		"make KDIR=DIR builds for any kernel whose headers are in DIR"
	[[ $series =~ ^[0-9]+\.[0-9]+$ ]] ||
		die "no kernel $series is here, and only a series can be fetched: 6.1, 6.12, 7.3"
	if [ "$series" = "$kernel_default" ]; then
		install_packages linux-image-amd64 linux-headers-amd64
		has_kernel "$series" ||
			die "linux-image-amd64 and linux-headers-amd64 have no kernel $series"
		return
	fi
	lock
	has_kernel "$series" && return 0
	need_room "$thinx_cache" 1500 "deps.sh: kernel $series" || exit 1
	say "fetching a $series kernel"
	arch=$(dpkg --print-architecture)
	read -ra suites <<< "$(suites_of "$series")"
	use_suites "${suites[@]}"
	release=$(apt-cache "${apt_options[@]}" pkgnames \
			"linux-headers-$series." |
		sed -nE "s/^linux-headers-($series\.[0-9]+[^-]*-([0-9]+-)?$arch)$/\1/p" |
		sort -V | tail -n 1)
	[ -n "$release" ] || die "no kernel $series in ${suites[*]}"
	dir=$thinx_cache/kernels/$series
	remove_tree "$dir"
	mkdir -p "$dir.debs"
	(
		cd "$dir.debs"
		# From 7.2 on, an image consists of three packages; the one with
		# its name may be empty and depend on them.
		for p in "linux-binary-$release" "linux-binary-unsigned-$release" \
			"linux-image-$release" "linux-image-$release-unsigned"; do
			has_package "$p" && break
		done
		download "$p"
		for p in "linux-modules-$release" "linux-base-$release"; do
			! has_package "$p" || download "$p"
		done
	)
	if [[ ${suites[0]} == "$thinx_debian"-* ]]; then
		unpack_kernel "$dir" "$release"
	else
		tree_kernel "$dir" "$release" "${suites[0]}"
	fi
	rm -rf "$dir.debs"
	if ! kernel_find "$series" || [ ! -e "$k_image" ]; then
		die "the packages of $series have no kernel"
	fi
	say "kernel $release is in $dir"
}

has_kernel() { kernel_find "$1" && [ -e "$k_build/Makefile" ]; }

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

# A tree made without root belongs to users that exist only in a namespace.
remove_tree()
{
	[ -e "$1" ] || return 0
	rm -rf "$1" 2> /dev/null || mmdebstrap --unshare-helper rm -rf "$1"
}

#
# tree_kernel DIRECTORY RELEASE CODENAME: does not run the kernel's maintainer
# scripts, which would make an initramfs.  Debian 12's has a directory lib, which
# must not replace the tree's link to usr/lib.
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
		--customize-hook='for f in "$unpack"/*.deb; do
			dpkg-deb --fsys-tarfile "$f" |
				tar -x -C "$1" --keep-directory-symlink || exit 1
		done' \
		--customize-hook='/sbin/depmod -b "$1" "$modules"' \
		--customize-hook='echo "$modules" > "$1/complete"' \
		"$codename" "$dir.tmp" "$thinx_cache"/apt/parts/suites.*
	mv "$dir.tmp" "$dir"
}

newest_source_deb()
{
	find "$thinx_cache/debs" -name "linux-source-$1_*.deb" |
		sort -V | tail -n 1
}

# source_deb SERIES: sets $deb to the path of the package linux-source-SERIES
source_deb()
{
	local series=$1 suites=()

	need_room "$thinx_cache" 300 "deps.sh: linux-source-$series" || exit 1
	mkdir -p "$thinx_cache/debs"
	deb=$(newest_source_deb "$series")
	[ -z "$deb" ] || return 0
	say "fetching linux-source-$series"
	apt_options=("${apt_plain[@]}")
	if [ "$series" != "$kernel_default" ]; then
		read -ra suites <<< "$(suites_of "$series")"
		use_suites "${suites[@]}"
	fi
	(
		cd "$thinx_cache/debs"
		download "linux-source-$series" ||
		# The lists of other suites are fresh.
		{ [ "$series" = "$kernel_default" ] && update_once &&
		  download "linux-source-$series"; }
	) > "$thinx_cache/debs/log" 2>&1 || die "no package linux-source-$series to be had: does apt know ${suites[*]:-$thinx_debian}?"
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
		die "cannot unpack $deb: remove it to have it fetched again"
	}
	mv "$dir.tmp" "$dir"
}

get_scripts()
{
	local dir=$thinx_cache/linux-scripts

	[ -e "$dir/scripts/checkpatch.pl" ] || lock
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

	[ -e "$dir/Makefile" ] || lock
	[ -e "$dir/Makefile" ] || unpack_source "$1" "$dir"
	echo "$dir"
}

[ $# -gt 0 ] || get_build
while [ $# -gt 0 ]; do
	case $1 in
	--demo) provide "${demo_packages[*]}" "${demo_commands[*]}" ;;
	--vm) provide "${vm_packages[*]}" "${vm_commands[*]}" ;;
	--test) provide "${test_packages[*]}" "${test_commands[*]}" ;;
	--kernel) [ $# -ge 2 ] || die "--kernel needs a series"
		get_kernel "$2"; shift ;;
	--clients) debian_only "the clients"
		install_packages "${client_packages[@]}" ;;
	--bench) debian_only perf
		install_packages linux-perf ;;
	--scripts) debian_only "the kernel's scripts"
		get_scripts ;;
	--tree) debian_only "trees"
		[ $# -ge 2 ] || die "--tree needs a suite: trixie or bookworm"
		install_packages mmdebstrap
		scripts/tree.sh "$2"; shift ;;
	--source) debian_only "the kernel's sources"
		[ $# -ge 2 ] || die "--source needs a series"
		get_source "$2"; shift ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
	shift
done
