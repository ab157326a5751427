#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: lvconvert --repair repairs a pool whose metadata device failed (needs_check)
# and one whose space map was overwritten; what was synced is there afterwards.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

need lvconvert thin_repair
disk PV1 384
disk PV2 96
wrap pvmeta "$PV2"
hidden=$PV2		# it has the same label
lvm_configure
volume_group "$PV1" /dev/mapper/pvmeta
clean "a volume for the data" lvcreate -q -y -W n -L 128M -n pool vg "$PV1"
clean "and one for the metadata" \
	lvcreate -q -y -W n -L 8M -n meta vg /dev/mapper/pvmeta
clean "the two become a pool" lvconvert -q -y -c 64k --type thin-pool \
	--poolmetadata vg/meta vg/pool
pool=vg-pool-tpool
thin_volume v1 64M
thin_volume v2 64M
require blockio write /dev/vg/v1 0 16M 1
require blockio write /dev/vg/v2 3M 100k 2
clean "a snapshot" lvcreate -q -s -n s1 vg/v1
require blockio write /dev/vg/v1 4M 1M 3
require blockio sync /dev/vg/v1
require blockio sync /dev/vg/v2

# Its metadata device fails.
broken pvmeta "$PV2"
unkept() { blockio write /dev/vg/v1 40M 64k 4 && blockio sync /dev/vg/v1; }
if [ "$client_on_stock" = 0 ]; then
	fails "a new block cannot be made durable" "" unkept
else
	unkept > /dev/null 2>&1	# it may succeed, see differences.md
fi
like "$(status "$pool")" ' ro .* needs_check' "the pool is read-only"
like "$(lv lv_attr)" '^twi.....M' "lvs: metadata is read-only"
is "$(lv lv_check_needed)" "check needed" "lvs: a check is needed"
ok "what was there can be read" blockio verify /dev/vg/v2 3M 100k 2
refused "no volume can be made" "." lvcreate -q -V 64M -T vg/pool -n v3
healed pvmeta "$PV2"
lvremove -q -y vg/v3 > /dev/null 2>&1
timeout 300 vgchange -q -an vg > "$LVM_OUT" 2>&1
is $? 0 "deactivated"
timeout 300 lvchange -q -ay vg/pool > "$LVM_OUT" 2>&1
case $(lv lv_active) in
active)	like "$(lv lv_check_needed)" "check needed" "still to be checked" ;;
*)	_result 0 "thin_check kept it from being activated" ;;
esac
timeout 300 vgchange -q -an vg > "$LVM_OUT" 2>&1
damaged_name=$(lv metadata_lv)
ok "lvconvert --repair" timeout 300 lvconvert -q -y --repair vg/pool
is "$damaged_name" "[pool_tmeta]" "the metadata was in pool_tmeta"
# thin_repair leaves the flag alone.  This option, which lvm.conf recommends, clears it.
lvm_configure 'global/thin_check_options=["-q","--clear-needs-check-flag"]'
clean "activated" vgchange -q -ay vg
like "$(status "$pool")" ' rw ' "the pool is writable"
check_data()
{
	clean "with the snapshot" lvchange -q -K -ay vg/s1
	ok "data" blockio verify /dev/vg/v1 0 4M 1
	ok "data" blockio verify /dev/vg/v1 4M 1M 3
	ok "data" blockio verify /dev/vg/v1 5M 11M 1
	ok "data" blockio verify /dev/vg/v2 3M 100k 2
	ok "data" blockio verify /dev/vg/s1 0 16M 1
}
check_data
figures_agree
clean "a volume can be made" lvcreate -q -V 64M -T vg/pool -n v4
ok "and written" blockio write /dev/vg/v4 0 1M 5
ok "the damaged metadata was kept" lvs vg/pool_meta0

# The root of the data space map is overwritten.  LVM makes the metadata volume
# writable once it is swapped for another one.
clean "deactivated" vgchange -q -an vg
clean "another metadata volume" lvcreate -q -y -W n -Z n -an -L 8M -n spare vg
clean "is swapped in" lvconvert -q -y --thinpool vg/pool --poolmetadata vg/spare
clean "the real one can be written" lvchange -q -ay vg/spare
root=$(od -An -tu8 -j 80 -N 8 /dev/vg/spare | tr -d ' ')
require dd if=/dev/urandom of=/dev/vg/spare bs=4k seek="$root" count=1 \
	conv=notrunc oflag=direct
fails "thin_check sees it" "" thin_check /dev/vg/spare
clean "deactivated" lvchange -q -an vg/spare
clean "swapped back" lvconvert -q -y --thinpool vg/pool --poolmetadata vg/spare
refused "it cannot be activated" "[Cc]heck|manual repair" lvchange -q -ay vg/pool
ok "lvconvert --repair" timeout 300 lvconvert -q -y --repair vg/pool
clean "activated" vgchange -q -ay vg
check_data
ok "data" blockio verify /dev/vg/v4 0 1M 5
ok "written" blockio write /dev/vg/v4 20M 8M 6
check_data
figures_agree
metadata_sound
finish
