#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Build the test modules of this folder and load them in a virtual machine.
#
#   tests/kernel/run.sh [KERNEL]      6.1, 6.12, 7.3, native, native-debug;
#                                     default: this Debian's
#
# dm-bufio gets so little memory that it keeps reusing buffers.

set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

kernel=${1:-$kernel_default}
kernel_find "$kernel" || {
	echo "run.sh: kernel '$kernel' is not here: $(kernel_how_to_get "$kernel")" >&2
	exit 4
}

# A copy, so that one tree serves several kernels.
copy=$PWD/build/test-modules-$kernel
rm -rf "$copy"
mkdir -p "$copy"
cp -r tests/kernel/Kbuild tests/kernel/*.[ch] persistent-data include "$copy"
kernel_make "$copy"

# shellcheck disable=SC2016 # expanded in the guest
scripts/vm.sh -k "$kernel" -d 256M -t 3000 -- sh -c '
	modprobe dm-bufio &&
	echo 2000000 >/sys/module/dm_bufio/parameters/max_cache_size_bytes &&
	insmod "$1" disk=/dev/vda
	r=$?
	dmesg | grep thinx-test:
	exit $r' sh "$copy/thinx-test-block-io.ko"
