#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Build a native kernel: User-Mode Linux, which runs as an ordinary process, from
# Debian's linux-source.
#
#   scripts/native-kernel.sh native         as a distribution configures it
#   scripts/native-kernel.sh native-debug   with KASAN, lockdep, object and sleep
#                                           checks and fault injection
#
# The configuration is tests/native/common.config and NAME.config; the source is
# Debian's with tests/native/stack-walk.patch, which says what it is for.  Nothing
# is done if configuration, source and compiler are those of the last build.
# Afterwards scripts/vm.sh -k NAME boots it, and scripts/module.sh -k NAME builds
# modules for it.  The result stays in the cache directory.  The builds took 13 and
# 18 minutes on two processors, and 3 GiB for source and objects.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

series=7.3

say() { echo "native-kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

name=${1:-}
case $name in
native|native-debug) ;;
*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac

dir=$thinx_cache/kernels/$name
mkdir -p "$dir" 2> /dev/null ||
	die "cannot write to $thinx_cache: name another place in THINX_CACHE"
exec 9> "$dir/lock"
flock 9

# Both kernels are built from it; the patch only affects the debug kernel.  Building
# keeps the lock, shared: the source must not go away under a build.
get_source()
{
	local patch=tests/native/stack-walk.patch wanted

	wanted=$(sha256sum < $patch)
	exec 8> "$thinx_cache/kernels/source.lock"
	flock 8
	source=$(scripts/deps.sh --source $series)
	if [ "$(cat "$source/thinx-patched" 2> /dev/null)" != "$wanted" ]; then
		# Unpack it again if it was patched before, in whole or in part.
		if ! patch -s -f -p1 --dry-run -d "$source" < $patch > /dev/null; then
			rm -rf "$source"
			source=$(scripts/deps.sh --source $series)
		fi
		patch -s -f -p1 -d "$source" < $patch >&2 ||
			die "$patch does not apply to the source in $source"
		echo "$wanted" > "$source/thinx-patched"
	fi
	flock -s 8
}

fragments=(tests/native/common.config "tests/native/$name.config")
[ "$name" = native ] || fragments+=(tests/native/stack-walk.patch)
get_source
key=$( (cat "${fragments[@]}"; head -n 6 "$source/Makefile"; gcc --version) | sha256sum)
if [ -e "$dir/complete" ] && [ "$(cat "$dir/key" 2> /dev/null)" = "$key" ]; then
	exit 0
fi
need_room "$dir" 600 "native-kernel.sh: the $name kernel" || exit 1

config=$dir/wanted.config
build=$dir/build
log=$dir/build.log
failed()
{
	tail -n 20 "$log" >&2
	die "the $name kernel does not build; log: $log"
}
um() { make -s -C "$source" ARCH=um O="$build" "$@" >> "$log" 2>&1; }

say "building $name; log: $log"
rm -f "$dir/complete"
cat "${fragments[@]:0:2}" > "$config"
mkdir -p "$build"
: > "$log"
um "KCONFIG_ALLCONFIG=$config" allnoconfig || failed

# Kconfig silently drops what it cannot grant.
missing=$(grep '^CONFIG_.*=[^n]' "$config" | grep -vxFf "$build/.config" || :)
[ -z "$missing" ] || die "not granted: $(tr '\n' ' ' <<< "$missing")"

nice -n 5 make -s -C "$source" ARCH=um O="$build" -j"$(nproc)" linux modules \
	>> "$log" 2>&1 || failed
release=$(cat "$build/include/config/kernel.release")
# Running machines still use the old files.
rm -rf "$dir/new"
um INSTALL_MOD_PATH="$dir/new" modules_install || failed
rm -f "$dir/new/lib/modules/$release"/{build,source}
ln -s "$build" "$dir/new/lib/modules/$release/build"
cp "$build/linux" "$dir/new/linux" || die "no room in $dir?"
rm -rf "${dir:?}/lib"
mv "$dir/new"/* "$dir"
rmdir "$dir/new"
echo "$key" > "$dir/key"
echo "$release" > "$dir/complete"
say "kernel $release is in $dir"
