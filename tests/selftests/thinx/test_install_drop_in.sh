#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# With the example for /etc/modprobe.d every request for dm-thin loads thinx: those
# by modprobe, and those by device-mapper when a table names thin-pool or thin.
# shellcheck source=../install.sh
. "$(dirname "$0")/../install.sh"

offers() { dmsetup targets | grep -qE "^$1 +v"; }

begin_install
install_thinx
ok "without the example dm-thin is loaded" modprobe dm-thin-pool
ok "it is dm-thin" module_is_there dm_thin_pool
require modprobe -r dm-thin-pool
configure < "$scratch/usr/share/doc/thinx/thinx.conf"

# dmsetup and dm core.
disk META 8
disk DATA 64
thinx_targets=("$TARGET_POOL" "$TARGET_THIN")
TARGET_POOL=thin-pool TARGET_THIN=thin
ok "a table of thin-pool loads it" dmsetup create pool \
	--table "$(pool_table "$META" "$DATA")"
_check_later "$META"
ok "thinx is there" module_is_there dm_thinx_pool
ok "dm-thin is not" module_is_absent dm_thin_pool
make_thin t1 1 16M
ok "write" blockio write /dev/mapper/t1 0 4M 1
ok "read back" blockio verify /dev/mapper/t1 0 4M 1
ok "modprobe dm-thin-pool succeeds" modprobe dm-thin-pool
ok "dm-thin is still not there" module_is_absent dm_thin_pool
remove t1 pool
ok "modprobe -r dm-thin-pool removes thinx" modprobe -r dm-thin-pool
ok "thinx is gone" module_is_absent dm_thinx_pool

# There is no such pool, but that is noticed only after the target is loaded.
dmsetup create t1 --table "0 8 thin $DATA 1" 2>&1 | diag
ok "a table of thin loads it, too" module_is_there dm_thinx_pool
ok "dm-thin is not" module_is_absent dm_thin_pool
require modprobe -r thinx

# What clients run.
for name in dm-thin-pool dm_thin_pool thinx; do
	ok "modprobe $name" modprobe $name
	is "$(cat "$parameters/drop_in")" Y "thinx is there, in drop-in mode"
	ok "dm-thin is not" module_is_absent dm_thin_pool
	for t in thin-pool thin thinx-pool thinx; do
		ok "there is a target $t" offers $t
	done
	require modprobe -r thinx
done

# dm-thin is loaded first: it stays, and so does its pool.
require mkdir "$scratch/empty"
require modprobe -C "$scratch/empty" dm-thin-pool
ok "dm-thin is there" module_is_there dm_thin_pool
make_pool "$META" "$DATA"
activate t1 1 16M
ok "its pool works" blockio verify /dev/mapper/t1 0 4M 1
log_mark
fails "thinx is refused then, and modprobe says so" "busy" modprobe dm-thinx-pool
logged 'thinx: drop_in: "thin-pool" is registered already' "the log says why"
ok "it is not there" module_is_absent dm_thinx_pool
ok "the pool of dm-thin goes on" blockio write /dev/mapper/t1 0 4M 2
remove t1 pool
require rmmod dm_thin_pool
ok "once dm-thin is gone thinx can be loaded" modprobe dm-thin-pool
ok "thinx is there" module_is_there dm_thinx_pool
make_pool "$META" "$DATA"
activate t1 1 16M
ok "the data is there" blockio verify /dev/mapper/t1 0 4M 2
remove t1 pool
require modprobe -r thinx

# On a kernel without thinx dm-thin is not loaded unasked.
uninstall_thinx
fails "thinx is not installed: a table of thin-pool fails" "" \
	dmsetup create pool --table "$(pool_table "$META" "$DATA")"
fails "modprobe dm-thin-pool fails, too" "dm_thinx_pool" modprobe dm-thin-pool
ok "dm-thin is not there" module_is_absent dm_thin_pool
TARGET_POOL=${thinx_targets[0]} TARGET_THIN=${thinx_targets[1]}
finish
