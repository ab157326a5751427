#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Once installed, thinx is loaded like any other module: by modprobe under each of
# its names, and by device-mapper when a table asks for it.
# shellcheck source=../install.sh
. "$(dirname "$0")/../install.sh"

! is_drop_in || skip_all "installs thinx itself"
begin_install
fails "not installed: modprobe does not know it" "not found" modprobe thinx
install_thinx
like "$(modinfo -n thinx)" "^${modules//+/[+]}/updates/dm-thinx-pool.ko(.xz)?$" \
	"modinfo finds it"

for name in thinx dm-thinx-pool dm_thinx_pool dm-thinx; do
	ok "modprobe $name" modprobe $name
	ok "it is there" module_is_there dm_thinx_pool
	ok "modprobe -r $name" modprobe -r $name
	ok "it is gone" module_is_absent dm_thinx_pool
done

ok "modprobe with parameters" modprobe thinx no_space_timeout=7 \
	map_cache_limit_bytes=1048576 snapshot_copy_throttle=50
is "$(cat "$parameters/no_space_timeout")" 7 "no_space_timeout"
is "$(cat "$parameters/map_cache_limit_bytes")" 1048576 "map_cache_limit_bytes"
is "$(cat "$parameters/snapshot_copy_throttle")" 50 "snapshot_copy_throttle"
is "$(cat "$parameters/drop_in")" N "drop_in is off by default"
require modprobe -r thinx

disk META 8
disk DATA 64
ok "a table of thinx-pool loads it" dmsetup create pool \
	--table "$(pool_table "$META" "$DATA")"
_check_later "$META"
ok "it is there" module_is_there dm_thinx_pool
make_thin t1 1 16M
ok "write" blockio write /dev/mapper/t1 0 4M 1
ok "read back" blockio verify /dev/mapper/t1 0 4M 1
fails "it cannot be unloaded while it is used" "in use" modprobe -r thinx
remove t1 pool
ok "afterwards it can" modprobe -r thinx
# There is no such pool, but that is noticed only after the target is loaded.
dmsetup create t1 --table "0 8 thinx $DATA 1" 2>&1 | diag
ok "a table of thinx loads it, too" module_is_there dm_thinx_pool
require modprobe -r thinx

echo "options dm-thinx-pool no_space_timeout=9" | configure
require modprobe dm-thinx
is "$(cat "$parameters/no_space_timeout")" 9 "options of modprobe.d are in effect"
require modprobe -r thinx

uninstall_thinx
ok "the module is gone" test ! -e "$installed"
fails "modprobe no longer knows it" "not found" modprobe thinx
fails "nor does the device-mapper" "" dmsetup create pool \
	--table "$(pool_table "$META" "$DATA")"
ok "it is not there" module_is_absent dm_thinx_pool
finish
