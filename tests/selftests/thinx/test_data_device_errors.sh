#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Errors of the data device are returned to the request they concern and to no
# other, and the pool goes on.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool data 8 64
make_thin t1 1 32M
t=/dev/mapper/t1
write_synced $t 0 4M 1
rewrap data flakey "$DATA" 0 0 1 1 error_writes
fails "overwrite: EIO" EIO blockio write $t 0 64k 2
fails "new block: EIO" EIO blockio write $t 8M 64k 2
is "$(pool_mode)" rw "the pool goes on"
healed data "$DATA"
ok "writes work again" blockio write $t 8M 64k 3
ok "and can be read back" blockio verify $t 8M 64k 3
ok "the rest is unharmed" blockio verify $t 64k 4032k 1
rewrap data error
fails "reads: EIO" EIO blockio read $t 1M 64k
ok "holes can be read without the device" blockio zeros $t 16M 64k
is "$(pool_mode)" rw "the pool goes on"
healed data "$DATA"
ok "reads work again" blockio verify $t 1M 3M 1
finish
