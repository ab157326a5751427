#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A volume over a read-only device outside the pool: holes show the origin, and
# writes never reach it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk ORIGIN 8
make_pool "$META" "$DATA"
p=/dev/mapper/pool
log_mark
fails "the pool as origin" "" \
	dmsetup create bad --table "0 1000 $TARGET_THIN $p 1 $p"
logged "$TARGET_THIN: Error setting origin device \(-(EINVAL|22)\)" "is refused"
fails "an origin that does not exist" "" \
	dmsetup create bad --table "0 1000 $TARGET_THIN $p 1 /nonexistent"
logged "$TARGET_THIN: Error opening origin device \(-(ENODEV|ENOENT|19|2)\)" "is refused"

require blockio write "$ORIGIN" 0 8M 7
sum=$(sha256sum < "$ORIGIN")
make_thin t1 1 16M "$ORIGIN"
t=/dev/mapper/t1
is "$(dmsetup table t1)" \
	"0 32768 $TARGET_THIN $(major_minor $p) 1 $(major_minor "$ORIGIN")" \
	"the table reads back"
ok "holes show the origin" blockio verify $t 0 8M 7
ok "past its end: zeros" blockio zeros $t 8M 8M
is "$(data_used)" 0 "reading maps nothing"
ok "write 4 KiB in a block" blockio write $t 1028k 4k 1
ok "it is there" blockio verify $t 1028k 4k 1
ok "before it: copied" blockio verify $t 1M 4k 7
ok "after it: copied" blockio verify $t 1032k 56k 7
ok "a whole block" blockio write $t 2M 64k 2
ok "is there" blockio verify $t 2M 64k 2
ok "past the end of the origin" blockio write $t 12M 4k 3
ok "is there" blockio verify $t 12M 4k 3
ok "the rest of its block is zeros" blockio zeros $t 12292k 60k
is "$(data_used)" 3 "three blocks in use"
ok "discard brings the origin back" blockio discard $t 1M 64k
ok "it shows through" blockio verify $t 1M 64k 7
snapshot t1 1 2
activate s2 2 16M "$ORIGIN"
ok "a snapshot over the same origin" blockio verify /dev/mapper/s2 2M 64k 2
ok "shows the origin, too" blockio verify /dev/mapper/s2 4M 4M 7
ok "a write in the snapshot" blockio write /dev/mapper/s2 4M 4k 9
ok "the first volume does not have it" blockio verify $t 4M 64k 7
is "$(sha256sum < "$ORIGIN")" "$sum" "the origin was never written"
remove t1 s2

# An origin that ends inside a block.
require dmsetup create odd --table "0 1000 linear $ORIGIN 0"
require msg create_thin 5
activate t5 5 1M /dev/mapper/odd
ok "an odd origin shows through up to its end" \
	env BLOCKIO_SIZE=512 blockio verify /dev/mapper/t5 0 512000 7
ok "then zeros" env BLOCKIO_SIZE=512 blockio zeros /dev/mapper/t5 512000 100k
ok "one read across the end" blockio read /dev/mapper/t5 448k 128k
ok "a write in the block it ends in" \
	env BLOCKIO_SIZE=512 blockio write /dev/mapper/t5 458752 512 4
ok "copied up to the end" \
	env BLOCKIO_SIZE=512 blockio verify /dev/mapper/t5 459264 52736 7
ok "zeros past it" \
	env BLOCKIO_SIZE=512 blockio zeros /dev/mapper/t5 512000 12288
finish
