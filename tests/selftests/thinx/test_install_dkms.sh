#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The module that dkms built earlier (tests/packaging/test_dkms.sh) is installed by
# dkms, is loaded by modprobe and works; dkms remove leaves nothing of it.
# shellcheck source=../install.sh
. "$(dirname "$0")/../install.sh"

built=$top/build/packaging/test_dkms
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$top/dkms.conf")
[ -d "$built/tree/thinx/$version/$release" ] ||
	skip_all "nothing that dkms built for $release: make -C tests/packaging check"

run_dkms()
{
	timeout 300 dkms "$@" --dkmstree "$built/tree" \
		--sourcetree "$built/stage/usr/src"
}

! is_drop_in || skip_all "installs thinx itself"
begin_install
ok "dkms install" run_dkms install -m thinx -v "$version" -k "$release"
like "$(run_dkms status -m thinx -v "$version")" \
	"^thinx/$version, ${release//+/[+]}, .*: installed" "dkms says so"
like "$(modinfo -n thinx)" "^${modules//+/[+]}/updates/dkms/dm-thinx-pool.ko" \
	"modinfo finds it"
like "$(modinfo -n dm-thin-pool)" "^${modules//+/[+]}/updates/dkms/dm-thin-pool.ko" \
	"and the drop-in"
ok "modprobe thinx" modprobe thinx
disk META 8
disk DATA 64
make_pool "$META" "$DATA"
make_thin t1 1 16M
ok "write" blockio write /dev/mapper/t1 0 4M 1
ok "read back" blockio verify /dev/mapper/t1 0 4M 1
remove t1 pool
ok "modprobe dm-thin-pool" modprobe dm-thin-pool
ok "loads the drop-in" dm_thin_is_ours
ok "modprobe -r dm-thin-pool" modprobe -r dm-thin-pool
ok "dkms remove" run_dkms remove -m thinx -v "$version" --all
is "$(run_dkms status -m thinx -v "$version")" "" "dkms no longer knows it"
is "$(find "$modules/" -name '*thinx*')" "" "no module is left"
fails "modprobe does not know it" "not found" modprobe thinx
is "$(modinfo -n dm-thin-pool)" "$(dm_thin)" "dm-thin-pool is dm-thin's module again"
finish
