#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: the three ways to handle discards, and changes between them.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 512
volume_group "$PV1"
thin_pool 128M --discards passdown
thin_volume v1 64M
v=/dev/vg/v1

used() { used_kib PV1; }
data() { sync; dmsetup status $pool | sed 's,.* \([0-9]*\)/[0-9]* - .*,\1,'; }
written() { require blockio write $v 0 16M "$1"; require blockio sync $v; }
freed() { [ "$(used)" -lt $((before - 15000)) ]; }

is "$(lv discards,kernel_discards)" "passdown passdown" "passed down"
written 1
is "$(data)" 256 "256 chunks in use"
before=$(used)
ok "discard" blkdiscard $v
is "$(data)" 0 "none in use"
ok "the device below got it" wait_until 120 freed

clean "no longer passed down, while active" \
	lvchange -q --discards nopassdown vg/pool
is "$(lv discards,kernel_discards)" "nopassdown nopassdown" "as lvs says"
written 2
before=$(used)
ok "discard" blkdiscard $v
is "$(data)" 0 "none in use"
sleep 2
ok "the device below did not get it" test "$(used)" -ge "$((before - 1000))"
ok "zeros" blockio zeros $v 0 16M

clean "passed down again, while active" \
	lvchange -q --discards passdown vg/pool
written 3
before=$(used)
ok "discard of a part" blkdiscard -o 0 -l 8M $v
is "$(data)" 128 "half in use"
ok "discard of the rest" blkdiscard $v
ok "the device below got it" wait_until 120 freed

refused "they cannot be ignored while active" "[Cc]annot change" \
	lvchange -q --discards ignore vg/pool
written 4
clean "deactivated" vgchange -q -an vg
clean "ignored" lvchange -q --discards ignore vg/pool
clean "activated" vgchange -q -ay vg
is "$(lv discards,kernel_discards)" "ignore ignore" "as lvs says"
fails "no discards" "" blkdiscard $v
is "$(queue $v discard_max_bytes)" 0 "none are offered"
is "$(data)" 256 "nothing happened"
ok "the data is there" blockio verify $v 0 16M 4
refused "they cannot be passed down while active" "[Cc]annot change" \
	lvchange -q --discards passdown vg/pool
clean "deactivated" vgchange -q -an vg
clean "passed down" lvchange -q --discards passdown vg/pool
clean "activated" vgchange -q -ay vg
is "$(lv discards,kernel_discards)" "passdown passdown" "as lvs says"
ok "discard" blkdiscard $v
is "$(data)" 0 "none in use"

require mkfs.ext4 -q $v
mkdir -p "$scratch/mnt"
require mount $v "$scratch/mnt"
require dd if=/dev/urandom of="$scratch/mnt/a" bs=1M count=20
sync
high=$(data)
rm "$scratch/mnt/a"
sync
ok "fstrim" fstrim "$scratch/mnt"
# The journal may free some of it a moment after the sync.
trimmed() { fstrim "$scratch/mnt" && [ "$(data)" -lt $((high - 250)) ]; }
ok "frees the space" wait_until 120 trimmed
ok "unmounted" umount "$scratch/mnt"
figures_agree
metadata_sound
finish
