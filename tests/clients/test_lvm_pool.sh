#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: a pool with volumes from creation to removal.  lvs agrees with dmsetup, and a
# refresh that changes nothing loads no table.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 512
volume_group "$PV1"
thin_pool 128M
is "$(dmsetup table vg-pool | cut -d' ' -f3)" thin-pool "the pool's target"
like "$(lv lv_attr)" '^twi-a-tz--' "lvs: an active, zeroing pool"
is "$(lv chunk_size)" 65536 "its chunk size"
figures_agree
thin_volume v1 64M
thin_volume v2 1G
is "$(dmsetup table vg-v1 | cut -d' ' -f3)" thin "a volume's target"
like "$(lv lv_attr vg/v1)" '^Vwi-a-tz--' "lvs: an active thin volume"
ok "written" blockio write /dev/vg/v1 0 32M 1
ok "written" blockio write /dev/vg/v2 900M 100k 2
figures_agree
is "$(lv data_percent vg/v1)" 50.00 "half of the volume"

# The table that LVM would load equals the kernel's, so there is nothing to do.
for v in pool v1; do
	events=$(events $pool)
	lvchange -vvvv --refresh "vg/$v" > "$scratch/verbose" 2>&1
	is $? 0 "lvchange --refresh of $v"
	fails "loads no pool" "" grep -E "Loading .*vg-pool-tpool.*table" \
		"$scratch/verbose"
	fails "loads no volume" "" grep -E "Loading .*vg-v[12] .*table" \
		"$scratch/verbose"
	ok "because the tables are alike" \
		grep -E "vg-(pool-tpool|$v) .*identical table" "$scratch/verbose"
	is "$(events $pool)" "$events" "no event"
done
ok "the data is there" blockio verify /dev/vg/v1 0 32M 1

pool_off
clean "all is deactivated" vgchange -q -an vg
is "$(dmsetup ls | grep -c '^vg-')" 0 "no device is left"
clean "all is activated" vgchange -q -ay vg
ok "the data is there" blockio verify /dev/vg/v1 0 32M 1
ok "and of the other" blockio verify /dev/vg/v2 900M 100k 2
figures_agree

clean "lvrename" lvrename -q vg v2 w2
ok "under its new name" blockio verify /dev/vg/w2 900M 100k 2
clean "a volume is made read-only" lvchange -q -pr vg/w2
fails "and is" "" blockio write /dev/vg/w2 0 64k 3
clean "and writable again" lvchange -q -prw vg/w2
ok "and is" blockio write /dev/vg/w2 0 64k 3
clean "lvremove" lvremove -q -y vg/v1
figures_agree
is "$(lv data_percent)" "$(awk 'BEGIN { printf "%.2f", 300 / 2048 }')" \
	"three chunks are in use"
metadata_sound
clean "all is activated" vgchange -q -ay vg
clean "the pool and all in it are removed" lvremove -q -y vg/pool
is "$(dmsetup ls | grep -c '^vg-')" 0 "no device is left"
clean "vgremove" vgremove -q vg
clean "pvremove" pvremove -q "$PV1"
finish
