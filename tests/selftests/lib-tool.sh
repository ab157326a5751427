# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# Copyright (C) 2026 The thinx authors.
#
# For tests of the program thinx(8), which is found as "thinx" then.  Sourced after
# lib.sh; skips the test where there is nothing to ask.

is_thinx || skip_all "dm-thin knows no queries"
PATH=$top/build:$PATH
thinx --help > /dev/null || skip_all "the program is not there, or was built for other libraries"

# exits STATUS TEXT COMMAND...: it ends so, and says so
exits()
{
	local status=$1 text=$2 r

	shift 2
	"$@" > "$scratch/said" 2>&1
	r=$?
	is $r "$status" "exit status of $*"
	like "$(cat "$scratch/said")" "$text" "and what it says"
}
