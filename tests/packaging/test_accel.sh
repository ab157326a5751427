#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# scripts/accel.sh tells a machine that runs its three instructions from one that does
# not, and remembers the answer until the next boot.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=../../scripts/accel.sh
. scripts/accel.sh

if ! command -v qemu-system-x86_64 > /dev/null; then
	skip "accelerators" "no qemu-system-x86_64"
	exit
fi
thinx_cache=$work/cache
boot=$(cat /proc/sys/kernel/random/boot_id)

ok "emulation works" accel_works "${accel_tcg[@]}"
fails "a processor that does not exist does not" "" accel_works -accel tcg -cpu nonesuch
# Created but never started, as when KVM hangs.
fails "nor does a machine that hangs" "" accel_works -accel tcg -cpu max -S

unset THINX_ACCEL
mkdir "$thinx_cache"
accel_args
ok "an accelerator is chosen" grep -qE "^-accel (kvm|tcg)" <<< "${accel[*]}"
if [ -w /dev/kvm ]; then
	ok "and remembered for this boot" \
		grep -qE "^$boot $(sed -E 's/^-accel ([a-z]*).*/\1/' <<< "${accel[*]}")\$" \
		"$thinx_cache/accel"
	other=tcg
	[[ ${accel[*]} != "-accel tcg"* ]] || other=kvm
	echo "$boot $other" > "$thinx_cache/accel"
	accel_args
	ok "what is remembered is used" grep -q "^-accel $other" <<< "${accel[*]}"
	echo "00000000-0000-0000-0000-000000000000 $other" > "$thinx_cache/accel"
	accel_args
	fails "but not after another boot" "" grep "^-accel $other" <<< "${accel[*]}"
else
	skip "the answer is remembered" "no /dev/kvm"
fi
THINX_ACCEL=kvm accel_args
ok "THINX_ACCEL decides" grep -q "^-accel kvm -cpu host" <<< "${accel[*]}"
THINX_ACCEL=tcg accel_args
ok "either way" grep -q "^-accel tcg" <<< "${accel[*]}"
what_else() { THINX_ACCEL=xen accel_args; }
fails "and takes nothing else" "THINX_ACCEL is kvm or tcg, not 'xen'" what_else
