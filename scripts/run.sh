#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Show what thinx does, with real files, and check every step.
#
#   scripts/run.sh [options] [DIRECTORY]...
#
#   DIRECTORY     what to copy into the volume, 200 MiB at most; default:
#                 /usr/share/perl, or whatever perl a small system has
#   --here        on the running kernel, or not at all
#   --vm          in a virtual machine, even if the running kernel would do
#   -k KERNEL     kernel of the virtual machine: 6.1, 6.12, 7.3; default: this
#                 Debian's
#
# Installs what it needs (scripts/deps.sh), builds the module, and runs
# scripts/demo.sh: on this machine's kernel if we are root and can load modules,
# else in a virtual machine.  Needs no disk: pools live in sparse files.
# Nothing is left behind but build/.  Exit status 0 means every check held.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=kernels.sh
. scripts/kernels.sh

where=auto
kernel=$kernel_default
trees=()

usage()
{
	sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

say() { echo "run.sh: $*"; }
die() { echo "run.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
	case $1 in
	--here) where=here ;;
	--vm) where=vm ;;
	-k) [ $# -ge 2 ] || usage
		kernel=$2
		shift ;;
	-*) usage ;;
	*) tree=$(realpath -e -- "$1") || exit 1
		[ -d "$tree" ] || die "$1 is no directory"
		trees+=("$tree") ;;
	esac
	shift
done
for tree in /usr/share/perl /usr/lib/*/perl-base /usr/share/perl5; do
	[ ${#trees[@]} = 0 ] || break
	[ ! -d "$tree" ] || trees=("$tree")
done
[ ${#trees[@]} -gt 0 ] || die "there is no /usr/share/perl here: name a directory"

can_load_modules()
{
	local caps

	caps=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
	(( 0x$caps >> 16 & 1 )) &&
		[ "$(cat /proc/sys/kernel/modules_disabled 2>/dev/null)" = 0 ]
}

# Say why the demonstration cannot run on this kernel, whatever is installed;
# nothing if it can.
why_not_here()
{
	local lockdown=/sys/kernel/security/lockdown

	if [ "$(id -u)" != 0 ]; then
		echo "we are not root"
	elif ! can_load_modules; then
		echo "this kernel takes no modules from us"
	elif grep -q '\[\(integrity\|confidentiality\)\]' $lockdown 2>/dev/null
	then
		echo "this kernel is locked down: it only takes signed modules"
	fi
}

# The same, after its headers were installed, if there are any.
why_not_built_for()
{
	local release

	release=$(uname -r)
	if ! kernel_find "$release" || [ ! -e "$k_build/Makefile" ]; then
		echo "the headers of this kernel, $release, are not here"
	elif ! modprobe -q dm-mod || ! modprobe -q loop; then
		echo "this kernel has no device mapper or no loop devices"
	fi
}

# deps.sh says itself what it cannot get.
provide() { scripts/deps.sh "$@" || exit 1; }

reason=$(why_not_here)
if [ $where != vm ] && [ -z "$reason" ]; then
	provide
	reason=$(why_not_built_for)
fi
case $where in
here)	[ -z "$reason" ] || die "cannot run here: $reason" ;;
auto)	where=vm
	[ -n "$reason" ] || where=here ;;
vm)	reason="you asked for it" ;;
esac

if [ $where = here ]; then
	provide --demo
	kernel=$(uname -r)
	say "on this machine's kernel, $kernel (--vm for a virtual machine)"
else
	provide --demo --vm --kernel "$kernel"
	kernel_find "$kernel" || die "there is no kernel $kernel"
	say "in a virtual machine with kernel $k_release, because: $reason"
fi

say "building the module"
module=$(scripts/module.sh -k "$kernel") || die "cannot build the module"
if [ $where = here ]; then
	exec scripts/demo.sh "$module" "${trees[@]}"
fi
say "booting, which takes a while if the processor is emulated"
exec scripts/vm.sh -k "$kernel" -d none -t 1200 -- \
	scripts/demo.sh "$module" "${trees[@]}"
