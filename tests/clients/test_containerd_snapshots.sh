#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A chain of snapshots made by containerd, each with a file of its own, branches,
# views, and removal from the top and in the middle; what the volumes hold is
# read through plain mounts.  Names and order are containerd's, not ours.
# shellcheck source=docker.sh
. "$(dirname "$0")/docker.sh"

a_client containerd blkdiscard
data_root /dev/vda
disk META 16
disk DATA 512
make_pool "$META" "$DATA" skip_block_zeroing
containerd_start 'base_image_size = "64MB"' 'discard_blocks = true'
depth=5
at=$scratch/at
mkdir -p "$at"

snapshots() { ctr snapshots "${snap[@]}" "$@"; }

# with KEY COMMAND...: with that snapshot mounted at $at
with()
{
	local r

	eval "$(snapshots mounts "$at" "$1" | sed 's/ -o *$//')" || return 1
	shift
	"$@"
	r=$?
	umount "$at" || r=1
	return $r
}

write() { dd if=/dev/urandom of="$at/$1" bs=1M count=2 status=none && sync -f "$at"; }
sums() { (cd "$at" && find . -type f -exec sha256sum {} + | sort -k 2); }

parent=
for i in $(seq $depth); do
	require snapshots prepare "active$i" ${parent:+"$parent"}
	require with "active$i" write "file$i"
	sums[i]=$(with "active$i" sums)
	require snapshots commit "layer$i" "active$i"
	parent=layer$i
done
is "$(volumes "$META")" $depth "$depth layers are $depth volumes"
is "$(dm_names)" pool "none of them is active"
is "$(snapshots ls | grep -c Committed)" $depth "containerd knows them"

bad=0
for i in $(seq $depth); do
	require snapshots view "view$i" "layer$i"
	[ "$(with "view$i" sums)" = "${sums[i]}" ] || bad=$((bad + 1))
done
is $bad 0 "each layer holds its own files and those below, no others"
require snapshots prepare branch layer3
ok "a branch can be written" with branch write other
like "$(with branch sums)" "${sums[3]//./\\.}" "it has what it began with"
is "$(with view$depth sums)" "${sums[depth]}" "the others did not change"
used=$(data_used)
is "$used" "$(mapped_blocks "$META")" "every used block is some volume's"

fails "a layer with children cannot be removed" "cannot remove" snapshots rm layer4
ok "the branch is removed" snapshots rm branch
# A little later containerd collects it, and the views, which nothing refers to.
ok "its volume goes, and those of the views" wait_until 60 volumes_are $depth
[ "$(data_used)" -le $((used - 32)) ]
_result $? "its 2 MiB are free" || echo "$used, $(data_used)" | diag
for i in $(seq $depth -1 4); do
	require snapshots rm "layer$i"
done
require snapshots prepare last layer3
is "$(with last sums)" "${sums[3]}" "what is left is whole"
for i in last layer3 layer2 layer1; do
	require snapshots rm "$i"
done
ok "no volume is left" wait_until 60 volumes_are 0
is "$(data_used)" 0 "no block is in use"
is "$(dm_names)" pool "no device is left"
like "$(status)" '^0 1048576 thin-pool 0 ' "containerd leaves the transaction id alone"
ok "containerd ends" containerd_stop
finish
