#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# All places that give a version agree with the modules.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

version=$(sed -n 's/^#define THINX_VERSION "\(.*\)"$/\1/p' include/thinx-version.h)
ok "there is one" grep -qxE '[0-9]+\.[0-9]+\.[0-9]+' <<< "$version"
for m in dm-thinx dm-thin-pool; do
	ok "$m.c" grep -qxF "MODULE_VERSION(THINX_VERSION);" $m.c
done
ok "dkms.conf" grep -qxF "PACKAGE_VERSION=\"$version\"" dkms.conf
ok "debian/changelog" test "$(sed -n '1s/^thinx (\(.*\)) .*/\1/p' debian/changelog)" = "$version"
ok "the rpm spec" grep -qE "^Version:[[:space:]]+$version$" packaging/rpm/thinx.spec
ok "README.md" test "$(grep -oE 'thinx/[0-9.]+' README.md | sort -u)" = "thinx/$version"
for n in 7 8; do
	ok "the manual page thinx($n)" \
		grep -qE "^\.TH THINX $n [0-9-]+ \"thinx $version\"" docs/man/thinx.$n
done
ok "CHANGELOG.md begins with it" \
	test "$(sed -n 's/^## \([0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)" = "$version"
echo "1..$number"
