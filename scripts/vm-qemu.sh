# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables of vm.sh, and for it
# Copyright (C) 2026 The thinx authors.
#
# Sourced by vm.sh: a qemu machine with a distribution's kernel.
#
#   machine_modules    modules stage one needs
#   machine_start      in the background, under timeout; its output goes to ours
#   machine_end        wait until all its output has arrived
#   machine_disks      in the guest: name the disks
#   machine_output     in the guest: say which file reaches our output
#
# The guest's root is this machine's, over 9p: each file opened and each symbolic
# link followed is a request, and one request costs an emulated machine
# milliseconds, more than the program that makes it.  So the programs, their
# libraries and /etc are on a disk as well, the base, layered above the root.

command -v qemu-system-x86_64 > /dev/null ||
	die "no qemu-system-x86_64: scripts/deps.sh --vm installs it"
# shellcheck source=accel.sh
. scripts/accel.sh
accel_args || die "no machine can be started"

machine_modules="virtio_pci virtio_blk virtio_console 9pnet_virtio 9p overlay ext4"

machine_disks() { :; }

machine_output()
{
	local port

	port=$(grep -lx out /sys/class/virtio-ports/*/name | cut -d/ -f5)
	[ -z "$port" ] || echo "/dev/$port"
}

# host_directory TAG PATH [OPTION]: the arguments that give it to the guest
host_directory()
{
	echo "-fsdev local,id=$1,path=$2,security_model=none${3:-}"
	echo "-device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

# In the guest's root: list what is in the base.  Secrets need no further copy.
base_files()
{
	find bin sbin lib lib32 lib64 libx32 etc usr/bin usr/sbin usr/libexec usr/lib64 \
		usr/lib/locale usr/lib/systemd usr/lib/udev usr/lib/x86_64-linux-gnu \
		-path 'usr/lib/x86_64-linux-gnu/*/*' -prune -o -name '*.a' -o \
		-path etc/ssl/private -prune -o -path 'etc/ssh/*key' -o \
		-path 'etc/shadow*' -o -path 'etc/gshadow*' -o \
		-type f -size -6000k "$@" -o -type l "$@"
}

# make_base IMAGE MIB: make it of that much data, in a directory it can fill
make_base()
{
	local work=$1.d size=$2

	command -v mke2fs > /dev/null || { echo "vm.sh: no mke2fs" >&2; return 1; }
	need_room "${1%/*}" $((size * 5 / 2 + 512)) "vm.sh: a disk of programs" &&
	mkdir "$work" "$work/root" &&
	chmod 755 "$work/root" &&
	base_files -print0 2> /dev/null | xargs -0 cp -a --parents -t "$work/root" &&
	mke2fs -q -F -t ext4 -b 4096 -i 16384 -m 0 -O ^has_journal,^resize_inode \
		-d "$work" "$1.new" $((size + size / 8 + 64))M > /dev/null &&
	[ "$(base_key)" = "${1##*/}" ] &&
	mv "$1.new" "$1"
}

base_key()
{
	{
		declare -f base_files make_base
		cd "${tree:-/}" && base_files -printf '%p %s %T@ %C@ %l\n' 2> /dev/null
		echo "${tree:-/}"
	} | sha256sum | cut -c1-16
}

#
# Sets $base to its image, made if there is none of what is installed now; to
# nothing if it cannot be made: then the machine is slower, and there is no second
# attempt for an hour.  Only root can give the files their owners.
#
find_base()
{
	local dir=$top/build/vm/base key

	base=
	[ "$(id -u)" = 0 ] || return
	key=$(base_key)
	(
		umask 077
		mkdir -p "$dir"
		exec 9> "$dir/lock"
		flock 9
		# Other machines may be about to use theirs.
		find "$dir" -mindepth 1 -maxdepth 1 -mmin +60 ! -name lock \
			! -name "$key" -exec rm -r {} +
		if [ ! -e "$dir/$key" ] && [ ! -e "$dir/$key.failed" ]; then
			cd "${tree:-/}" || exit
			make_base "$dir/$key" "$(base_files -printf '%s\n' 2> /dev/null |
				awk '{ n += $1 } END { print int(n / 1048576) + 1 }')" || {
				echo "vm.sh: programs are read over 9p, which is slower" >&2
				: > "$dir/$key.failed"
			}
			rm -rf "$dir/$key.d" "$dir/$key.new"
		fi
		touch -c "$dir/$key"
	)
	[ ! -e "$dir/$key" ] || base=$dir/$key
}

machine_start()
{
	local drives=() directories=() image cache n=0 ro=,readonly=on,multidevs=remap

	for image in "${images[@]+"${images[@]}"}"; do
		# A temporary disk need not survive a crash of this machine.
		cache=unsafe
		[[ $image != *:* ]] || cache=writeback
		drives+=(-drive "file=$image,if=none,id=disk$n,format=raw,cache=$cache,discard=unmap"
			-device "virtio-blk-pci,drive=disk$n")
		n=$((n + 1))
	done
	[ -z "$base" ] ||
		drives+=(-drive "file=$base,if=none,id=base,format=raw,readonly=on,file.locking=off"
			-device "virtio-blk-pci,drive=base,serial=base")
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

# The pipe closes with qemu; if qemu never opened it, its reader would wait forever.
machine_end()
{
	(sleep 2; kill "$cat_pid") 2>/dev/null &
	wait "$cat_pid" 2>/dev/null
}

# Before the time limit starts to run.
find_base
