#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# When scripts/vm.sh, native-kernel.sh or deps.sh cannot do something, they print one
# line: what is wrong, and what to do.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# refused DESCRIPTION WORDS COMMAND...: fails, with one line that matches
refused()
{
	local what=$1 words=$2 n

	shift 2
	if "$@" > "$work/out" 2>&1; then
		fail "$what"
	fi
	n=$(wc -l < "$work/out")
	if [ "$n" != 1 ] || ! grep -qE -- "$words" "$work/out"; then
		echo "# wanted one line that matches: $words"
		sed 's/^/# /' "$work/out" | tail -n 30
		fail "$what"
	fi
	pass "$what"
}

# small SIZE COMMAND...: run it with $work/small on a file system of that size
small()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount bash -c 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"' \
		small "$1" "$work/small" "${@:2}"
}

mkdir "$work/small" "$work/empty"
empty=(env "THINX_CACHE=$work/empty")
full=(env "THINX_CACHE=$work/small")

refused "an unknown kernel" "there are 6\.1, .*native" \
	scripts/vm.sh -k 5.nonsense -- true
refused "a kernel to be fetched" "deps\.sh --kernel 7\.3" \
	"${empty[@]}" scripts/vm.sh -k 7.3 -- true
refused "a kernel to be built" "native-kernel\.sh native-debug" \
	"${empty[@]}" scripts/vm.sh -k native-debug -- true
fails "an unknown native kernel" "scripts/native-kernel.sh native" \
	scripts/native-kernel.sh native-wrong
refused "a directory that is no tree" "-R" \
	scripts/vm.sh -R "$work/empty" -- true
# deps.sh first prints what it does.
refused "a linux-source that does not exist" "linux-source-9\.9 to be had" \
	bash -o pipefail -c '"$@" 2>&1 | grep -v "fetching linux-source-9\.9$"' bash \
	"${empty[@]}" scripts/deps.sh --source 9.9
refused "a module for a kernel to be built" "native-kernel\.sh native-debug" \
	"${empty[@]}" scripts/module.sh -k native-debug
refused "a module for an unknown kernel" "there are 6\.1, .*native" \
	scripts/module.sh -k 5.nonsense

if [ "$(id -u)" != 0 ]; then
	skip "a full cache directory" "needs root"
else
	refused "a cache directory that is full" "make room there" \
		small 64k "${full[@]}" scripts/native-kernel.sh native
	refused "a kernel that does not fit in" "make room there" \
		small 64k "${full[@]}" scripts/deps.sh --kernel 7.3
fi
refused "a cache that is no directory" "another place in THINX_CACHE" \
	env THINX_CACHE=/dev/null/cache scripts/native-kernel.sh native
refused "results that cannot be written" "-r DIR takes another place" \
	scripts/vm.sh -r /dev/null/results -- true

if [ "$(id -u)" = 0 ] && kernel_find "$kernel_default"; then
	ok "the programs of an emulated machine are on a disk of its own" \
		scripts/vm.sh -k "$kernel_default" -d none -c 1 -- grep -q "lowerdir=/lower/base/root:" /proc/mounts
fi
if kernel_find native; then
	refused "more memory than there is" "MiB, .* are available" \
		scripts/vm.sh -k native -m 99999999 -d none -r "$work/machine" -- true
	refused "a disk that is not there" "no such image" \
		scripts/vm.sh -k native -D "$work/none" -r "$work/machine" -- true
	refused "a disk of no size" "no disk of size" \
		scripts/vm.sh -k native -d much -r "$work/machine" -- true
	: > "$work/victim"
	# shellcheck disable=SC2016 # expanded in the guest
	fails "a guest cannot write to this machine's files" "Read-only file system" \
		scripts/vm.sh -k native -d none -r "$work/machine" -- sh -c '
			mkdir -p /mnt/h && mount -t hostfs -o / none /mnt/h &&
			ln -s "$1/victim" "$VM_RESULTS/splats" &&
			echo guest > "/mnt/h$1/victim"' sh "$work"
	[ ! -s "$work/victim" ] || fail "nor through a link it leaves"
	pass "nor through a link it leaves"
	if [ "$(id -u)" = 0 ]; then
		# As on machines where systemd mounts something in /proc.
		ok "mounts hidden by a later one do no harm" unshare --mount sh -c \
			'mount -t tmpfs tmpfs /proc/tty && scripts/vm.sh -k native -d none -- true'
	fi
else
	skip "a native machine's refusals" "no native kernel: scripts/native-kernel.sh native"
fi
