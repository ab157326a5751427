# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of vm.sh, and for it
# Copyright (C) 2026 The thinx authors.
#
# Sourced by vm.sh: a machine of qemu's, with a kernel of a distribution.
#
#   machine_modules    modules stage one needs
#   machine_start      in the background, by timeout; its output to ours
#   machine_end        wait until all it said has come
#   machine_disks      in the guest: the disks get their names
#   machine_output     in the guest: where what is written reaches us

command -v qemu-system-x86_64 > /dev/null ||
	die "no qemu-system-x86_64: scripts/deps.sh --vm installs it"
# shellcheck source=accel.sh
. scripts/accel.sh
accel_args || die "no machine can be made"

machine_modules="virtio_pci virtio_blk virtio_console 9pnet_virtio 9p overlay"

machine_disks() { :; }

machine_output()
{
	local port

	port=$(grep -lx out /sys/class/virtio-ports/*/name | cut -d/ -f5)
	[ -z "$port" ] || echo "/dev/$port"
}

# host_directory TAG PATH [OPTION]: the words that give it to the guest
host_directory()
{
	echo "-fsdev local,id=$1,path=$2,security_model=none${3:-}"
	echo "-device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

machine_start()
{
	local drives=() directories=() image cache n=0 ro=,readonly=on,multidevs=remap

	for image in "${images[@]+"${images[@]}"}"; do
		# Nobody relies on what a disk of ours keeps.
		cache=unsafe
		[[ $image != *:* ]] || cache=writeback
		drives+=(-drive "file=$image,if=none,id=disk$n,format=raw,cache=$cache,discard=unmap"
			-device "virtio-blk-pci,drive=disk$n")
		n=$((n + 1))
	done
	n=0
	for image in "${shares[@]+"${shares[@]}"}"; do
		# shellcheck disable=SC2207 # words
		directories+=($(host_directory "share$n" "$image" $ro))
		n=$((n + 1))
	done
	# shellcheck disable=SC2207 # words
	directories+=($(host_directory root "${tree:-/}" $ro)
		$(host_directory results "$results"))
	mkfifo "$results/out.in" "$results/out.out"
	cat "$results/out.out" &
	cat_pid=$!
	timeout -k 5 "$limit" qemu-system-x86_64 \
		-machine q35 "${accel[@]}" -smp "$cpus" -m "$memory" \
		-nodefaults -no-user-config -no-reboot -display none -monitor none \
		-pidfile "$results/pid" \
		-kernel "$k_image" -initrd "$initramfs" \
		-append "console=ttyS0 loglevel=5 log_buf_len=8M mitigations=off init_on_alloc=0 norandmaps panic=-1 oops=panic watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 vm_machine=qemu vm_shares=$(IFS=,; echo "${shares[*]+"${shares[*]}"}") $kargs" \
		-serial "file:$results/console.log" \
		"${directories[@]}" \
		-device virtio-serial-pci -chardev "pipe,id=out,path=$results/out" \
		-device virtserialport,chardev=out,name=out \
		-device virtio-rng-pci \
		"${drives[@]+"${drives[@]}"}" \
		< /dev/null 2> "$results/machine.log" &
}

# The pipe closes with qemu; had qemu never opened it, its reader would wait.
machine_end()
{
	(sleep 2; kill "$cat_pid") 2>/dev/null &
	wait "$cat_pid" 2>/dev/null
}
