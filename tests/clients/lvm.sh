# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Shared by the tests of LVM2:
#
#   . "$(dirname "$0")/lvm.sh"
#   disk PV1 512
#   volume_group "$PV1"                 # vg
#   thin_pool 128M [OPTION]...          # vg/pool, 64 KiB chunks, 8 MiB metadata
#   clean "..." lvcreate -V 64M -T vg/pool -n v1
#   figures_agree                       # lvs and dmsetup say the same
#   metadata_sound                      # deactivate everything and run thin_check
#   finish
#
# LVM has a system directory of its own here and looks only at loop devices and at
# wrapped ones (named pv...).  There is no udevd, so it makes its links by itself.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need lvm thin_check
export LVM_SYSTEM_DIR=$scratch/lvm LVM_SUPPRESS_FD_WARNINGS=1
export LVM_OUT=$scratch/lvm.out LVM_ERR=$scratch/lvm.err

# lvm_configure [LINE]...: more lines for lvm.conf, with each key only once; $hidden is a
# device to ignore; with $monitoring=1 dmeventd watches pools
lvm_configure()
{
	mkdir -p "$LVM_SYSTEM_DIR" /run/lock/lvm /run/lvm
	{
		cat <<-'CONF'
		devices/dir="/dev"
		devices/scan=["/dev"]
		devices/obtain_device_list_from_udev=0
		devices/external_device_info_source="none"
		devices/use_devicesfile=0
		devices/hints="none"
		global/use_lvmpolld=0
		global/event_activation=0
		activation/udev_sync=0
		activation/udev_rules=0
		activation/verify_udev_operations=1
		backup/archive=0
		CONF
		echo "activation/monitoring=${monitoring:-0}"
		echo "devices/filter=[\"r|^${hidden:-none}\$|\",\"a|^/dev/loop|\",\"a|^/dev/mapper/pv|\",\"r|.*|\"]"
		printf '%s\n' "$@"
	} > "$LVM_SYSTEM_DIR/lvm.conf"
}
lvm_configure

# What it may print on standard error although all is well.
expected='WARNING: (Sum of all thin volume sizes|You have not turned on protection'
expected="$expected|Set activation/thin_pool_autoextend|Converting"
expected="$expected|Reducing active logical volume|Combining activation)"
expected="$expected|Logical volume [^ ]* (in use|not zeroed)|THIS MAY DESTROY YOUR DATA"
expected="$expected|THIS WILL DESTROY CONTENT|^resize2fs [0-9.]+ |^ *$"

# clean DESCRIPTION COMMAND...: succeeds without an error or a warning; its output is in
# $LVM_OUT and $LVM_ERR
clean()
{
	local what=$1 r

	shift
	timeout -k 5 "${client_limit:-240}" "$@" \
		> "$LVM_OUT" 2> "$LVM_ERR" < /dev/null
	r=$?
	[ $r = 0 ] && ! grep -qvE "$expected" "$LVM_ERR"
	_result $? "$what" && return 0
	{ echo "exit status $r: $*"; tail -n 20 "$LVM_OUT" "$LVM_ERR"; } | diag
	return 1
}

# refused DESCRIPTION REGEX COMMAND...: fails with such a message
refused()
{
	local what=$1 regex=$2 r

	shift 2
	timeout -k 5 "${client_limit:-240}" "$@" \
		> "$LVM_OUT" 2> "$LVM_ERR" < /dev/null
	r=$?
	[ $r -ne 0 ] && [ $r -lt 124 ] && grep -qE "$regex" "$LVM_ERR"
	_result $? "$what" && return 0
	{ echo "exit status $r: $*"; tail -n 20 "$LVM_OUT" "$LVM_ERR"; } | diag
	return 1
}

# printed REGEX DESCRIPTION: by the last command
printed()
{
	grep -qE "$1" "$LVM_OUT" "$LVM_ERR"
	_result $? "$2" && return 0
	tail -n 20 "$LVM_OUT" "$LVM_ERR" | diag
	return 1
}

volume_group()
{
	clean "vgcreate" vgcreate -q vg "$@"
	at_end _lvm_off
}

_lvm_off() { timeout -k 5 240 vgchange -qq -an vg > /dev/null 2>&1; }

# thin_pool SIZE [OPTION]...: with metadata of $metadata_size, by default 8 MiB
thin_pool()
{
	local size=$1

	shift
	clean "lvcreate makes a pool" lvcreate -q -n pool --type thin-pool \
		-L "$size" -c 64k --poolmetadatasize "${metadata_size:-8M}" --poolmetadataspare y \
		"$@" vg
	pool=vg-pool-tpool	# once it has a volume
}

# While it has no volumes the pool itself is called vg-pool.
pool_device()
{
	if dmsetup info vg-pool-tpool > /dev/null 2>&1; then
		echo vg-pool-tpool
	else
		echo vg-pool
	fi
}

# thin_volume NAME SIZE
thin_volume()
{
	clean "lvcreate makes thin volume $1" \
		lvcreate -q -V "$2" -T vg/pool -n "$1"
}

# lv FIELDS [VOLUME]: from lvs, separated by single blanks
lv()
{
	lvs --noheadings --separator ' ' --units b --nosuffix -a -o "$1" \
		"${2:-vg/pool}" 2>> "$LVM_ERR.lvs" | sed 's/^ *//; s/ *$//'
}

near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 0.011 && b - a < 0.011) }'; }

# _percent_is GOT PART WHOLE DESCRIPTION
_percent_is()
{
	local wanted

	wanted=$(awk -v p="$2" -v w="$3" 'BEGIN { printf "%.2f", 100 * p / w }')
	[ -n "$1" ] && near "$1" "$wanted"
	_result $? "$4" && return 0
	echo "got $1 %, wanted $2/$3 = $wanted %" | diag
	return 1
}

#
# lvs and dmsetup agree about vg/pool and each of its active volumes.  Nothing may
# write meanwhile.  A status commits earlier writes, which takes metadata, so it is
# repeated until nothing changes.
#
figures_agree()
{
	local name type active data meta id seen=0
	local before after=
	local -A status_of=()

	for _ in 1 2 3 4 5 6 7 8 9 10; do
		before=$(dmsetup status)
		[ "$before" != "$after" ] || break
		after=$before
		sleep 0.5
	done
	clean "lvs without an error" lvs -a --noheadings --separator '|' -o \
		lv_name,segtype,lv_active,data_percent,metadata_percent,transaction_id vg
	while IFS=: read -r name id; do
		status_of[$name]=$id
	done <<< "$before"
	while IFS=' |' read -r name type active data meta id; do
		[ "$active" = active ] || continue
		case $type:$name in
		thin-pool:pool)
			_pool_agrees "$data" "$meta" "$id" \
				"${status_of[$(pool_device)]}"
			seen=$((seen + 1)) ;;
		thin:*)
			_volume_agrees "$name" "$data" "${status_of[vg-$name]}" ;;
		esac
	done < "$LVM_OUT"
	is $seen 1 "lvs: one pool"
}

# _pool_agrees DATA-PERCENT METADATA-PERCENT TRANSACTION STATUS
_pool_agrees()
{
	local id meta data

	read -r _ _ _ id meta data _ <<< "$4"
	_percent_is "$1" "${data%/*}" "${data#*/}" "lvs: data in use"
	_percent_is "$2" "${meta%/*}" "${meta#*/}" "lvs: metadata in use"
	is "$3" "$id" "lvs: the transaction id"
}

# _volume_agrees NAME DATA-PERCENT STATUS
_volume_agrees()
{
	local size mapped

	read -r _ size _ mapped _ <<< "$3"
	_percent_is "$2" "$mapped" "$size" "lvs: data of $1"
}

pool_off() { clean "the pool is deactivated" lvchange -q -an vg/pool; }
pool_on() { clean "the pool is activated" lvchange -q -ay vg/pool; }

# LVM makes the metadata volume available read-only while the pool is inactive.
metadata_sound()
{
	clean "the volume group is deactivated" vgchange -q -an vg
	clean "the metadata volume alone is activated" \
		lvchange -q -y -ay vg/pool_tmeta
	ok "thin_check finds LVM's pool sound" thin_check -q /dev/vg/pool_tmeta
	clean "and deactivated" lvchange -q -an vg/pool_tmeta
}
