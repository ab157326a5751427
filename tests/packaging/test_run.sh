#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# scripts/run.sh explains itself if it does not understand an option or cannot run
# here.  The module that it would build for this Debian's kernel is built, for
# tests/selftests/thinx/test_run_here.sh, which runs it in a virtual machine.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

fails "an option it does not know" "scripts/run.sh [options]" scripts/run.sh --there
fails "a kernel that is not named" "scripts/run.sh [options]" scripts/run.sh -k
fails "a directory that is not there" "No such file" scripts/run.sh "$work/none"
touch "$work/file"
fails "what is no directory" "is no directory" scripts/run.sh "$work/file"

# As root without the right to load modules, so that this cannot change anything.
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	fails "--here without being allowed to" "cannot run here: this kernel takes no modules" \
		setpriv --bounding-set=-sys_module --inh-caps=-sys_module \
		scripts/run.sh --here
else
	skip "--here without being allowed to" "needs root and setpriv"
fi

kernel_find "$kernel_default" ||
	{ skip "the module for $kernel_default" "it is not here"; exit; }
if [ "$k_base" = / ]; then
	ok "the module for $k_release" scripts/module.sh -k "$k_release"
else
	skip "the module for $kernel_default" "it is not installed in /boot"
fi
