#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: thin volumes with an external origin, made from a read-only volume and by
# converting a volume in use to a thin one.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 512
volume_group "$PV1"
thin_pool 128M
clean "a plain volume" lvcreate -q -y -W n -L 32M -n base vg
require blockio write /dev/vg/base 0 32M 1
clean "it is made read-only" lvchange -q -an -pr vg/base
for v in e1 e2; do
	clean "thin volume $v with it as origin" \
		lvcreate -q -s --thinpool vg/pool -n $v vg/base
	clean "it is active" lvchange -q -K -ay vg/$v
done
is "$(lv origin vg/e1)" base "lvs: its origin"
like "$(dmsetup table vg-e1)" ' thin [0-9]+:[0-9]+ [0-9]+ [0-9]+:[0-9]+$' \
	"a thin table with three words"
ok "the origin's data is seen" blockio verify /dev/vg/e1 0 32M 1
is "$(lv data_percent)" 0.00 "and takes no space"
ok "a part is written" blockio write /dev/vg/e1 1M 1M 2
ok "less than a chunk, too" blockio write /dev/vg/e1 4M 4k 3
figures_agree
is "$(lv data_percent)" "$(awk 'BEGIN { printf "%.2f", 1700 / 2048 }')" \
	"17 chunks"
ok "the origin around it is copied" blockio verify /dev/vg/e1 4100k 60k 1
ok "what was written" blockio verify /dev/vg/e1 4M 4k 3
ok "the other volume sees the origin" blockio verify /dev/vg/e2 0 32M 1

clean "a volume longer than its origin" lvextend -q -L 64M vg/e1
ok "the origin's data" blockio verify /dev/vg/e1 8M 24M 1
ok "zeros after it" blockio zeros /dev/vg/e1 32M 32M
ok "which can be written" blockio write /dev/vg/e1 31M 2M 4
ok "and read" blockio verify /dev/vg/e1 31M 2M 4
clean "a snapshot of such a volume" lvcreate -q -s -kn -n es vg/e1
ok "sees the origin" blockio verify /dev/vg/es 8M 23M 1
ok "and its origin's data" blockio verify /dev/vg/es 31M 2M 4

# A volume in use becomes thin.
clean "another volume" lvcreate -q -y -W n -L 32M -n live vg
require blockio write /dev/vg/live 0 8M 5
exec 7< /dev/vg/live
clean "it becomes thin while it is open" lvconvert -q -y --type thin \
	--thinpool vg/pool --originname live_old vg/live
is "$(dmsetup table vg-live | cut -d' ' -f3)" thin "it is"
is "$(lv origin vg/live)" live_old "with its old self as origin"
ok "its data" blockio verify /dev/fd/7 0 8M 5
ok "written" blockio write /dev/vg/live 0 1M 6
ok "its data" blockio verify /dev/vg/live 1M 7M 5
exec 7<&-
figures_agree

clean "everything that uses the origin is removed" \
	lvremove -q -y vg/e2 vg/es vg/e1
clean "the origin can be used again" lvchange -q -ay vg/base
ok "it did not change" blockio verify /dev/vg/base 0 32M 1
metadata_sound
clean "all is activated" vgchange -q -ay vg
ok "data" blockio verify /dev/vg/live 0 1M 6
ok "data" blockio verify /dev/vg/live 1M 7M 5
finish
