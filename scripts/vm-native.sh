# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of vm.sh, and for it
# Copyright (C) 2026 The thinx authors.
#
# Sourced by vm.sh: a User-Mode Linux kernel as a process of this machine, built by
# native-kernel.sh.  vm-qemu.sh says what the functions are for.
#
# Root in the guest is root here as well, and can mount any directory of this
# machine writable.  So the process has its own mount namespace, in which everything
# but the results and the disks is read-only; its memory is a file on a tmpfs there.
# It also has its own process namespace: killing it kills everything in it.
#
# What the guest writes to $VM_RESULTS is in this machine's file when the system
# call returns (unless written through a mapping), and so outlives the guest.
#
# $VM_PRELOAD is a library for the kernel's process: it can come between the
# guest's disks and their files.

machine_modules=

# Give the disks the names they have in other machines.
machine_disks()
{
	local a

	for a in a b c d e f g h; do
		[ ! -e "/dev/ubd$a" ] || ln -s "ubd$a" "/dev/vd$a"
	done
}

machine_output()
{
	stty -F /dev/ttyS0 raw -echo
	echo /dev/ttyS0
}

#
# seal WRITABLE...: run in the namespaces; makes everything else read-only.
#
seal()
{
	local path device

	mount --make-rprivate /
	for path; do
		mount --bind "$path" "$path" || return
	done
	# Only the last mount on a path is visible.
	while read -r _ _ device _ path _; do
		path=$(printf %b "$path")
		[[ " $* " != *" $path "* ]] || continue
		# One hidden by a later mount above it does not matter.
		mount -o remount,bind,ro "$path" 2> /dev/null ||
			[ "$(stat -c %Hd:%Ld "$path" 2> /dev/null)" != "$device" ] ||
			return
	done < /proc/self/mountinfo
	mkdir -p "$results/memory"
	mount -t tmpfs -o mode=700,size=$((memory + 16))M tmpfs "$results/memory"
}

machine_start()
{
	local words=() need=$((memory + 64)) have as=() n=0 image

	have=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
	[ "$have" -ge $need ] ||
		die "the machine's memory needs $need MiB, but only $have are available: stop something, or ask for less with -m"
	[ "$(id -u)" = 0 ] || as=(--user --map-root-user)
	for image in "${images[@]+"${images[@]}"}"; do
		[ -f "$image" ] || die "a native machine's disk must be a file, not $image"
		words+=("ubd$n=$image")
		n=$((n + 1))
	done
	# shellcheck disable=SC2054 # the kernel's commas
	words+=(seccomp=auto "mem=${memory}M" "ncpus=$cpus" "initrd=$initramfs"
		con=null con0=null,fd:2 stderr=1 ssl=null ssl0=null,fd:3
		"uml_dir=$results/memory/" umid=vm
		loglevel=5 init_on_alloc=0 norandmaps panic=-1 oops=panic
		rcupdate.rcu_cpu_stall_timeout=120
		vm_machine=native "vm_root=${tree:-/}" "vm_results=$results"
		"vm_shares=$(IFS=,; echo "${shares[*]+"${shares[*]}"}")")
	[[ $kargs == *kmemleak=* ]] || words+=(kmemleak=off)
	exec 4> >(exec cat 3>&-)
	cat_pid=$!
	# shellcheck disable=SC2016,SC2086 # expanded by the inner shell; words
	timeout -k 5 "$limit" bash -c 'echo $$ > "$0/pid"; exec "$@"' "$results" \
		unshare "${as[@]+"${as[@]}"}" --mount --pid --fork --kill-child \
		--mount-proc bash -c "$(declare -p results memory; declare -f seal)"'
		ulimit -c 0
		n=$1
		shift
		seal "${@:1:n}" || exit 126
		shift $n
		export TMPDIR=$results/memory LD_PRELOAD=${VM_PRELOAD:-}
		unset VM_PRELOAD
		"$@"
		exit $?' native $((${#images[@]} + 1)) "$results" \
		"${images[@]+"${images[@]}"}" "$k_image" "${words[@]}" $kargs \
		< /dev/null > "$results/machine.log" 2> "$results/console.log" 3>&4 4>&- &
	exec 4>&-
}

# The pipe closes when the last process of the machine is gone.
machine_end()
{
	wait "$cat_pid" 2>/dev/null
	rmdir "$results/memory" 2>/dev/null
}
