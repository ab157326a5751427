# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced by the other scripts: where a kernel we test on lives.
#
#   kernel_find NAME      NAME is a series (6.1, 6.12), "debug", or a release
#                         installed in /boot; sets
#     k_release   uname -r of it          k_image    its bzImage
#     k_base      directory holding lib/modules/<release>
#     k_build     KDIR for building modules against it
#                   returns 1 (silently) when it is not here
#
# Kernels not installed on the system live in $thinx_cache/kernels/<name>,
# outside the checkout, so that cleaning the tree does not lose them.

if [ "$(id -u)" = 0 ]; then
	thinx_cache=${THINX_CACHE:-${XDG_CACHE_HOME:-/var/cache}/thinx}
else
	thinx_cache=${THINX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/thinx}
fi
export thinx_cache

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
}

# shellcheck disable=SC2034 # the results are for the caller
_kernel_cached()
{
	local dir=$thinx_cache/kernels/$1 r

	[ -e "$dir/complete" ] || return 1
	r=$(cat "$dir/complete")
	k_release=$r
	k_image=$dir/boot/vmlinuz-$r
	k_base=$dir
	k_build=$dir/lib/modules/$r/build
}

kernel_find()
{
	case $1 in
	debug)	_kernel_cached debug ;;
	*-*)	_kernel_installed "$1" ;;
	*)	_kernel_cached "$1" || _kernel_installed "$1.[0-9]*-amd64" ||
			_kernel_installed "$1-*-amd64" ;;
	esac
}
