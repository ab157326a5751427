#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Build packages from this tree, with changes that are not committed.
#
#   scripts/packages.sh deb     build/deb/thinx-dkms_*.deb, thinx-tools_*.deb; needs
#                               dpkg-dev, debhelper, dh-dkms, libdevmapper-dev
#   scripts/packages.sh rpm     build/rpm/thinx-dkms-*.rpm, thinx-tools-*.rpm; needs
#                               rpmbuild and libdevmapper's headers
#
# "make deb" and "make rpm" call this.

set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^#define THINX_VERSION "\(.*\)"/\1/p' include/thinx-version.h)

die() { echo "packages.sh: $*" >&2; exit 1; }

# copy_to DIRECTORY: the tree without what was built; an unpacked source is no checkout
copy_to()
{
	mkdir -p "$1"
	{
		git ls-files -z --cached --others --exclude-standard 2> /dev/null ||
			find . -path ./build -prune -o -type f -print0
	} | while IFS= read -r -d '' f; do
		[ ! -e "$f" ] || printf '%s\0' "$f"
	done | xargs -0 cp --parents -pt "$1"
}

# Its helpers must be the right ones; on other systems use the other kind.
deb()
{
	local dir=build/deb

	for c in dpkg-buildpackage dh dh_dkms; do
		command -v $c > /dev/null ||
			die "no $c: apt-get install dpkg-dev debhelper dh-dkms libdevmapper-dev"
	done
	rm -rf $dir
	copy_to "$dir/thinx-$version"
	(cd "$dir/thinx-$version" && dpkg-buildpackage -us -uc "$@")
}

rpm()
{
	local dir=$PWD/build/rpm nodeps=()

	command -v rpmbuild > /dev/null || die "no rpmbuild"
	# Where dpkg has installed what is needed, rpm does not know.
	[ ! -e /var/lib/dpkg/status ] || nodeps=(--nodeps)
	rm -rf "$dir"
	copy_to "$dir/tree/thinx-$version"
	mkdir "$dir/SOURCES"
	tar -C "$dir/tree" -czf "$dir/SOURCES/thinx-$version.tar.gz" "thinx-$version"
	rpmbuild --define "_topdir $dir" "${nodeps[@]+"${nodeps[@]}"}" -ba "$@" \
		packaging/rpm/thinx.spec
	find "$dir/RPMS" -name '*.rpm' -exec mv -t "$dir" {} +
	rm -rf "$dir/tree" "$dir/BUILD" "$dir/BUILDROOT"
}

what=${1:-}
case $what in
deb|rpm) shift; "$what" "$@" ;;
*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
