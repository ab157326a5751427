#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# With the drop-in installed every request for dm-thin loads thinx: those by modprobe,
# and those by device-mapper when a table names thin-pool or thin.  Without it, before
# and afterwards, they load dm-thin.
# shellcheck source=../install.sh
. "$(dirname "$0")/../install.sh"

offers() { dmsetup targets | grep -qE "^$1 +v"; }
theirs=/sys/module/dm_thin_pool/parameters

! is_drop_in || skip_all "installs thinx with and without it"
begin_install
install_thinx
is "$(modinfo -n dm-thin-pool)" "$(dm_thin)" "without the drop-in it is dm-thin's module"
ok "which is loaded" modprobe dm-thin-pool
fails "it is dm-thin" "" dm_thin_is_ours
require modprobe -r dm-thin-pool
install_thinx install-drop-in
like "$(modinfo -n dm-thin-pool)" "^${modules//+/[+]}/updates/dm-thin-pool.ko(.xz)?$" \
	"with it modinfo finds the drop-in"
is "$(modinfo -F version dm-thin-pool)" "$(modinfo -F version thinx)" "of the same version"
like "$(modprobe --show-depends dm-thin-pool)" "updates/dm-thinx-pool.ko" "it needs thinx"

# dmsetup and dm core.
disk META 8
disk DATA 64
thinx_targets=("$TARGET_POOL" "$TARGET_THIN")
TARGET_POOL=thin-pool TARGET_THIN=thin
ok "a table of thin-pool loads it" dmsetup create pool \
	--table "$(pool_table "$META" "$DATA")"
_check_later "$META"
ok "thinx is there" module_is_there dm_thinx_pool
ok "dm-thin is not" dm_thin_is_ours
make_thin t1 1 16M
ok "write" blockio write /dev/mapper/t1 0 4M 1
ok "read back" blockio verify /dev/mapper/t1 0 4M 1
ok "modprobe dm-thin-pool succeeds" modprobe dm-thin-pool
ok "dm-thin is still not there" dm_thin_is_ours
fails "it cannot be unloaded while it is used" "in use" modprobe -r dm-thin-pool
remove t1 pool
ok "modprobe -r dm-thin-pool" modprobe -r dm-thin-pool
ok "removes the drop-in" module_is_absent dm_thin_pool
ok "and thinx, which nobody needs any more" module_is_absent dm_thinx_pool

# There is no such pool, but that is noticed only after the target is loaded.
dmsetup create t1 --table "0 8 thin $DATA 1" 2>&1 | diag
ok "a table of thin loads it, too" module_is_there dm_thinx_pool
ok "dm-thin is not there" dm_thin_is_ours
require modprobe -r dm-thin-pool

# What clients run.
for name in dm-thin-pool dm_thin_pool dm-thin; do
	ok "modprobe $name" modprobe $name
	ok "thinx is there" module_is_there dm_thinx_pool
	ok "dm-thin is not" dm_thin_is_ours
	for t in thin-pool thin thinx-pool thinx; do
		ok "there is a target $t" offers $t
	done
	require modprobe -r dm-thin-pool
done
ok "modprobe thinx" modprobe thinx
ok "is for our names alone" module_is_absent dm_thin_pool
ok "modprobe dm-thin-pool afterwards" modprobe dm-thin-pool
ok "adds the others" offers thin-pool
require modprobe -r dm-thin-pool
configure <<< "options dm-thin-pool no_space_timeout=33"
require modprobe dm-thin-pool
is "$(cat $theirs/no_space_timeout) $(cat "$parameters/no_space_timeout")" "33 33" \
	"options for dm-thin-pool are thinx's"
require modprobe -r dm-thin-pool

# dm-thin is loaded first: it stays, and so does its pool.
for m in dm-persistent-data dm-bio-prison; do
	modprobe -q $m
done
require insmod "$(dm_thin)"
make_pool "$META" "$DATA"
activate t1 1 16M
ok "a pool of dm-thin's" blockio verify /dev/mapper/t1 0 4M 1
ok "modprobe dm-thin-pool finds it loaded" modprobe dm-thin-pool
fails "it is still dm-thin" "" dm_thin_is_ours
ok "thinx can be loaded beside it" modprobe thinx
ok "the pool of dm-thin goes on" blockio write /dev/mapper/t1 0 4M 2
remove t1 pool
require rmmod dm_thin_pool
ok "once dm-thin is gone the drop-in can be loaded" modprobe dm-thin-pool
ok "it is there" dm_thin_is_ours
make_pool "$META" "$DATA"
activate t1 1 16M
ok "the data is there" blockio verify /dev/mapper/t1 0 4M 2
remove t1 pool
require modprobe -r dm-thin-pool

# A file made from the example of versions before 0.3 still does what it did.
configure <<-CONF
options dm-thinx-pool drop_in=1
alias dm-thin-pool dm-thinx-pool
alias dm-thin dm-thinx-pool
CONF
for name in dm-thin-pool dm-thin thinx; do
	ok "with the old aliases modprobe $name" modprobe $name
	is "$(cat "$parameters/drop_in")" Y "loads thinx with drop_in=1"
	ok "there is a target thin-pool" offers thin-pool
	require modprobe -r thinx
done
configure < /dev/null

# An update keeps the drop-in.
if [ -z "${k_root:-}" ]; then
	install_thinx
	like "$(modinfo -n dm-thin-pool)" "/updates/" "make install keeps it if it is there"
fi

# On a kernel without thinx dm-thin is loaded, and has the pool.
uninstall_thinx
is "$(modinfo -n dm-thin-pool)" "$(dm_thin)" "uninstalled, it is dm-thin's module again"
make_pool "$META" "$DATA"
ok "a table of thin-pool has loaded a module" module_is_there dm_thin_pool
fails "dm-thin's" "" dm_thin_is_ours
ok "thinx is not there" module_is_absent dm_thinx_pool
activate t1 1 16M
ok "the data is there" blockio verify /dev/mapper/t1 0 4M 2
remove t1 pool
require modprobe -r dm-thin-pool
TARGET_POOL=${thinx_targets[0]} TARGET_THIN=${thinx_targets[1]}
finish
