# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced by the other scripts: finds the kernels we test on.
#
#   $thinx_debian         this Debian's codename if we know it (bookworm, trixie),
#                         else empty
#   $kernel_default       the series of its own kernel, the default of all scripts;
#                         elsewhere the running kernel
#   kernel_find NAME      NAME is a series (6.1, 6.12, 7.3), "native" or
#                         "native-debug" (scripts/native-kernel.sh), or
#                         a release installed in /boot; sets
#     k_release   its uname -r            k_image    what to boot
#     k_arch      ARCH for building modules: x86, or um
#     k_base      directory holding lib/modules/<release>
#     k_build     KDIR for building modules against it
#     k_root      where k_build can be used: empty for this system, else the
#                 root directory of one with the right compiler
#                   returns 1 (silently) if it is not here
#   kernel_how_to_get NAME
#                         says how to get one that is not here
#   kernel_make DIRECTORY [ARGUMENT]...
#                         make the modules of DIRECTORY for the kernel found
#   need_room DIRECTORY MIB WHAT
#                         is there that much space? if not, says so, returns 1
#
# Kernels not installed on the system live in $thinx_cache/kernels/<name>,
# outside the checkout, so that cleaning the tree does not lose them.
#
# THINX_OS_RELEASE=FILE is read instead of /etc/os-release.

if [ "$(id -u)" = 0 ]; then
	thinx_cache=${THINX_CACHE:-${XDG_CACHE_HOME:-/var/cache}/thinx}
else
	thinx_cache=${THINX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/thinx}
fi
export thinx_cache

# os_release FIELD: that field of os-release
os_release()
{
	# shellcheck source=/dev/null
	(. "${THINX_OS_RELEASE:-/etc/os-release}" 2> /dev/null && echo "${!1:-}")
}

# shellcheck disable=SC2034 # the results are for the caller
case $(os_release ID)-$(os_release VERSION_CODENAME) in
debian-bookworm) thinx_debian=bookworm kernel_default=6.1 ;;
debian-trixie)	thinx_debian=trixie kernel_default=6.12 ;;
*)		thinx_debian='' kernel_default=$(uname -r) ;;
esac

# shellcheck disable=SC2034 # the results are for the caller
_kernel_installed()
{
	local r

	r=$(cd /boot && find . -maxdepth 1 -name "vmlinuz-$1" -printf '%f\n' |
		sed 's/^vmlinuz-//' | grep -vE -- '-(rt|cloud)-' |
		sort -V | tail -n 1)
	[ -n "$r" ] && [ -d "/lib/modules/$r" ] || return 1
	k_release=$r
	k_image=/boot/vmlinuz-$r
	k_base=/
	k_build=/lib/modules/$r/build
	k_root=
	k_arch=x86
}

# shellcheck disable=SC2034 # the results are for the caller
_kernel_native()
{
	local dir=$thinx_cache/kernels/$1

	[ -e "$dir/complete" ] || return 1
	k_release=$(cat "$dir/complete")
	k_image=$dir/linux
	k_base=$dir
	k_build=$dir/build
	k_root=
	k_arch=um
}

# shellcheck disable=SC2034 # the results are for the caller
_kernel_cached()
{
	local dir=$thinx_cache/kernels/$1 r

	[ -e "$dir/complete" ] || return 1
	r=$(cat "$dir/complete")
	k_release=$r
	# From 7.2 on, the image's package puts it next to the modules.
	for k_image in "$dir/boot/vmlinuz-$r" "$dir/lib/modules/$r"/vmlinuz*; do
		[ ! -e "$k_image" ] || break
	done
	k_base=$dir
	k_build=$dir/lib/modules/$r/build
	k_root=
	k_arch=x86
	[ ! -x "$dir/usr/bin/make" ] || {
		k_root=$dir
		k_build=$dir/usr/src/linux-headers-$r
	}
}

kernel_find()
{
	case $1 in
	native|native-debug) _kernel_native "$1" ;;
	*-*)	_kernel_installed "$1" ;;
	*)	_kernel_cached "$1" || _kernel_installed "$1.[0-9]*-amd64" ||
			_kernel_installed "$1-*-amd64" ;;
	esac
}

kernel_how_to_get()
{
	case $1 in
	native|native-debug) echo "scripts/native-kernel.sh $1 builds it" ;;
	6.1|6.12|7.3) echo "scripts/deps.sh --kernel $1 fetches it" ;;
	*) echo "there are 6.1, 6.12, 7.3, native, native-debug and releases in /boot" ;;
	esac
}

#
# In another system's tree, DIRECTORY is /mnt.  The mounts are in a namespace of
# their own, so nothing stays mounted, whatever happens.
#
kernel_make()
{
	local dir=$1 as=()

	shift
	# BTF would need pahole: do without.
	set -- CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
	if [ -z "$k_root" ]; then
		make -s -C "$k_build" ARCH="$k_arch" M="$dir" "$@"
		return
	fi
	[ "$(id -u)" = 0 ] || as=(--user --map-root-user)
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare "${as[@]+"${as[@]}"}" --mount --propagation private sh -ec '
		root=$1 dir=$2
		shift 2
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		mount --bind "$dir" "$root/mnt"
		exec chroot "$root" /usr/bin/env -i LC_ALL=C.UTF-8 \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin make -s "$@"' \
		sh "$k_root" "$dir" -C "${k_build#"$k_root"}" M=/mnt "$@"
}

need_room()
{
	local free

	free=$(df -m --output=avail "$1" 2> /dev/null | tail -n 1 | tr -d ' ')
	[ "${free:-0}" -lt "$2" ] || return 0
	echo "$3 needs $2 MiB in $1, but only ${free:-0} are free: make room there, or name another place in THINX_CACHE" >&2
	return 1
}
