#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Drop-in mode: the targets have dm-thin's names as well, and dm-thin's own module,
# which these kernels have, stays unloaded.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "about thinx's drop-in mode"
! is_drop_in || skip_all "loads thinx in both modes and dm-thin"
offers() { dmsetup targets | grep -qE "^$1 +v"; }
lacks() { ! offers "$1"; }

ok "thinx-pool is there" offers thinx-pool
ok "thinx is there" offers thinx
ok "thin-pool is not" lacks thin-pool
ok "thin is not" lacks thin
is "$(cat "$parameters/drop_in")" N "the parameter says so"

require module_unload
require module_load drop_in=1
is "$(cat "$parameters/drop_in")" Y "the parameter says drop-in"
for t in thinx-pool thinx thin-pool thin; do
	ok "in drop-in mode $t is there" offers $t
done
# 6.1 returns EEXIST, which modprobe takes to mean that it is loaded.
modprobe -q dm-thin-pool
ok "dm-thin cannot be loaded beside it" test ! -e /sys/module/dm_thin_pool

# Both pairs of names side by side.
disk META 8
disk DATA 64
disk META2 8
disk DATA2 64
make_pool "$META" "$DATA"
make_thin t1 1 16M
pool=pool2
TARGET_POOL=thin-pool TARGET_THIN=thin
make_pool "$META2" "$DATA2" skip_block_zeroing
make_thin t2 1 16M
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
remove s2 pool2 t1 pool

# dm-thin is loaded first.
require module_unload
require modprobe dm-thin-pool
log_mark
fails "drop-in mode is refused while dm-thin is loaded" "could not insert" \
	module_load drop_in=1
logged 'thinx: drop_in: "thin-pool" is registered already' "the log says why"
ok "none of its targets is left" lacks thinx-pool
ok "without drop-in mode both live side by side" module_load
ok "thinx-pool is there" offers thinx-pool
ok "and dm-thin's thin-pool" offers thin-pool
require modprobe -r dm-thin-pool
finish
