# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced by the tests here, which run on this machine and write only below
# build/packaging.  A failed step ends the test.

set -eu
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"
# shellcheck source=../../scripts/kernels.sh
. scripts/kernels.sh

name=$(basename "$0" .sh)
work=$top/build/packaging/$name
rm -rf "$work"
mkdir -p "$work"
number=0

pass() { number=$((number + 1)); echo "ok $number - $*"; }
fail() { echo "not ok $((number + 1)) - $*"; exit 1; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

# ok DESCRIPTION COMMAND...: succeeds; otherwise its output is shown
ok()
{
	local what=$1

	shift
	if ! "$@" > "$work/out" 2>&1; then
		sed 's/^/# /' "$work/out" | tail -n 30
		fail "$what"
	fi
	pass "$what"
}

# fails DESCRIPTION WORD COMMAND...: fails, and its output contains WORD
fails()
{
	local what=$1 word=$2

	shift 2
	if "$@" > "$work/out" 2>&1 || [[ $(cat "$work/out") != *"$word"* ]]; then
		sed 's/^/# /' "$work/out" | tail -n 30
		fail "$what"
	fi
	pass "$what"
}

# same DESCRIPTION GOT WANTED: two files are equal
same()
{
	if ! diff "$2" "$3" > "$work/diff"; then
		sed 's/^/# /' "$work/diff" | head -n 30
		fail "$1"
	fi
	pass "$1"
}

# listing DIRECTORY: all directories, links, and files with their digests
listing()
{
	(
		cd "$1"
		find . -type d -printf '%p/\n'
		find . -type f -exec sha256sum {} +
		find . -type l -printf '%p -> %l\n'
	) | sort
}

# module_root DIRECTORY: copy the needed part of the found kernel's modules there
module_root()
{
	local from=${k_base%/}/lib/modules/$k_release
	local to=$1/lib/modules/$k_release

	mkdir -p "$to/kernel/drivers"
	cp -r "$from/kernel/lib" "$to/kernel/"
	cp -r "$from/kernel/drivers/md" "$to/kernel/drivers/"
	cp "$from"/modules.builtin* "$from/modules.order" "$to/"
	/sbin/depmod -b "$1" "$k_release"
}
