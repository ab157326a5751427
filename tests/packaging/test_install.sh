#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# make install puts everything where it belongs, modprobe finds the module by all its
# names, and make uninstall leaves nothing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Without building: module.sh has done that in a copy.
run_make() { make -s -o all "M=$copy" "KDIR=$k_build" "$@"; }

resolve() { /sbin/modprobe -d "$root" -S "$k_release" -C "$conf" --show-depends "$@"; }

one_kernel()
{
	local kernel=$1 name files

	copy=$(dirname "$(scripts/module.sh -k "$kernel")")
	root=$work/$kernel/root
	conf=$work/$kernel/conf
	mkdir -p "$root" "$conf"
	module_root "$root"
	listing "$root" > "$work/before"

	ok "$kernel: install below INSTALL_MOD_PATH and PREFIX" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" install
	files=$(cd "$root" && find . -name '*thinx*' -type f | sort | tr '\n' ' ')
	[[ $files =~ ^"./lib/modules/$k_release/updates/dm-thinx-pool.ko"(.xz)?" ./usr/local/share/doc/thinx/thinx.conf ./usr/local/share/man/man7/thinx.7 "$ ]] ||
		fail "$kernel: these files and no others, not: $files"
	pass "$kernel: these files and no others"
	for name in thinx dm-thinx dm-thinx-pool dm_thinx_pool; do
		ok "$kernel: modprobe $name finds it" \
			grep -q "updates/dm-thinx-pool.ko" <(resolve $name)
	done
	ok "$kernel: and what it depends on" grep -q "dm-bufio.ko" <(resolve thinx)
	ok "$kernel: dm-thin is still dm-thin" \
		grep -q "md/dm-thin-pool.ko" <(resolve dm-thin-pool)

	drop_in

	ok "$kernel: uninstall" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" uninstall
	rmdir -p "$root/usr/local/share/man/man7" "$root/usr/local/share/doc" \
		2> /dev/null || true
	listing "$root" > "$work/after"
	same "$kernel: nothing is left, depmod's files included" \
		"$work/after" "$work/before"
	ok "$kernel: uninstall again changes nothing" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" uninstall

	resolve dm-thin-pool > "$work/plan"
	fails "$kernel: without thinx the aliases do not bring back dm-thin" "" \
		grep "dm-thin-pool.ko" "$work/plan"

	ok "$kernel: install below DESTDIR" \
		run_make "DESTDIR=$work/$kernel/dest" PREFIX=/usr install
	(cd "$work/$kernel/dest" && find . -type f | sed 's/\.xz$//' | sort) > "$work/got"
	cat > "$work/wanted" <<-END
	./lib/modules/$k_release/updates/dm-thinx-pool.ko
	./usr/share/doc/thinx/thinx.conf
	./usr/share/man/man7/thinx.7
	END
	same "$kernel: a package gets the files, not depmod's" \
		"$work/got" "$work/wanted"
	ok "$kernel: uninstall there" \
		run_make "DESTDIR=$work/$kernel/dest" PREFIX=/usr uninstall
	find "$work/$kernel/dest" -type f > "$work/got"
	same "$kernel: nothing is left there" "$work/got" /dev/null

	fails "$kernel: a module built for another kernel is not installed" \
		"built for another kernel than 6.0.0-other" \
		run_make "DESTDIR=$work/$kernel/dest" KERNELRELEASE=6.0.0-other install
	rm -rf "$root" "$work/$kernel/dest"
}

# With the example for /etc/modprobe.d, in the root where thinx is installed
drop_in()
{
	cp "$root/usr/local/share/doc/thinx/thinx.conf" "$conf/"
	for name in dm-thin-pool dm_thin_pool dm-thin thinx dm-thinx-pool; do
		resolve $name > "$work/plan"
		ok "$kernel: with the example $name is thinx, in drop-in mode" \
			grep -qE "dm-thinx-pool.ko[.xz]* drop_in=1" "$work/plan"
		fails "$kernel: and not dm-thin" "" grep "dm-thin-pool.ko" "$work/plan"
	done
	resolve --ignore-install dm-thin-pool > "$work/plan"
	ok "$kernel: initramfs generators see the same" \
		grep -q "dm-thinx-pool.ko" "$work/plan"
	echo "options dm-thin-pool no_space_timeout=33" > "$conf/other.conf"
	resolve dm-thin-pool > "$work/plan"
	ok "$kernel: options for dm-thin reach thinx" \
		grep -q "dm-thinx-pool.ko.* no_space_timeout=33" "$work/plan"
	# The first request must work, and not loop.
	resolve dm-thin-pool thinx dm-thin > "$work/plan"
	ok "$kernel: no loop" timeout 20 /sbin/modprobe -d "$root" \
		-S "$k_release" -C "$conf" -n dm-thin-pool
}

for k in 6.1 6.12; do
	if kernel_find $k && [ -z "${k_root:-}" ]; then
		one_kernel $k
	else
		skip "$k" "this kernel is not here"
	fi
done
