#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The metadata device of an idle pool dies: a plain status of a pool that was
# changed since it was set up notices, one without flushing does not.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

disk META 8
disk DATA 64
wrap meta "$META"
make_pool /dev/mapper/meta "$DATA"
make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 1M 1
require blockio sync /dev/mapper/t1
ok "all is well" mode_is rw
is "$(dmsetup status pool | awk '{ print $8 }')" rw "plainly, too"
rewrap meta error
is "$(pool_mode)" rw "without flushing nothing is noticed"
log_mark
like "$(dmsetup status pool)" " Fail$" "a plain status says Fail"
logged "switching pool to fail mode" "which is logged"
fails "writes are refused" EIO blockio write /dev/mapper/t1 2M 64k 2
remove t1 pool
healed meta "$META"
make_pool /dev/mapper/meta "$DATA"
activate t1 1 32M
ok "what was committed is there" blockio verify /dev/mapper/t1 0 1M 1
finish
