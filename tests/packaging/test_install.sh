#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# make install and make install-drop-in put everything where it belongs, modprobe finds
# the modules by all their names, and make uninstall leaves nothing.
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
	[[ $files =~ ^"./lib/modules/$k_release/updates/dm-thinx-pool.ko"(.xz)?" ./usr/local/share/man/man7/thinx.7 "$ ]] ||
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
	rmdir -p "$root/usr/local/share/man/man7" 2> /dev/null || true
	listing "$root" > "$work/after"
	same "$kernel: nothing is left, depmod's files included" \
		"$work/after" "$work/before"
	ok "$kernel: uninstall again changes nothing" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" uninstall
	ok "$kernel: dm-thin is dm-thin's module again" \
		grep -q "md/dm-thin-pool.ko" <(resolve dm-thin-pool)
	old_example

	ok "$kernel: install below DESTDIR" \
		run_make "DESTDIR=$work/$kernel/dest" PREFIX=/usr install-drop-in
	(cd "$work/$kernel/dest" && find . -type f | sed 's/\.xz$//' | sort) > "$work/got"
	cat > "$work/wanted" <<-END
	./lib/modules/$k_release/updates/dm-thin-pool.ko
	./lib/modules/$k_release/updates/dm-thinx-pool.ko
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

# With the drop-in, in the root where thinx is installed
drop_in()
{
	local found shim=updates/dm-thin-pool.ko

	ok "$kernel: install the drop-in" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" install-drop-in
	for name in dm-thin-pool dm_thin_pool dm-thin; do
		resolve $name > "$work/plan"
		ok "$kernel: $name is the drop-in" grep -q "$shim" "$work/plan"
		ok "$kernel: which needs thinx" grep -q "updates/dm-thinx-pool.ko" "$work/plan"
		fails "$kernel: and not dm-thin" "" grep "md/dm-thin-pool.ko" "$work/plan"
	done
	resolve thinx > "$work/plan"
	fails "$kernel: thinx does not need the drop-in" "" grep "$shim" "$work/plan"
	# What programs that make an initramfs look at.
	found=$(/sbin/modinfo -b "$root" -k "$k_release" -n dm-thin-pool)
	ok "$kernel: modinfo finds it" grep -q "/$shim" <<< "$found"
	echo "options dm-thin-pool no_space_timeout=33" > "$conf/other.conf"
	resolve dm-thin-pool > "$work/plan"
	ok "$kernel: options for dm-thin reach it" \
		grep -q "$shim.* no_space_timeout=33" "$work/plan"
	rm "$conf/other.conf"
	# What the administrator says comes first.
	mkdir "$work/$kernel/depmod.d"
	echo "override dm-thin-pool * kernel/drivers/md" > "$work/$kernel/depmod.d/thinx.conf"
	/sbin/depmod -b "$root" -C "$work/$kernel/depmod.d" "$k_release"
	ok "$kernel: an override in /etc/depmod.d keeps dm-thin" \
		grep -q "md/dm-thin-pool.ko" <(resolve dm-thin-pool)
	ok "$kernel: make install keeps the drop-in up to date" \
		run_make "INSTALL_MOD_PATH=$root" "PREFIX=$root/usr/local" install
	ok "$kernel: it is there" grep -q "$shim" <(resolve dm-thin-pool)
}

# make uninstall warns of a file made from the example of versions before 0.3.
old_example()
{
	mkdir -p "$work/$kernel/dest/etc/modprobe.d"
	printf '%s\n' "options dm-thinx-pool drop_in=1" "alias dm-thin-pool dm-thinx-pool" \
		> "$work/$kernel/dest/etc/modprobe.d/thinx.conf"
	ok "$kernel: uninstall, with an old file in modprobe.d" \
		run_make "DESTDIR=$work/$kernel/dest" PREFIX=/usr uninstall
	cp "$work/out" "$work/warned"
	ok "$kernel: warns of it" grep -q "thinx.conf still has thinx loaded" "$work/warned"
	rm -r "$work/$kernel/dest"
}

for k in 6.1 6.12; do
	if kernel_find $k && [ -z "${k_root:-}" ]; then
		one_kernel $k
	else
		skip "$k" "this kernel is not here"
	fi
done
