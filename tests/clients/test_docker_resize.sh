#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A container larger than its image (--storage-opt size=): Docker makes a snapshot
# longer than its origin and grows the mounted file system in it.  Then the base
# device that Docker already has is extended.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd resize2fs
data_root /dev/vda
disk META 16
disk DATA 400
make_pool "$META" "$DATA" skip_block_zeroing
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=64M
tiny_image tiny

mib="df -Pm / | tail -n 1"
small=$(run_in tiny sh -c "$mib" | awk '{ print $2 }')
[ "$small" -gt 40 ] && [ "$small" -le 64 ]
_result $? "a container is as large as the base" || echo "$small" | diag
fails "not smaller" "cannot be smaller" docker create "${basic[@]}" \
	--storage-opt size=32M tiny true
docker run --name c1 "${basic[@]}" --storage-opt size=192M tiny \
	sh -c "$mib && $fill && dd if=/dev/zero of=/more bs=1M count=100 \
		conv=fsync && rm /more" > "$scratch/large" 2> "$scratch/err"
_result $? "a larger one can be filled" || diag < "$scratch/err"
large=$(awk '{ print $2 }' "$scratch/large")
[ "$large" -gt 150 ] && [ "$large" -le 192 ]
_result $? "it was as large as it should be" || echo "$large" | diag
ok "dockerd ends" dockerd_stop
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=128M
ok "the container is whole" docker commit c1 two
ok "and so is its image" run_in two sh -c "$whole"
docker_info
is "$(docker_says "Base Device Size" | sed 's/\..*//')" 134 \
	"the base device has grown"
ok "dockerd ends again" dockerd_stop
finish
