# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced instead of lib.sh by tests that install thinx.  modprobe and the kernel find
# modules below /lib/modules only, so it is installed there.
#
#   begin_install       mount a small copy of this kernel's modules over the real
#                       ones, for which depmod would take minutes; unload thinx
#   install_thinx [TARGET]
#                       make install, for the running kernel, or install-drop-in
#   uninstall_thinx
#   dm_thin             the path of dm-thin's own module
#   configure < FILE    a file in /etc/modprobe.d
#
# All of it is undone at the end, where lib.sh expects thinx to be loaded.

# The tests of clients have sourced the library already.
# shellcheck source=lib.sh
declare -F finish > /dev/null || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

release=$(uname -r)
modules=/lib/modules/$release
installed=$modules/updates/dm-thinx-pool.ko
configuration=/etc/modprobe.d/thinx-selftest.conf

: "${parameters:?}"
# shellcheck source=../../scripts/kernels.sh
. "$top/scripts/kernels.sh"

begin_install()
{
	local small=$scratch/modules d

	is_thinx || skip_all "about installing thinx"
	kernel_find "$VM_KERNEL" || bail "kernel $VM_KERNEL"
	at_end _undo_install
	for d in arch/x86/crypto crypto drivers/md lib; do
		[ -d "$modules/kernel/$d" ] || continue
		require mkdir -p "$small/kernel/$d"
		require cp -r "$modules/kernel/$d/." "$small/kernel/$d/"
	done
	require cp "$modules"/modules.builtin* "$modules/modules.order" "$small/"
	KDIR=$(readlink -f "$KDIR")	# not a path below the mount point
	ln -s "$KDIR" "$small/build"
	require mount --bind "$small" "$modules"
	require depmod "$release"
	require module_unload
}

_make()
{
	make -s -C "$top" -o all "M=$(dirname "$THINX_MODULE")" "KDIR=$KDIR" \
		"PREFIX=$scratch/usr" "$@"
}

# The build tree of a kernel of a later Debian cannot be used in this one.
install_thinx()
{
	local target=${1:-install}

	if [ -z "${k_root:-}" ]; then
		ok "make $target" _make "$target" || bail "make $target"
	else
		require install -D -m 644 "$THINX_MODULE" "$installed"
		[ "$target" = install ] || require install -m 644 \
			"${THINX_MODULE%/*}/dm-thin-pool.ko" "$modules/updates/"
		require depmod "$release"
	fi
}

uninstall_thinx()
{
	ok "make uninstall" _make "KERNELRELEASE=$release" uninstall
}

configure() { cat > "$configuration"; }

dm_thin() { find "$modules/kernel/drivers/md" -name 'dm-thin-pool.ko*'; }

module_is_there() { grep -q "^$1 " /proc/modules; }
module_is_absent() { ! module_is_there "$1"; }

_undo_install()
{
	local m

	rm -f "$configuration"
	umount "$modules" 2> /dev/null
	for m in dm_thin_pool dm_thinx_pool; do
		! module_is_there $m || rmmod $m
	done
	module_is_there "$module" || module_load
}
