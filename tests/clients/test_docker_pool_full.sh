#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A container fills Docker's pool: it gets ENOSPC, Docker refuses new containers while
# less than a tenth is free, files of others stay whole, and removing the culprit puts
# everything right again without remounting or restarting anything.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd
data_root /dev/vda
disk META 16
disk DATA 128
make_pool "$META" "$DATA" skip_block_zeroing error_if_no_space
dockerd_start dm.thinpooldev=/dev/mapper/pool dm.fs=ext4 dm.basesize=512M
tiny_image tiny
require docker run --name good "${basic[@]}" tiny sh -c "$keeps"
require docker commit good two
used=$(data_used)

log_mark
fails "a container cannot write more than there is" "" docker run --name bad \
	"${basic[@]}" tiny dd if=/dev/zero of=/big bs=1M count=200 conv=fsync
logged 'switching pool to out-of-data-space \(error IO\) mode' "the pool says so"
is "$(pool_mode)" out_of_data_space "so does its status"
fails "Docker makes no new container" "less than minimum required" \
	docker create --name late "${basic[@]}" two true
ok "the culprit is removed" docker rm bad
ok "the pool is writable again" wait_until 120 mode_is rw
[ "$(data_used)" -le $((used + 48)) ]
_result $? "and has its blocks back" || echo "$used, $(data_used)" | diag
ok "the other container is whole" docker start -a good
ok "so is its image, and can be used" run_in two sh -c "$whole &&
	dd if=/dev/zero of=/new bs=1M count=40 conv=fsync"
finish
