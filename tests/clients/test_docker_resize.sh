#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A container larger than its image (--storage-opt size=): Docker makes a
# snapshot longer than its origin and lets the file system in it grow, mounted.
# Then a larger base device for a Docker that has one already.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd resize2fs
data_root /dev/vda
disk META 16
disk DATA 900
make_pool "$META" "$DATA" skip_block_zeroing
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=128M
tiny_image tiny

mib() { run_in "$@" sh -c 'df -Pm / | tail -n 1' | awk '{ print $2 }'; }

small=$(mib tiny)
[ "$small" -gt 90 ] && [ "$small" -le 128 ]
_result $? "a container is as large as the base" || echo "$small" | diag
large=$(mib --storage-opt size=400M tiny)
[ "$large" -gt 330 ] && [ "$large" -le 400 ]
_result $? "or larger if asked for" || echo "$large" | diag
fails "not smaller" "cannot be smaller" docker create "${basic[@]}" \
	--storage-opt size=64M tiny true
ok "the larger one can be filled" docker run --name c1 "${basic[@]}" \
	--storage-opt size=400M tiny sh -c "$fill &&
	dd if=/dev/zero of=/more bs=1M count=200 conv=fsync && rm /more"
ok "dockerd ends" dockerd_stop
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=256M
ok "the container is whole" docker commit c1 two
ok "and so is its image" run_in two sh -c "$whole"
is "$(docker_says "Base Device Size" | sed 's/\..*//')" 268 \
	"the base device has grown"
ok "dockerd ends again" dockerd_stop
finish
