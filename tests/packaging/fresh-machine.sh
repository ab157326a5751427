#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The two commands of the README on machines that have nothing installed: a minimal
# Debian of each supported release is unpacked into a directory with a clone of this
# repository's last commit, and the commands run in it.
#
#   tests/packaging/fresh-machine.sh [-k] [-K SERIES]... [-s STEP]... [SUITE]...
#
#   -k          keep the trees: build/fresh-machine/SUITE
#   -K SERIES   a kernel to fetch and to build for (6.1 6.12 7.3)
#   -s STEP     only this: run, kernels, test; may be repeated
#   SUITE       bookworm, trixie; default: both
#
# Takes 20 minutes and 5 GB for each suite, and needs root.  Prints TAP, with the
# seconds that each step took.  The packages are kept in the cache directory, in
# archives, so that the next run need not fetch them again.
#
# Inside there are only harmless devices, no right to load modules into this kernel,
# and no services; all mounts are in a namespace of their own.

# One at a time.
mkdir -p "$(dirname "$0")/../../build/fresh-machine"
exec 9> "$(dirname "$0")/../../build/fresh-machine/lock"
flock 9
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

keep=0
series=()
steps=()
while getopts kK:s: opt; do
	case $opt in
	k) keep=1 ;;
	K) series+=("$OPTARG") ;;
	s) steps+=("$OPTARG") ;;
	*) sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)
[ ${#series[@]} -gt 0 ] || series=(6.1 6.12 7.3)
[ ${#steps[@]} -gt 0 ] || steps=(run kernels test)

if [ "$(id -u)" != 0 ]; then
	skip "fresh machines" "needs root"
	echo "1..$number"
	exit
elif ! command -v mmdebstrap > /dev/null; then
	skip "fresh machines" "no mmdebstrap"
	echo "1..$number"
	exit
fi

trees=$top/build/fresh-machine
archives=$thinx_cache/archives
mkdir -p "$archives/partial"

#
# sources_for SUITE: this machine's Debian sources, as lines "URI SUITE COMPONENT...".
# Other sources would need their keys.
#
sources_for()
{
	local suite=$1 here

	# shellcheck source=/dev/null
	here=$(. /etc/os-release && echo "$VERSION_CODENAME")
	{
		for f in /etc/apt/sources.list.d/*.sources; do
			[ ! -e "$f" ] || { grep -v '^#' "$f"; echo; }
		done | awk -v RS= -F '\n' '{
			delete field
			for (i = 1; i <= NF; i++) {
				name = value = $i
				sub(/:.*/, "", name)
				sub(/^[^:]*: */, "", value)
				field[name] = value
			}
			if (field["Types"] !~ /(^| )deb( |$)/)
				next
			uris = split(field["URIs"], uri, " ")
			suites = split(field["Suites"], suite, " ")
			for (i = 1; i <= uris; i++)
				for (j = 1; j <= suites; j++)
					print uri[i], suite[j], field["Components"]
		}'
		sed -nE 's/^deb (\[[^]]*\] )?//p' /etc/apt/sources.list \
			/etc/apt/sources.list.d/*.list 2> /dev/null || :
	} | awk -v here="$here" -v suite="$suite" '
		$2 == here || $2 == here "-updates" || $2 == here "-security" {
			sub("^" here, suite, $2)
			print
		}' | sort -u
}

# As in an installed Debian: one-line style for 12, deb822 style for 13.
write_sources()
{
	local suite=$1 dir=$2/etc/apt

	rm -f "$dir/sources.list" "$dir"/sources.list.d/*
	if [ "$suite" = bookworm ]; then
		sources_for "$suite" | sed 's/^/deb /' > "$dir/sources.list"
		return
	fi
	sources_for "$suite" | while read -r uri name components; do
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\n' \
			"$uri" "$name" "$components"
		printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
	done > "$dir/sources.list.d/debian.sources"
}

make_tree()
{
	local suite=$1 tree=$2

	sources_for "$suite" | sed 's/^/deb /' > "$tree.list"
	[ -s "$tree.list" ] || { echo "this machine has no Debian sources"; return 1; }
	# How this machine reaches its mirror.
	apt-config dump | grep -E '^Acquire::(https?|Check|Retries)' \
		> "$tree.apt.conf" || :
	mmdebstrap --quiet --variant=apt --aptopt="$tree.apt.conf" \
		"$suite" "$tree" "$tree.list" || return
	write_sources "$suite" "$tree"
	cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
	# No services start in a directory.
	printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
	chmod +x "$tree/usr/sbin/policy-rc.d"
	git clone -q --no-hardlinks "$top" "$tree/root/thinx"
}

# inside TREE COMMAND [ARGUMENT]...: in the clone
inside()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private --pid --fork --kill-child sh -ec '
		tree=$1 archives=$2
		shift 2
		mount --bind "$tree" "$tree"	# a root is a mount point
		mount -t proc proc "$tree/proc"
		mount -t sysfs -o ro sysfs "$tree/sys"
		mount -t tmpfs -o mode=755 dev "$tree/dev"
		for d in null zero full random urandom tty kvm; do
			[ -c "/dev/$d" ] || continue
			: > "$tree/dev/$d"
			mount --bind "/dev/$d" "$tree/dev/$d"
		done
		mkdir "$tree/dev/shm" "$tree/dev/pts"
		mount -t tmpfs shm "$tree/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=666 devpts "$tree/dev/pts"
		ln -s pts/ptmx "$tree/dev/ptmx"
		ln -s /proc/self/fd "$tree/dev/fd"
		for i in 0:stdin 1:stdout 2:stderr; do
			ln -s "/proc/self/fd/${i%:*}" "$tree/dev/${i#*:}"
		done
		mount -t tmpfs run "$tree/run"
		mkdir "$tree/run/lock"
		mount --bind "$archives" "$tree/var/cache/apt/archives"
		exec setpriv --bounding-set=-sys_module --inh-caps=-sys_module \
			chroot "$tree" /usr/bin/env -i HOME=/root TERM=dumb \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			sh -ec "cd /root/thinx; \"\$@\"" sh "$@"' \
		sh "$1" "$archives" "${@:2}" < /dev/null 9>&-
}

# timed DESCRIPTION LOG COMMAND...: it succeeds; the test line says how long it took
timed()
{
	local what=$1 log=$2 begin=$SECONDS

	shift 2
	if ! "$@" > "$log" 2>&1; then
		tail -n 60 "$log" | sed 's/^/# /'
		fail "$what ($((SECONDS - begin)) s); all of it: $log"
	fi
	pass "$what ($((SECONDS - begin)) s)"
}

wants() { [[ " ${steps[*]} " == *" $1 "* ]]; }

has_no() { ! inside "$1" dpkg-query -W "$2" > /dev/null 2>&1; }

fresh_machine()
{
	local suite=$1 tree=$trees/$1 s p

	rm -rf "$tree" "$tree"[-.]*
	timed "$suite: a minimal system" "$tree-tree.log" \
		make_tree "$suite" "$tree"
	if wants run; then
		timed "$suite: scripts/run.sh" "$tree-run.log" \
			inside "$tree" timeout 5400 scripts/run.sh
		ok "$suite: every check held" \
			grep -q "every check held" "$tree-run.log"
		for p in clang xfsprogs sparse fio; do
			ok "$suite: it did not install $p" has_no "$tree" "$p"
		done
	fi
	if wants kernels; then
		for s in "${series[@]}"; do
			timed "$suite: scripts/deps.sh --kernel $s" "$tree-$s.log" \
				inside "$tree" timeout 3600 scripts/deps.sh --kernel "$s"
			timed "$suite: scripts/module.sh -k $s" "$tree-module-$s.log" \
				inside "$tree" timeout 3600 scripts/module.sh -k "$s"
		done
	fi
	if wants test; then
		timed "$suite: scripts/test.sh --quick" "$tree-test.log" \
			inside "$tree" timeout 5400 scripts/test.sh --quick
	fi
	[ $keep = 1 ] || rm -rf "$tree"
}

for suite in "${suites[@]}"; do
	fresh_machine "$suite"
done
echo "1..$number"
