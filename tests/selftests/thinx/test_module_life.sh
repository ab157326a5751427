#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The module can be unloaded unless it is in use; its parameters.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
ok "parameter no_space_timeout" test "$(cat "$parameters/no_space_timeout")" = 60
ok "can be set" bash -c "echo 7 > $parameters/no_space_timeout"
is "$(cat "$parameters/no_space_timeout")" 7 "and read"
make_pool "$META" "$DATA"
fails "in use by a pool" "in use" module_unload
make_thin t1 1 64M
require blockio write /dev/mapper/t1 0 4M 1
fails "in use by a volume" "in use" module_unload
remove t1 pool
for i in 1 2 3 4 5; do
	ok "unload $i" module_unload
	ok "load $i" module_load
	make_pool "$META" "$DATA"
	activate t1 1 64M
	ok "data $i" blockio verify /dev/mapper/t1 0 4M 1
	remove t1 pool
done
# A failed constructor leaves no reference to the module.
for i in 1 2 3; do
	dmsetup create bad --table "0 100 $TARGET_POOL $META $DATA 128 0 1 x" 2>/dev/null
	dmsetup create bad --table "0 100 $TARGET_THIN $DATA 1" 2>/dev/null
done
ok "unload after failed constructors" module_unload
ok "load" module_load
finish
