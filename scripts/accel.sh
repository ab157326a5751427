# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Sourced after kernels.sh: can this machine's processor run virtual machines, or
# must qemu emulate one?
#
#   accel_args            sets the array $accel: arguments for qemu-system-x86_64
#   accel_works ARG...    does a machine with these arguments run instructions?
#                         2: unknown
#
# Being able to open /dev/kvm proves nothing, so a machine with a firmware of three
# instructions is started, and must exit with the status they set.  The answer is
# kept until the next boot.  THINX_ACCEL=kvm or tcg overrides it.

accel_kvm=(-accel kvm -cpu host)
# Some processor features slow TCG down (la57) or make the guest's kernel use
# instructions that are slow under it (erms, fsrm).
accel_tcg=(-accel "tcg,thread=multi,tb-size=512" -cpu "max,la57=off,erms=off,fsrm=off")

#
# The reset vector is 16 bytes before the end of 64 KiB.  There:
#
#   b0 2a     mov $42, %al
#   e6 f4     out %al, $0xf4      the exit device: qemu's status is 42 * 2 + 1
#   f4        hlt
#
accel_works()
{
	local rom r

	rom=$(mktemp) || return 2
	truncate -s 64K "$rom"
	printf '\xb0\x2a\xe6\xf4\xf4' |
		dd of="$rom" bs=1 seek=65520 conv=notrunc status=none
	# In a subshell, so that its message about an aborting qemu is discarded.
	(
		ulimit -c 0
		timeout -k 1 20 qemu-system-x86_64 -machine q35 "$@" -m 64 \
			-nodefaults -no-user-config -no-reboot \
			-display none -monitor none \
			-device isa-debug-exit,iobase=0xf4,iosize=1 \
			-bios "$rom" < /dev/null
		exit $?
	) > /dev/null 2>&1
	r=$?
	rm -f "$rom"
	case $r in
	85) return 0 ;;
	124|137) return 2 ;;
	*) return 1 ;;
	esac
}

_accel_choose()
{
	local boot memory=${thinx_cache:?}/accel choice

	if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ] ||
	   ! command -v qemu-system-x86_64 > /dev/null; then
		echo tcg
		return
	fi
	boot=$(cat /proc/sys/kernel/random/boot_id)
	choice=$(sed -n "s/^$boot //p" "$memory" 2> /dev/null)
	if [ -z "$choice" ]; then
		choice=tcg
		accel_works "${accel_kvm[@]}" 2> /dev/null
		case $? in
		0) choice=kvm ;;
		2) echo tcg; return ;;
		esac
		mkdir -p "${memory%/*}" &&
			echo "$boot $choice" > "$memory.$$" &&
			mv "$memory.$$" "$memory"
	fi
	echo "$choice"
}

# shellcheck disable=SC2034 # the result is for the caller
accel_args()
{
	local choice=${THINX_ACCEL:-}

	[ -n "$choice" ] || choice=$(_accel_choose)
	case $choice in
	kvm) accel=("${accel_kvm[@]}") ;;
	tcg) accel=("${accel_tcg[@]}") ;;
	*)	echo "THINX_ACCEL is kvm or tcg, not '$choice'" >&2
		return 1 ;;
	esac
}
