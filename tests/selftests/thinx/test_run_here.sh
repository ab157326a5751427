#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# scripts/run.sh in this kernel, as on a machine that may load modules: every check
# of the demonstration passes, and nothing is left behind.
# shellcheck source=../install.sh
. "$(dirname "$0")/../install.sh"

# Compiling takes too long on an emulated processor: tests/packaging/test_run.sh has.
[ -e "$top/build/module-$release/dm-thinx-pool.ko" ] ||
	skip_all "nothing built for $release: make -C tests/packaging check"

is_thinx || skip_all "it shows thinx"
require module_unload

# What could be left behind: devices, loops, mounts, modules, directories.
left()
{
	dmsetup ls
	losetup -a
	cut -d' ' -f2 /proc/mounts
	lsmod | grep -i thin
	# Only its own directories: /tmp may be the host's, where others work as well.
	find /mnt /tmp /var/tmp -maxdepth 1 -name 'thinx-demo.*'
}

mkdir -p "$scratch/tree/sub"
seq 100000 > "$scratch/tree/sub/numbers"
cp "$(command -v dmsetup)" "$scratch/tree/"
# The loop module stays, and so do its devices, none of them in use.
require modprobe loop
left > "$scratch/before"
run_here() { timeout 900 "$top/scripts/run.sh" --here "$@" 2>&1; }
said=$(run_here "$scratch/tree")
is $? 0 "run.sh --here" || diag <<< "$said"
like "$said" "in this machine's kernel, $release " "here"
like "$said" "thinx works here: every check held" "to the end"
left > "$scratch/after"
is "$(diff "$scratch/before" "$scratch/after")" "" "nothing is left"
require fallocate -l 210M "$scratch/tree/large"
fails "a directory that is too large" "200 are the limit" run_here "$scratch/tree"
left > "$scratch/after"
is "$(diff "$scratch/before" "$scratch/after")" "" "nor then"
require module_load
finish
