#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Suspending with held writes: a volume suspended without flushing gives them back to
# device-mapper, the pool keeps them; either way they go on after a resume.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-space.sh
. "$(dirname "$0")/../lib-space.sh"

timeout=0 small_pool 20
make_thin t1 1 64M
t=/dev/mapper/t1
require blockio write $t 0 1280k 1
spawn blockio write $t 2M 64k 2
writer=$spawned
becomes out_of_data_space "out of data space"
ok "suspend the volume without flushing" \
	timeout 120 dmsetup suspend --noflush --nolockfs t1
ok "the writer is held" running $writer
ok "resume" dmsetup resume t1
sleep 1
ok "held again" running $writer
ok "suspend the pool" timeout 120 dmsetup suspend pool
ok "resume it" timeout 120 dmsetup resume pool
sleep 0.5
ok "still held" running $writer
is "$(pool_mode)" out_of_data_space "mode is unchanged"
require dmsetup suspend --noflush --nolockfs t1
resize_pool 30
ok "grown while the volume is suspended: held" running $writer
require dmsetup resume t1
succeeds $writer "it ends"
ok "what it wrote is there" blockio verify $t 2M 64k 2
finish
