#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# dkms builds and installs the source that make install-dkms copies, for this Debian's
# kernel, in trees of its own below build/packaging.  The built module stays there:
# tests/selftests/thinx/test_install_dkms.sh installs and loads it in a virtual
# machine.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! command -v dkms > /dev/null; then
	skip "dkms" "no dkms"
	exit
elif [ "$(id -u)" != 0 ]; then
	skip "dkms" "needs root"
	exit
fi
kernel_find "$kernel_default" ||
	{ skip "dkms" "no kernel $kernel_default"; exit; }

stage=$work/stage
tree=$work/tree
modules=$work/root/lib/modules
mkdir -p "$tree"
module_root "$work/root"

ok "the source is copied" make -s "DESTDIR=$stage" PREFIX=/usr install-dkms
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
ok "to where dkms looks" test -f "$stage/usr/src/thinx-$version/dkms.conf"
fails "without objects" "" grep . \
	<(find "$stage" -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd')

# With openssl dkms would make a signing key in /var/lib.
mkdir "$work/bin"
ln -s /bin/false "$work/bin/openssl"

run_dkms()
{
	PATH=$work/bin:$PATH timeout 900 dkms "$@" --dkmstree "$tree" \
		--sourcetree "$stage/usr/src" --installtree "$modules"
}
for_kernel=(-m thinx -v "$version" -k "$k_release")

# Releases of Debian 13 have a plus sign.
regex=${k_release//+/[+]}

status() { run_dkms status -m thinx -v "$version"; }

ok "dkms add" run_dkms add -m thinx -v "$version"
ok "dkms build" run_dkms build "${for_kernel[@]}" --kernelsourcedir "$k_build"
status > "$work/status"
ok "it says built" grep -qE "thinx/$version, $regex, .*: built" "$work/status"
ok "for this kernel" grep -q "^$regex " \
	<(/sbin/modinfo -F vermagic "$(find "$tree" -name 'dm-thinx-pool.ko*' | head -n 1)")

listing "$work/root" > "$work/before"
ok "dkms install" run_dkms install "${for_kernel[@]}"
/sbin/depmod -b "$work/root" "$k_release"
status > "$work/status"
ok "it says installed" \
	grep -qE "thinx/$version, $regex, .*: installed" "$work/status"
ok "modprobe dm-thin-pool finds the drop-in" grep -q "updates/dkms/dm-thin-pool.ko" \
	<(/sbin/modprobe -d "$work/root" -S "$k_release" --show-depends dm-thin-pool)
ok "modprobe thinx finds it" grep -q "updates/dkms/dm-thinx-pool.ko" \
	<(/sbin/modprobe -d "$work/root" -S "$k_release" --show-depends thinx)
ok "dkms uninstall" run_dkms uninstall "${for_kernel[@]}"
/sbin/depmod -b "$work/root" "$k_release"
rmdir "$modules/$k_release/updates/dkms" "$modules/$k_release/updates" \
	2> /dev/null || true
listing "$work/root" > "$work/after"
same "nothing of it is left" "$work/after" "$work/before"
ok "dm-thin-pool is dm-thin's again" grep -q "md/dm-thin-pool.ko" \
	<(/sbin/modprobe -d "$work/root" -S "$k_release" --show-depends dm-thin-pool)

# The source is removed as it was installed, with a warning if a file made from the
# example of versions before 0.3 diverts dm-thin's name.
cp -r "$stage" "$work/copy"
mkdir -p "$work/copy/etc/modprobe.d"
echo "alias dm-thin-pool dm-thinx-pool" > "$work/copy/etc/modprobe.d/thinx.conf"
make -s "DESTDIR=$work/copy" PREFIX=/usr uninstall-dkms 2> "$work/warned" ||
	fail "make uninstall-dkms"
find "$work/copy" -type f > "$work/left"
echo "$work/copy/etc/modprobe.d/thinx.conf" > "$work/wanted"
same "make uninstall-dkms removes what it installed" "$work/left" "$work/wanted"
ok "and warns about dm-thin's name" grep -q "thinx.conf still has thinx loaded" "$work/warned"

# Kernels that are too old are excluded.
exclusive=$(export kernel_source_dir=; . ./dkms.conf; echo "$BUILD_EXCLUSIVE_KERNEL")
for release in 6.1.0-56-amd64 6.9.1 6.12.95 6.18.0-rc1 7.0.1 10.1.0; do
	[[ $release =~ $exclusive ]] || fail "builds for $release"
done
for release in 5.10.0-1-amd64 6.0.12-amd64 4.19.0 3.6.1; do
	[[ $release =~ $exclusive ]] && fail "does not build for $release"
done
pass "builds for kernels from 6.1 on"
