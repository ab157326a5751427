#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Build the module for a kernel and print the path of the .ko.
#
#   scripts/module.sh [-k KERNEL] [MAKE ARGUMENT]...
#
#   -k KERNEL   6.1, 6.12, 7.3, native, native-debug, or a release found in /boot;
#               default: this Debian's series
#
# Builds in a copy, build/module-<kernel>, so that one tree serves several kernels;
# only changed files are copied and rebuilt.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=kernels.sh
. scripts/kernels.sh

kernel=$kernel_default
if [ "${1:-}" = -k ]; then
	kernel=$2
	shift 2
fi
kernel_find "$kernel" || {
	echo "module.sh: kernel '$kernel' is not here: $(kernel_how_to_get "$kernel")" >&2
	exit 1
}

copy=build/module-$kernel
mkdir -p "$copy"
exec 9> "$copy.lock"
flock 9
rsync -a --delete --exclude=/compat-probed.h --include='*/' --include='*.c' --include='*.h' \
	--include=Kbuild --include=Makefile --include='*.mk' --include='*.sh' --exclude='*' \
	--filter='P *.o' --filter='P *.ko' --filter='P *.mod*' \
	--filter='P .*.cmd' --filter='P modules.order' \
	--filter='P Module.symvers' --prune-empty-dirs \
	Kbuild Makefile ./*.c ./*.h control data-path include metadata \
	persistent-data "$copy/"
kernel_make "$PWD/$copy" "$@" >&2
echo "$PWD/$copy/dm-thinx-pool.ko"
