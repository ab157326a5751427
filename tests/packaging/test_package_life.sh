#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The Debian packages are installed, updated, rolled back, removed, installed again and
# purged: each time dm-thin-pool is the right module, dkms has signed it, and in the end
# nothing is left.
#
# This happens in a copy of this machine: an overlay whose changes are in memory, in a
# mount namespace of its own, without the right to load modules.  What the packages
# depend on must be here already; nothing is fetched.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

version=$(sed -n 's/^#define THINX_VERSION "\(.*\)"$/\1/p' include/thinx-version.h)

give_up() { skip "the life of packages" "$1"; echo "1..$number"; exit; }

[ "$(id -u)" = 0 ] || give_up "needs root"
for c in apt-get dkms dpkg-buildpackage dh_dkms; do
	command -v $c > /dev/null || give_up "no $c"
done
kernel_find "$kernel_default" || give_up "no kernel $kernel_default"
[ "$k_base" = / ] || give_up "kernel $kernel_default is not installed in /boot"
mkdir "$work/probe"
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount sh -c 'mount -t tmpfs t "$1" && cd "$1" && mkdir u w m &&
	mount -t overlay -o lowerdir=/,upperdir=u,workdir=w o m' sh "$work/probe" \
	> "$work/overlay" 2>&1 || give_up "no overlay on this file system"

dkms_deb=thinx-dkms_${version}_all.deb
tools_deb=thinx-tools_${version}_$(dpkg --print-architecture).deb
ok "the packages are built" scripts/packages.sh deb
debs=$work/debs
mkdir "$debs"
cp "build/deb/$dkms_deb" "build/deb/$tools_deb" "$debs/"
built=$number

# The same as a later version: what a changed version number changes.
later=$version.1
dpkg-deb -R "$debs/$dkms_deb" "$work/later"
mv "$work/later/usr/src/thinx-$version" "$work/later/usr/src/thinx-$later"
sed -i "s/${version//./\\.}/$later/g" "$work/later/DEBIAN"/* \
	"$work/later/usr/src/thinx-$later/dkms.conf"
dpkg-deb --root-owner-group -b "$work/later" "$debs" > /dev/null

cat > "$work/inside.sh" <<'END'
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
exec 2>&1
ok()
{
	local what=$1

	n=$((n + 1))
	shift
	if "$@" > /tmp/out 2>&1; then
		echo "ok $n - $what"
	else
		sed 's/^/# /' /tmp/out | tail -n 40
		echo "not ok $n - $what"
		exit 1
	fi
}

apt() { apt-get -y --allow-downgrades -o Dpkg::Use-Pty=0 "$@"; }
status() { dkms status thinx | sort; }
status_is() { status; [ "$(status)" = "${1:+thinx/$1, $release, $(uname -m): installed}" ]; }
which_module() { /sbin/modinfo -k "$release" -n dm-thin-pool; }
is_ours() { which_module; [[ $(which_module) == */updates/dkms/dm-thin-pool.ko* ]] &&
	/sbin/modprobe -S "$release" --show-depends dm-thin-pool |
		grep -q updates/dkms/dm-thinx-pool.ko; }
is_stock() { which_module; [[ $(which_module) == */kernel/drivers/md/dm-thin-pool.ko* ]]; }
has_version() { [ "$(/sbin/modinfo -k "$release" -F version dm-thin-pool)" = "$1" ]; }
traces() { find /etc /usr /var/lib/dkms "/lib/modules/$release/" -xdev -name '*thinx*' | sort; }
nothing_left() { diff /tmp/before <(traces); }
in_image() { lsinitramfs "/boot/initrd.img-$release" | grep -E 'dm-thin[a-z]*-pool\.ko'; }
image_has() { in_image; in_image | grep -q "$1"; }
image_lacks() { in_image; ! in_image | grep -q "$1"; }

# signature FILE: split /tmp/module.ko into what is signed and the signature (see
# scripts/sign-file.c in the kernel: 12 bytes that end with the length, and a line of 28)
signature()
{
	local size length

	case $1 in
	*.xz) xz -dc "$1" > /tmp/module.ko ;;
	*) cp "$1" /tmp/module.ko ;;
	esac
	size=$(stat -c %s /tmp/module.ko)
	length=$((16#$(tail -c 32 /tmp/module.ko | head -c 4 | od -An -tx1 | tr -d ' ')))
	tail -c $((40 + length)) /tmp/module.ko | head -c $length > /tmp/signature
	head -c $((size - 40 - length)) /tmp/module.ko > /tmp/signed
}

# signed_by CERTIFICATE MODULE: the signature is that key's and fits
signed_by()
{
	signature "$(/sbin/modinfo -k "$release" -n "$2")"
	openssl x509 -inform DER -in "$1" -out /tmp/certificate.pem &&
		openssl cms -verify -binary -inform DER -in /tmp/signature -content /tmp/signed \
			-certfile /tmp/certificate.pem -nointern -noverify -out /dev/null
}

not_signed_by() { ! signed_by "$@"; }

traces > /tmp/before
ok "dm-thin-pool is dm-thin's" is_stock
wanted=$(in_image && echo yes)
ok "both packages are installed" apt install "$debs/$dkms_deb" "$debs/$tools_deb"
cp /tmp/out /tmp/installed
ok "the modules are built and installed" status_is "$version"
ok "dm-thin-pool is the drop-in" is_ours
ok "of that version" has_version "$version"
if command -v openssl > /dev/null; then
	openssl req -new -x509 -nodes -subj "/CN=another" -newkey rsa:2048 \
		-keyout /tmp/other.key -outform DER -out /tmp/other.der 2> /dev/null
	for m in dm-thin-pool dm-thinx-pool; do
		ok "$m is signed with the machine owner key that dkms made" \
			signed_by /var/lib/dkms/mok.pub $m
		ok "and with no other" not_signed_by /tmp/other.der $m
	done
else
	echo "# no openssl: dkms signs nothing"
fi
ok "the image for booting was made anew" grep -q "triggers for initramfs-tools" /tmp/installed
if [ -n "$wanted" ]; then
	ok "with the drop-in in it" image_has updates/dkms/dm-thin-pool.ko
	ok "and thinx" image_has updates/dkms/dm-thinx-pool.ko
	ok "and not dm-thin" image_lacks drivers/md/dm-thin-pool.ko
fi
ok "the tool runs" thinx --help
ok "the manual pages are there" test -s /usr/share/man/man7/thinx.7.gz -a \
	-s /usr/share/man/man8/thinx.8.gz
ok "an update" apt install "$debs/thinx-dkms_${version}.1_all.deb"
ok "has the new version alone" status_is "$version.1"
ok "dm-thin-pool is the drop-in" is_ours
ok "the old source is gone" test ! -e "/usr/src/thinx-$version"
ok "rolled back" apt install "$debs/$dkms_deb"
ok "it has the old version alone" status_is "$version"
ok "dm-thin-pool is the drop-in" is_ours
ok "removed" apt remove thinx-dkms thinx-tools
ok "dkms knows nothing of it" status_is ""
ok "dm-thin-pool is dm-thin's again" is_stock
[ -z "$wanted" ] || ok "in the image, too" image_lacks updates/dkms
ok "installed again" apt install "$debs/$dkms_deb" "$debs/$tools_deb"
ok "the modules are there again" status_is "$version"
ok "dm-thin-pool is the drop-in" is_ours
ok "purged" apt purge thinx-dkms thinx-tools
ok "dm-thin-pool is dm-thin's again" is_stock
ok "nothing is left" nothing_left
echo "1..$n"
END

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --propagation private --pid --fork --kill-child sh -ec '
	tree=$1 debs=$2 script=$3
	mount -t tmpfs overlay "$tree"
	mkdir "$tree/upper" "$tree/work" "$tree/root"
	mount -t overlay -o "lowerdir=/,upperdir=$tree/upper,workdir=$tree/work" \
		overlay "$tree/root"
	root=$tree/root
	# Of a moment when nobody installs anything here.
	while cp -a /var/lib/dpkg "$tree/dpkg" && [ -n "$(ls "$tree/dpkg/updates")" ]; do
		rm -r "$tree/dpkg"
		sleep 5
	done
	mount --bind "$tree/dpkg" "$root/var/lib/dpkg"
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	for d in null zero full random urandom tty; do
		: > "$root/dev/$d"
		mount --bind "/dev/$d" "$root/dev/$d"
	done
	ln -s /proc/self/fd "$root/dev/fd"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mount -t tmpfs run "$root/run"
	mkdir "$root/run/lock" "$root/tmp/debs"
	cp "$debs"/* "$root/tmp/debs/"
	chmod -R a+rX "$root/tmp/debs"
	cp "$script" "$root/tmp/inside.sh"
	printf "#!/bin/sh\nexit 101\n" > "$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	shift 3
	exec setpriv --bounding-set=-sys_module --inh-caps=-sys_module \
		chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb debs=/tmp/debs "$@" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin bash /tmp/inside.sh' \
	sh "$(mktemp -d "$work/tree.XXXXXX")" "$debs" "$work/inside.sh" \
	"n=$built" "version=$version" "release=$k_release" "dkms_deb=$dkms_deb" \
	"tools_deb=$tools_deb" < /dev/null
