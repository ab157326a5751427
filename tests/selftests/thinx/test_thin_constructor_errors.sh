#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Every malformed or impossible thin table is refused with the documented errno and
# message; odd but legal ones are not.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
disk PLAIN 8
make_pool "$META" "$DATA"
require msg create_thin 1
require dmsetup create linear --table "0 8192 linear $PLAIN 0"
p=/dev/mapper/pool

# refused ERRNO WORDS ARGUMENTS
refused()
{
	log_mark
	fails "'$3' fails" "" dmsetup create bad --table "0 1000 $TARGET_THIN $3"
	logged "$TARGET_THIN: $2 \(-$1\)" "'$3': $1, '$2'"
}

refused EINVAL "Invalid argument count" ""
refused EINVAL "Invalid argument count" "$p"
refused EINVAL "Invalid argument count" "$p 1 $PLAIN more"
refused "(ENODEV|ENOENT)" "Error opening pool device" "/nonexistent 1"
for id in x -1 0x1 16777216 1.5 4294967296; do
	refused EINVAL "Invalid device id" "$p $id"
done
refused EINVAL "Couldn't get pool mapped device" "$PLAIN 1"
refused EINVAL "Couldn't find pool object" "/dev/mapper/linear 1"
refused ENODATA "Couldn't open thin internal device" "$p 2"
refused ENODATA "Couldn't open thin internal device" "$p 16777215"

require dmsetup suspend pool
refused EINVAL "Unable to activate thin device while pool is suspended" "$p 1"
require dmsetup resume pool

require dmsetup create fresh --notable
require dmsetup load fresh --table "0 8192 linear $PLAIN 0"
require dmsetup resume fresh
refused EINVAL "Couldn't find pool object" "/dev/mapper/fresh 1"

pp=$(major_minor $p)
ok "pool by number, id with sign and zeros" \
	dmsetup create a --table "0 1000 $TARGET_THIN $pp +01"
is "$(dmsetup table a)" "0 1000 $TARGET_THIN $pp 1" "reads back plainly"
ok "the same id twice" dmsetup create b --table "0 500000 $TARGET_THIN $p 1"
ok "a read-only one" dmsetup create c -r --table "0 1000 $TARGET_THIN $p 1"
ok "two targets in one table" dmsetup create e --table \
"0 1000 $TARGET_THIN $p 1
1000 1000 $TARGET_THIN $p 1"
ok "the first is written" blockio write /dev/mapper/e 0 4k 5
ok "the second shows it at its own start" blockio read /dev/mapper/e 500k 4k
fails "the pool cannot be removed while thins exist" busy dmsetup remove pool
finish
