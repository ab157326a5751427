#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A device belongs to one pool: no other pool may have it, for metadata or for data,
# by whatever name; and one device cannot be both in one pool.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target lets two pools share a data device"
disk META 8
disk DATA 64
disk META2 8
disk DATA2 64
n=$(size_of "$DATA")
make_pool "$META" "$DATA"
make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 4M 1
require mknod "$scratch/alias" b "$(major_minor "$DATA" | cut -d: -f1)" \
	"$(major_minor "$DATA" | cut -d: -f2)"
require ln -s "$META" "$scratch/link"

# refused ERRNO WORDS TABLE-AFTER-TARGET
refused()
{
	log_mark
	fails "$3: fails" "" dmsetup create bad --table "0 $n $TARGET_POOL $3"
	logged "$TARGET_POOL: $2 \(-$1\)" "$3: $1, '$2'"
	fails "$3: and leaves no device" "" dmsetup info -c bad
}

data="data device already in use by a pool"
meta="metadata device already in use by a pool"
refused EBUSY "$data" "$META2 $DATA 128 0"
refused EBUSY "$data" "$META2 $(major_minor "$DATA") 128 0"
refused EBUSY "$data" "$META2 $scratch/alias 128 0"
refused EBUSY "$meta" "$META $DATA2 128 0"
refused EBUSY "$meta" "$DATA $DATA2 128 0"
refused EBUSY "$meta" "$scratch/link $DATA2 128 0"
n=$(size_of "$META")
refused EBUSY "$data" "$META2 $META 128 0"
twice="Error setting metadata or data device"
refused EINVAL "$twice" "$META2 $META2 128 0"
refused EINVAL "$twice" "$META2 $(major_minor "$META2") 128 0"
refused EINVAL "$twice" "$(major_minor "$META2") $META2 128 0"
refused EINVAL "$twice" "$META2 $(major_minor "$META2") 128 0 1 read_only"
ok "none of them was formatted" cmp -n 8388608 "$META2" /dev/zero
ok "the pool's data is unharmed" blockio verify /dev/mapper/t1 0 4M 1
ok "the pool goes on" blockio write /dev/mapper/t1 8M 4M 2
pool=pool2 make_pool "$META2" "$DATA2"
remove t1 pool
n=$(size_of "$DATA")
ok "once it is free, another pool may have it" dmsetup create pool3 \
	--table "0 $n $TARGET_POOL $META $DATA 128 0"
pool=pool3 activate t1 1 32M
ok "with what is on it" blockio verify /dev/mapper/t1 0 4M 1
finish
