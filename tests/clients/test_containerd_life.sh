#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# containerd's devmapper snapshotter with discard_blocks: an image is imported and
# unpacked, containers run, and what is removed leaves no device, no volume and no
# block behind.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client containerd blkdiscard
data_root /dev/vda
disk META 16
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
containerd_start 'base_image_size = "64MB"' 'discard_blocks = true'
like "$(ctr plugins ls | grep devmapper)" ' ok *$' "the snapshotter is loaded"

# run [OPTION]... COMMAND...
run() { ctr_run --rm docker.io/library/tiny:latest "$@"; }

tiny_archive "$scratch/tiny.tar" docker.io/library/tiny:latest
ok "an image is imported" ctr images import "${snap[@]}" "$scratch/tiny.tar"
is "$(ctr snapshots "${snap[@]}" ls | grep -c Committed)" 1 "and unpacked"
is "$(volumes "$META")" 1 "into a volume"
ok "which is not active" wait_until 120 names_are pool
used=$(data_used)
space=$(used_kib DATA)

is "$(run c1 cat /etc/name)" tiny "a container runs"
ok "and leaves no volume behind" wait_until 120 volumes_are 1
ok "nor a device" wait_until 120 names_are pool
is "$(data_used)" "$used" "nor a block"

ok "a container runs without a terminal" ctr_run -d --null-io \
	docker.io/library/tiny:latest c2 sh -c "$fill && sync && sleep 600"
ok "it works" wait_until 180 ctr tasks exec --exec-id a c2 sh -c "$whole"
device=$(dm_names | grep -v '^pool$')
like "$device" '^pool-snap-[0-9]+$' "its device is active"
bytes=$(ctr snapshots "${snap[@]}" usage c2 | awk '$1 == "c2" { print $2 $3 }')
like "$bytes" '^[6-9]\.[0-9]MiB$' "containerd knows how much it wrote"
[ "$(data_used)" -ge $((used + 96)) ]
_result $? "so does the pool"
ok "a second one runs at the same time" run c3 sh -c '! test -e /big'
require ctr tasks kill -s KILL c2
require wait_until 120 sh -c '/usr/bin/ctr tasks ls | grep c2.*STOPPED'
ok "its task is removed" ctr tasks rm c2
ok "and the container" ctr containers rm c2
ok "the device is removed" wait_until 120 test ! -e "/dev/mapper/$device"
ok "so does the volume" wait_until 120 volumes_are 1
ok "no device is left" wait_until 120 names_are pool
is "$(data_used)" "$used" "the pool's usage is back where it was"
given_back() { [ "$(used_kib DATA)" -le $((space + 1024)) ]; }
ok "the space was given back to the disk below" wait_until 120 given_back ||
	echo "$space KiB before, $(used_kib DATA) now" | diag

ok "the image is removed" ctr images rm --sync docker.io/library/tiny:latest
ok "its volume is deleted" wait_until 120 volumes_are 0
is "$(data_used)" 0 "no block is in use"
ok "containerd ends" containerd_stop
finish
