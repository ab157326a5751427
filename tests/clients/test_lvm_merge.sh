#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: a thin snapshot is merged into its origin, at once or, if the origin is in
# use, at its next activation.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 512
volume_group "$PV1"
thin_pool 128M
thin_volume v1 64M
require blockio write /dev/vg/v1 0 16M 1
clean "a snapshot" lvcreate -q -s -n s1 vg/v1
require blockio write /dev/vg/v1 8M 16M 2
figures_agree
clean "the snapshot is merged" lvconvert -q --merge vg/s1
fails "it is gone" "" lvs vg/s1
ok "the volume is as it was" blockio verify /dev/vg/v1 0 16M 1
ok "what came later is gone" blockio zeros /dev/vg/v1 16M 48M
figures_agree
is "$(lv data_percent)" 12.50 "256 of 2048 chunks are left"

clean "another snapshot" lvcreate -q -s -n s2 vg/v1
require blockio write /dev/vg/v1 0 8M 3
exec 7< /dev/vg/v1
clean "a merge while the origin is open" lvconvert -q --merge vg/s2
like "$(lv lv_attr vg/v1)" '^O' "lvs: merging is pending"
ok "nothing is merged yet" blockio verify /dev/vg/v1 0 8M 3
ok "and the volume takes writes" blockio write /dev/vg/v1 32M 1M 4
exec 7<&-
clean "the origin is deactivated" lvchange -q -an vg/v1
clean "the origin is activated" lvchange -q -ay vg/v1
like "$(lv lv_attr vg/v1)" '^V' "lvs: merged"
fails "the snapshot is gone" "" lvs vg/s2
ok "the volume is as it was" blockio verify /dev/vg/v1 0 16M 1
ok "what came later is gone" blockio zeros /dev/vg/v1 32M 1M
figures_agree
ok "it can be written" blockio write /dev/vg/v1 1M 1M 5
metadata_sound
clean "all is activated" vgchange -q -ay vg
ok "data" blockio verify /dev/vg/v1 1M 1M 5
ok "data" blockio verify /dev/vg/v1 2M 14M 1
finish
