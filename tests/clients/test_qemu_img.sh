#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# QEMU: images are converted to thin volumes and back; a volume holds a qcow2 image.
# Holes take no space if QEMU is told that the target is blank.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need qemu-img qemu-io
disk META 16
disk DATA 512
make_pool "$META" "$DATA"
make_thin vm 1 128M
make_thin vm2 2 128M
make_thin holder 3 128M
img=$scratch/img.qcow2
require qemu-img create -q -f qcow2 "$img" 128M
require qemu-io -f qcow2 -c 'write -P 0x11 0 8M' -c 'write -P 0x22 40M 100k' \
	-c 'write -P 0x33 127M 1M' "$img"

ok "converted to a blank volume" qemu-img convert -q -n --target-is-zero \
	-t none -m 4 -W -f qcow2 -O raw "$img" /dev/mapper/vm
is "$(data_used)" $((128 + 2 + 16)) "holes take no space"
ok "image and volume are alike" qemu-img compare -q -f qcow2 -F raw \
	"$img" /dev/mapper/vm
like "$(qemu-img info -f raw /dev/mapper/vm)" '134217728 bytes' "its size"
ok "converted back" qemu-img convert -q -T none -f raw -O qcow2 \
	/dev/mapper/vm "$scratch/back.qcow2"
ok "nothing is lost" qemu-img compare -q -f qcow2 -F qcow2 "$img" \
	"$scratch/back.qcow2"

# A volume with old data: holes of the image must be zeros afterwards.
require blockio write /dev/mapper/vm2 0 64M 7
ok "converted to a used volume" qemu-img convert -q -n -t none -f qcow2 -O raw \
	"$img" /dev/mapper/vm2
ok "image and volume are alike" qemu-img compare -q -f qcow2 -F raw \
	"$img" /dev/mapper/vm2
ok "volume to volume" qemu-img convert -q -n -T none -t none -f raw -O raw \
	/dev/mapper/vm /dev/mapper/vm2
ok "are alike" cmp /dev/mapper/vm /dev/mapper/vm2

# A qcow2 image that lives in a volume, with snapshots of its own.
q=/dev/mapper/holder
before=$(data_used)
ok "a qcow2 image in a volume" qemu-img create -q -f qcow2 $q 1G
for aio in threads native io_uring; do
	ok "written by $aio" qemu-io -t none -i $aio -f qcow2 \
		-c 'write -P 0x44 900M 4M' -c 'write -P 0x45 1M 4M' -c flush $q
	ok "and read" qemu-io -t none -i $aio -f qcow2 \
		-c 'read -P 0x44 900M 4M' -c 'read -P 0x45 1M 4M' \
		-c 'read -P 0 5M 4M' $q
done
ok "a snapshot inside of it" qemu-img snapshot -c one $q
ok "written" qemu-io -t none -f qcow2 -c 'write -P 0x46 2M 1M' $q
ok "qemu-img check" qemu-img check -q -f qcow2 $q
ok "back to the snapshot" qemu-img snapshot -a one $q
ok "as it was" qemu-io -t none -f qcow2 -c 'read -P 0x45 1M 4M' $q
ok "it takes less than 32 MiB" test $(($(data_used) - before)) -lt 512
remove vm vm2 holder
finish
