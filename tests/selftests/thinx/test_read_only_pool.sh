#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The read_only feature: the pool is never formatted or written, and everything can
# be read.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
make_pool "$META" "$DATA"
make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 4M 1
remove t1 pool
sum=$(sha256sum < "$META")
make_pool "$META" "$DATA" read_only
is "$(pool_mode)" ro "mode"
is "$(events)" 1 "entering it is one event"
activate t1 1 32M
t=/dev/mapper/t1
ok "mapped data" blockio verify $t 0 4M 1
ok "holes" blockio zeros $t 4M 4M
ok "a mapped block can be overwritten" blockio write $t 1M 64k 2
fails "a hole cannot be written" EIO blockio write $t 8M 64k 2
ok "a discard succeeds" blockio discard $t 0 1M
ok "and does nothing" blockio verify $t 0 1M 1
ok "fsync" blockio sync $t
suspend_and_resume t1
suspend_and_resume pool
is "$(pool_mode)" ro "still read-only after suspend and resume"
is "$(sha256sum < "$META")" "$sum" "the metadata was not touched"

reload_pool "$META" "$DATA"
is "$(pool_mode)" rw "a reload without the feature: writable"
ok "the hole can be written" blockio write $t 8M 64k 2
reload_pool "$META" "$DATA" read_only
is "$(pool_mode)" ro "and back"
ok "what was written is there" blockio verify $t 8M 64k 2
fails "a hole cannot be written" EIO blockio write $t 9M 64k 2
finish
