#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The metadata size in the superblock is updated when the device grows.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target leaves the old size there"
disk META 1M
disk DATA 64

# u64 at offset 344, see docs/format.md
recorded() { od -An -tu8 -j344 -N8 "$META" | tr -d ' '; }

make_pool "$META" "$DATA"
make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 4M 1
remove t1 pool
is "$(recorded)" 256 "as formatted"
disk_grow META 3M
make_pool "$META" "$DATA"
like "$(pool_field 5)" "/768$" "grown when it is set up"
remove pool
is "$(recorded)" 768 "recorded"
make_pool "$META" "$DATA"
disk_grow META 5M
suspend_and_resume pool
like "$(pool_field 5)" "/1280$" "grown while in use"
activate t1 1 32M
ok "data unharmed" blockio verify /dev/mapper/t1 0 4M 1
remove t1 pool
is "$(recorded)" 1280 "recorded"
ok "independent check" decode META
finish
