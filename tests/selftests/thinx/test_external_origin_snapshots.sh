#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Snapshots of volumes with an external origin: if their table names it too, they
# show it where nothing is mapped; otherwise they show zeros there.  Later changes
# are separate.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk ORIGIN 8
disk OTHER 8
require blockio write "$ORIGIN" 0 8M 7
require blockio write "$OTHER" 0 8M 8
sum=$(sha256sum < "$ORIGIN")
make_pool "$META" "$DATA"
make_thin t1 1 16M "$ORIGIN"
require blockio write /dev/mapper/t1 1M 68k 1
require blockio write /dev/mapper/t1 10M 64k 1
snapshot t1 1 2
activate s2 2 16M "$ORIGIN"
s=/dev/mapper/s2
t=/dev/mapper/t1
ok "the snapshot has what was written" blockio verify $s 1M 68k 1
ok "and what was copied with it" blockio verify $s 1092k 60k 7
ok "where nothing is mapped, the origin" blockio verify $s 2M 6M 7
ok "past the origin's end, what was written" blockio verify $s 10M 64k 1
ok "and zeros" blockio zeros $s 12M 4M

# Breaking sharing copies the block, not the origin.
ok "a write to a shared block" blockio write $s 1088k 4k 2
ok "the rest of it is from the volume" blockio verify $s 1M 64k 1
ok "and what came from the origin" blockio verify $s 1092k 60k 7
ok "the volume keeps its data" blockio verify $t 1M 68k 1
ok "a write where the snapshot shows the origin" blockio write $s 4M 4k 3
ok "around it the origin" blockio verify $s 4100k 60k 7
ok "the volume shows the origin there" blockio verify $t 4M 64k 7
ok "a write in the volume" blockio write $t 5M 64k 4
ok "the snapshot shows the origin there" blockio verify $s 5M 64k 7
ok "a discard in the snapshot" blockio discard $s 1M 64k
ok "brings the origin back" blockio verify $s 1M 64k 7
ok "not in the volume" blockio verify $t 1M 64k 1

# A snapshot of the snapshot, after both are deleted.
snapshot s2 2 3
remove t1 s2
require msg delete 1
require msg delete 2
activate s3 3 16M "$ORIGIN"
s=/dev/mapper/s3
ok "outlives them" blockio verify $s 4M 4k 3
ok "around it the origin" blockio verify $s 4100k 60k 7
ok "and elsewhere" blockio verify $s 5M 3M 7
remove s3

# The origin is not recorded in the metadata.
activate s3 3 16M
ok "without the origin: what is mapped" blockio verify $s 4M 4k 3
ok "what was copied" blockio verify $s 4100k 60k 7
ok "zeros elsewhere" blockio zeros $s 5M 3M
remove s3
activate s3 3 16M "$OTHER"
ok "over another: what is mapped" blockio verify $s 4M 4k 3
ok "the other elsewhere" blockio verify $s 5M 3M 8
remove s3
require msg delete 3
is "$(data_used)" 0 "nothing is in use"
is "$(sha256sum < "$ORIGIN")" "$sum" "the origin was never written"
finish
