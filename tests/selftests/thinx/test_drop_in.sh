#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The drop-in, a module of the name of dm-thin's: the targets have dm-thin's names as
# well, dm-thin's parameters are where they are looked for, and dm-thin's own module,
# which these kernels have, stays unloaded.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "about thinx's drop-in"
! is_drop_in || skip_all "loads thinx with and without it, and dm-thin"
offers() { dmsetup targets | grep -qE "^$1 +v"; }
lacks() { ! offers "$1"; }
drop_in_load() { insmod "${THINX_MODULE%/*}/dm-thin-pool.ko" "$@"; }
refers() { cat /sys/module/dm_thin_pool/refcnt; }
ours=$parameters
theirs=/sys/module/dm_thin_pool/parameters

ok "thinx-pool is there" offers thinx-pool
ok "thinx is there" offers thinx
ok "thin-pool is not" lacks thin-pool
ok "thin is not" lacks thin
logged "thinx: version [0-9.]+$" "the log has the version"

ok "the drop-in is loaded" drop_in_load no_space_timeout=33
for t in thinx-pool thinx thin-pool thin; do
	ok "$t is there" offers $t
done
ok "it is told from dm-thin" dm_thin_is_ours
is "$(cat /sys/module/dm_thin_pool/version)" "$(cat /sys/module/dm_thinx_pool/version)" \
	"both have the same version"
fails "thinx cannot be unloaded before it" "in use" rmmod dm_thinx_pool
# 6.1 returns EEXIST, which modprobe takes to mean that it is loaded.
modprobe -q dm-thin-pool
ok "dm-thin cannot be loaded beside it" dm_thin_is_ours

# dm-thin's parameters are the same under both paths.
is "$(ls $theirs)" "$(printf '%s\n' no_space_timeout snapshot_copy_throttle)" \
	"dm-thin's parameters"
is "$(cat $ours/no_space_timeout)" 33 "given to the drop-in, thinx has it"
require eval "echo 44 > $theirs/no_space_timeout"
is "$(cat $ours/no_space_timeout)" 44 "written there, thinx has it"
require eval "echo 60 > $ours/no_space_timeout"
is "$(cat $theirs/no_space_timeout)" 60 "and back"
require eval "echo 70 > $theirs/snapshot_copy_throttle"
is "$(cat $ours/snapshot_copy_throttle)" 70 "snapshot_copy_throttle, too"
require eval "echo 100 > $ours/snapshot_copy_throttle"
is "$(cat $theirs/snapshot_copy_throttle)" 100 "and back"
fails "nonsense is refused" "" eval "echo x > $theirs/no_space_timeout"

# Both pairs of names side by side.
disk META 8
disk DATA 64
disk META2 8
disk DATA2 64
is "$(refers)" 0 "no table uses the drop-in"
make_pool "$META" "$DATA"
make_thin t1 1 16M
is "$(refers)" 0 "nor do tables with our names"
pool=pool2
TARGET_POOL=thin-pool TARGET_THIN=thin
make_pool "$META2" "$DATA2" skip_block_zeroing
make_thin t2 1 16M
fails "the drop-in is in use" "in use" rmmod dm_thin_pool
ok "write through our names" blockio write /dev/mapper/t1 0 4M 1
ok "write through the stock names" blockio write /dev/mapper/t2 0 4M 2
ok "read back" blockio verify /dev/mapper/t1 0 4M 1
ok "read back" blockio verify /dev/mapper/t2 0 4M 2
like "$(dmsetup table pool2)" "^0 131072 thin-pool .* 128 0 1 skip_block_zeroing ?$" \
	"the pool's table has the name it was made with"
like "$(dmsetup table t2)" "^0 32768 thin [0-9]+:[0-9]+ 1$" "so does the volume's"
like "$(dmsetup status t2)" "^0 32768 thin 8192 8191$" "its status, too"
like "$(dmsetup status pool2)" "^0 131072 thin-pool 0 [0-9]+/2048 64/1024 - rw " \
	"and the pool's"
for t in thinx-pool thinx thin-pool thin; do
	is "$(dmsetup targets | awk -v t=$t '$1 == t { print $2 }')" v1.23.0 \
		"$t: a version for which clients use all features"
done
snapshot t2 1 2
activate s2 2 16M
ok "overwrite the origin" blockio write /dev/mapper/t2 0 1M 3
ok "the snapshot keeps its data" blockio verify /dev/mapper/s2 0 4M 2
fails "the name of a live pool's target cannot be changed" "" \
	dmsetup load pool2 --table "0 131072 thinx-pool $META2 $DATA2 128 0"
dmsetup clear pool2
remove s2 t2 pool2
pool=pool TARGET_POOL=thinx-pool TARGET_THIN=thinx
ok "made under one name, used under the other" dmsetup create pool2 \
	--table "0 131072 thinx-pool $META2 $DATA2 128 0"
require dmsetup create s2 --table "0 32768 thin /dev/mapper/pool2 2"
ok "its data is there" blockio verify /dev/mapper/s2 0 4M 2
remove s2 pool2
ok "the drop-in is unloaded" rmmod dm_thin_pool
ok "thin-pool is gone" lacks thin-pool
ok "thin is gone" lacks thin
ok "pools with our names go on" blockio verify /dev/mapper/t1 0 4M 1
ok "it is loaded beside them" drop_in_load
ok "thin-pool is there again" offers thin-pool
remove t1 pool
require rmmod dm_thin_pool

# dm-thin is loaded first, as itself and under another name.
require modprobe dm-thin-pool
ok "dm-thin is there" offers thin-pool
fails "it is told from the drop-in" "" dm_thin_is_ours
fails "which is refused" "File exists" drop_in_load
ok "dm-thin is still there" offers thin-pool
ok "and so is thinx" offers thinx-pool
require modprobe -r dm-thin-pool
other=$scratch/dm-thin-other.ko
found=$(modinfo -n dm-thin-pool)
case $found in
*.xz) xz -dc "$found" ;;
*) cat "$found" ;;
esac | LC_ALL=C sed 's/dm_thin_pool/dm_thin_othr/g; s/~Module signature app/~Module signature not/' \
	> "$other"
for m in dm-persistent-data dm-bio-prison; do
	modprobe -q $m
done
require insmod "$other"
log_mark
fails "while something else has the names, too" "busy" drop_in_load
logged 'thinx: drop-in: "thin-pool" is registered already' "the log says why"
ok "it is not there" test ! -e /sys/module/dm_thin_pool
ok "dm-thin is" offers thin-pool
require rmmod dm_thin_othr
ok "once dm-thin is gone the drop-in can be loaded" drop_in_load
require rmmod dm_thin_pool

# The parameter drop_in=1, from before there was a drop-in.
is "$(cat "$parameters/drop_in")" N "the parameter is off"
require module_unload
require module_load drop_in=1
is "$(cat "$parameters/drop_in")" Y "the parameter is on"
for t in thinx-pool thinx thin-pool thin; do
	ok "with the parameter $t is there" offers $t
done
ok "the drop-in can be loaded as well" drop_in_load
ok "and unloaded" rmmod dm_thin_pool
ok "thin-pool is still there" offers thin-pool
require module_unload
require modprobe dm-thin-pool
log_mark
fails "the parameter is refused while dm-thin is loaded" "could not insert" \
	module_load drop_in=1
logged 'thinx: drop-in: "thin-pool" is registered already' "the log says why"
ok "none of its targets is left" lacks thinx-pool
ok "without it both live side by side" module_load
ok "thinx-pool is there" offers thinx-pool
ok "and dm-thin's thin-pool" offers thin-pool
require modprobe -r dm-thin-pool
finish
