#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The Debian packages and the rpm packages can be built, lintian has nothing to say,
# both kinds have the same files, and those are what make installs.
# test_package_life.sh installs them.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

version=$(sed -n 's/^#define THINX_VERSION "\(.*\)"$/\1/p' include/thinx-version.h)

# contents: names on standard input, as they are in both kinds: without directories,
# documentation, and compression
contents()
{
	sed -E 's,^\./,/,; s,\.gz$,,' |
		grep -vE '/$|^/usr/share/(doc|licenses|lintian)/|^/usr/lib/\.build-id' | sort
}

ours() { make -s "DESTDIR=$work/dest" PREFIX=/usr "$1" > /dev/null; }

if ! command -v dpkg-buildpackage dh dh_dkms > "$work/found" ||
   [ "$(wc -l < "$work/found")" != 3 ]; then
	skip "Debian packages" "no dpkg-dev, debhelper or dh-dkms"
	echo "1..$number"
	exit
fi
ok "the Debian packages are built" scripts/packages.sh deb
cp "$work/out" "$work/deb.log"
fails "without a warning" "" grep -iE "warning" "$work/deb.log"
for p in dkms:all tools:"$(dpkg --print-architecture)"; do
	deb=build/deb/thinx-${p%:*}_${version}_${p#*:}.deb
	ok "$deb" test -s "$deb"
	dpkg-deb --fsys-tarfile "$deb" | tar t | contents > "$work/${p%:*}.deb"
	ok "has nothing outside /usr and /lib" \
		[ "$(grep -cvE '^/(usr|lib)/' "$work/${p%:*}.deb")" = 0 ]
done
if command -v lintian > /dev/null; then
	# Root is as good as any other user here.
	allow=()
	[ "$(id -u)" != 0 ] || allow=(--allow-root)
	lintian "${allow[@]+"${allow[@]}"}" -E -I --fail-on none build/deb/*.changes > "$work/lintian" 2>&1
	same "lintian has nothing to say" "$work/lintian" /dev/null
else
	skip "lintian has nothing to say" "no lintian"
fi

ours install-dkms
(cd "$work/dest" && find . ! -type d -print) | contents | grep -v '/COPYING$' > "$work/ours"
same "thinx-dkms has what make install-dkms installs" "$work/dkms.deb" "$work/ours"
rm -r "$work/dest"
ours install-tools
(cd "$work/dest" && find . ! -type d -print) | contents > "$work/ours"
sed -i 's,^/usr/lib/systemd/,/lib/systemd/,; s,^/usr/lib/udev/,/lib/udev/,' \
	"$work/ours" "$work/tools.deb"
same "thinx-tools has what make install-tools installs" "$work/tools.deb" "$work/ours"

if ! command -v rpmbuild > /dev/null; then
	skip "rpm packages" "no rpmbuild"
	echo "1..$number"
	exit
fi
ok "the rpm packages are built" scripts/packages.sh rpm
for p in dkms tools; do
	found=$(find build/rpm -name "thinx-$p-$version-*.rpm")
	ok "thinx-$p" test -s "$found"
	rpm -qlp "$found" 2> /dev/null | while read -r f; do
		# What is only a directory has something below it.
		grep -q "^$f/" <(rpm -qlp "$found" 2> /dev/null) || echo "$f"
	done | contents > "$work/$p.rpm"
	sed -i 's,^/usr/lib/systemd/,/lib/systemd/,; s,^/usr/lib/udev/,/lib/udev/,' "$work/$p.rpm"
	same "thinx-$p has the same files in both kinds" "$work/$p.rpm" "$work/$p.deb"
done
echo "1..$number"
