#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# dockerd is stopped or killed and started again: images and containers are there
# again.  After a kill its pool is still active, and it finds the loop devices from the
# pool's table.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client dockerd
data_root /dev/vda
dockerd_start dm.fs=ext4 dm.basesize=256M dm.loopdatasize=1G \
	dm.loopmetadatasize=32M
docker_info
pool=$(docker_says "Pool Name")
files=$root/docker/devicemapper/devicemapper
tiny_image tiny
require docker run --name c1 "${basic[@]}" tiny sh -c "$fill"
require docker commit c1 two
table=$(dmsetup table "$pool")

ok "dockerd ends" dockerd_stop
is "$(dm_names)" "No devices found" "the pool is gone"
comes_up dockerd_run "dockerd starts again"
docker_info
is "$(docker_says "Pool Name")" "$pool" "with the same pool"
is "$(docker images -q | wc -l)" 2 "both images are there"
ok "and whole" run_in two sh -c "$whole"

# It runs for long when first started and ends at once when restarted.
# shellcheck disable=SC2016 # for the container's shell
require docker run -d --name c2 "${basic[@]}" two sh -c \
	'echo run >> /mine && sync && test $(grep -c run /mine) = 2 || sleep 600'
ok "a container runs" wait_until 120 docker exec c2 test -s /mine
ok "dockerd is killed" dockerd_kill
is "$(dmsetup table "$pool" | cut -d' ' -f 2,3,6-)" \
	"$(cut -d' ' -f 2,3,6- <<< "$table")" "the pool is still active"
comes_up dockerd_run "dockerd starts again"
docker_info
is "$(docker_says "Data loop file")" "$files/data" "it found its loop files"
is "$(losetup -nO BACK-FILE | sort)" "$files/data"$'\n'"$files/metadata" \
	"without making new loop devices"
is "$(docker inspect -f '{{.State.Running}}' c2)" false "the container ended"
ok "it starts again with what it wrote" docker start -a c2
ok "new ones can be made" docker commit c1 three
ok "and run" run_in three sh -c "$whole"
ok "all can be removed" docker rm -f c1 c2
ok "images, too" docker rmi three two tiny
like "$(status "$pool")" ' rw ' "the pool is in order"
ok "dockerd ends" dockerd_stop
is "$(dm_names)" "No devices found" "and removes the pool"
ok "thin_check finds the loop file sound" thin_check -q "$files/metadata"
finish
