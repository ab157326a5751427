#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Build the debug kernel: Debian's linux-source with KASAN, lockdep, object
# and sleep checks and fault injection, as tests/debug-kernel.config says.
#
#   scripts/debug-kernel.sh          build if the config or the source changed
#
# Afterwards scripts/vm.sh -k debug boots it, and KDIR=<cache>/kernels/debug/
# lib/modules/<release>/build builds modules for it.  The result stays in the
# cache directory.  Takes some ten minutes on two idle processors.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

fragment=$PWD/tests/debug-kernel.config
dir=$thinx_cache/kernels/debug
source=$(scripts/deps.sh --source 6.1)
key=$( (cat "$fragment"; head -n 6 "$source/Makefile") | sha256sum)

mkdir -p "$dir"
exec 9> "$dir/lock"
flock 9
if [ -e "$dir/complete" ] && [ "$(cat "$dir/key" 2>/dev/null)" = "$key" ]; then
	exit 0
fi

echo "debug-kernel.sh: building; log: $dir/build.log" >&2
rm -f "$dir/complete"
build=$dir/build
mkdir -p "$build"
cd "$source"
make -s O="$build" KCONFIG_ALLCONFIG="$fragment" allnoconfig > /dev/null

# Kconfig drops without a word what it cannot grant.
missing=$(grep '^CONFIG_.*=[^n]' "$fragment" | grep -vxFf "$build/.config" || :)
if [ -n "$missing" ]; then
	echo "debug-kernel.sh: not granted:" "$missing" >&2
	exit 1
fi

if ! nice -n 5 make -s -j"$(nproc)" O="$build" bzImage modules \
		> "$dir/build.log" 2>&1; then
	tail -n 20 "$dir/build.log" >&2
	exit 1
fi
release=$(cat "$build/include/config/kernel.release")
rm -rf "${dir:?}/lib" "${dir:?}/boot"
mkdir -p "$dir/boot"
cp "$build/arch/x86/boot/bzImage" "$dir/boot/vmlinuz-$release"
make -s O="$build" INSTALL_MOD_PATH="$dir" modules_install >> "$dir/build.log" 2>&1
rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
ln -s "$build" "$dir/lib/modules/$release/build"
/sbin/depmod -b "$dir" "$release"
echo "$key" > "$dir/key"
echo "$release" > "$dir/complete"
