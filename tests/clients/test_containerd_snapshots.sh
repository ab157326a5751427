#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A chain of snapshots made by containerd, each with a file of its own, a branch,
# views, and removals; the contents of the volumes are read through plain mounts.
# containerd decides names and order, not this test.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client containerd blkdiscard
data_root /dev/vda
disk META 16
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
containerd_start 'base_image_size = "64MB"' 'discard_blocks = true'
depth=4
at=$scratch/at
mkdir -p "$at"

snapshots() { ctr snapshots "${snap[@]}" "$@"; }

# take prepare|view KEY [PARENT]: make a new snapshot and mount it at $at
take()
{
	local command

	command=$(snapshots "$1" -t "$at" "${@:2}") || bail "snapshots $*"
	eval "require ${command% -o }"
}

let_go() { require umount "$at"; }
write() { dd if=/dev/urandom of="$at/$1" bs=1M count=2 status=none && sync -f "$at"; }
sums() { (cd "$at" && find . -type f -exec sha256sum {} + | sort -k 2); }

parent=
for i in $(seq $depth); do
	take prepare "active$i" ${parent:+"$parent"}
	write "file$i" || bail "write"
	sums[i]=$(sums)
	let_go
	require snapshots commit "layer$i" "active$i"
	parent=layer$i
done
is "$(volumes "$META")" $depth "$depth layers are $depth volumes"
ok "none of them is active" wait_until 120 names_are pool
is "$(snapshots ls | grep -c Committed)" $depth "containerd knows them"

bad=0
# containerd's garbage collector, which the first removal wakes, would not keep an
# unlabelled view.
for i in $(seq $depth); do
	take view "view$i" "layer$i"
	require snapshots label "view$i" containerd.io/gc.root=now
	[ "$(sums)" = "${sums[i]}" ] || bad=$((bad + 1))
	let_go
done
is $bad 0 "each layer holds its own files and those below, no others"
take prepare branch layer2
write other || bail "write"
like "$(sums)" "^${sums[2]//./\\.}" "a branch has what it began with"
let_go
require mount -o ro "$(snapshots mounts "$at" view$depth | cut -d' ' -f4)" "$at"
is "$(sums)" "${sums[depth]}" "writing it has not changed the others"
let_go
used=$(data_used)
is "$used" "$(mapped_blocks "$META")" "every used block is mapped"

fails "a layer with children cannot be removed" "cannot remove" snapshots rm layer3
# containerd's garbage collector deletes the volumes a little later.
ok "branch and views are removed" snapshots rm branch view{1..4}
ok "their volumes are deleted" wait_until 120 volumes_are $depth
[ "$(data_used)" -le $((used - 32)) ]
_result $? "its 2 MiB are free" || echo "$used, $(data_used)" | diag
ok "the upper layers are removed" snapshots rm layer4 layer3
take prepare last layer2
is "$(sums)" "${sums[2]}" "what is left is whole"
let_go
ok "all are removed" snapshots rm last layer2 layer1
ok "no volume is left" wait_until 120 volumes_are 0
is "$(data_used)" 0 "no block is in use"
ok "no device is left" wait_until 120 names_are pool
like "$(status)" '^0 1048576 thin-pool 0 ' "containerd leaves the transaction id alone"
ok "containerd ends" containerd_stop
finish
