#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The session in README.md can be pasted and does what it says.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "README.md names thinx's targets"
modprobe -q ext4
awk '/^```sh$/ { p = 1; next } /^```$/ { p = 0 } p' "$top/README.md" \
	> "$scratch/session"
ok "there is a session" grep -q "dmsetup create pool" "$scratch/session"
mkdir "$scratch/empty"
log_mark
out=$(cd "$scratch/empty" && bash -eu ../session 2>&1)
is "$?" 0 "every command succeeds"
echo "$out" | diag
like "$out" $'as it is\nas it was' "the snapshot keeps what was overwritten"
like "$out" " [0-9]+/8192 - rw discard_passdown queue_if_no_space - 1024" \
	"the status line is as shown"
logged "growing the data device from 8192 to 16384 blocks" "the pool grows"
is "$(dmsetup ls)" "No devices found" "no device is left"
is "$(losetup -a)" "" "nor a loop device"
finish
