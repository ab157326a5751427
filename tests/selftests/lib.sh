# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# What every test in the virtual machine starts with:
#
#   . "$(dirname "$0")/../lib.sh"
#   disk META 8; disk DATA 256          # sparse loop devices, in $META, $DATA
#   make_pool "$META" "$DATA"           # /dev/mapper/pool, 64 KiB blocks
#   make_thin t1 1 100M                 # create_thin 1, /dev/mapper/t1
#   ok "..." command ...
#   finish
#
# A test prints TAP.  However it ends, the exit trap removes every device, runs
# thin_check on the metadata of every pool the test made, looks for complaints in
# the kernel's log, and unloads the module; each of these is a test line too.
#
# The same tests run against dm-thin (TARGET_POOL=thin-pool TARGET_THIN=thin and no
# $THINX_MODULE), which shows that they test what dm-thin does and not what we
# believe it does.  If $THINX_MODULE is set, these names are thinx's own: the drop-in
# next to that module is loaded as well, and dm-thin's module must not be.

set -u

: "${TARGET_POOL:=thinx-pool}" "${TARGET_THIN:=thinx}"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$top/build/selftests:$PATH
scratch=/mnt/scratch
bs=128			# sectors of a pool block in make_pool
drop_in=0
module=dm_thinx_pool
case $TARGET_POOL:${THINX_MODULE:-} in
thin-pool:)	module=dm_thin_pool ;;
thin-pool:*)	drop_in=1 ;;
esac
export parameters=/sys/module/$module/parameters
loaded=("$module")	# in the order in which they are unloaded
[ $drop_in = 0 ] || loaded=(dm_thin_pool dm_thinx_pool)

_number=0
_failures=0
_loops=()
declare -A _under	# the device below each wrapped one
_metadata=()		# devices to thin_check at the end
_spawned=()
_finished=0
_skipped=0

is_thinx() { [ "$module" = dm_thinx_pool ]; }
is_drop_in() { [ $drop_in = 1 ]; }

# The module dm_thin_pool is the drop-in: unlike dm-thin it is no part of the kernel.
dm_thin_is_ours() { grep -q O /sys/module/dm_thin_pool/taint; }

# --- TAP ---

diag() { sed 's/^/# /'; }

_result()
{
	_number=$((_number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $_number - $2"
	else
		_failures=$((_failures + 1))
		echo "not ok $_number - $2"
	fi
	return "$1"
}

# ok DESCRIPTION COMMAND...: the command succeeds
ok()
{
	local what=$1 out r

	shift
	out=$("$@" 2>&1)
	r=$?
	_result $((r != 0)) "$what" && return 0
	{ echo "exit status $r: $*"; echo "$out" | tail -n 20; } | diag
	return 1
}

# fails DESCRIPTION WORD COMMAND...: the command fails and its output contains WORD
fails()
{
	local what=$1 word=$2 out r

	shift 2
	out=$("$@" 2>&1)
	r=$?
	[ $r -ne 0 ] && [ $r -lt 124 ] && [[ $out == *"$word"* ]]
	_result $? "$what" && return 0
	{ echo "exit status $r, wanted failure with '$word': $*"
	  echo "$out" | tail -n 20; } | diag
	return 1
}

# is GOT WANTED DESCRIPTION
is()
{
	[ "$1" = "$2" ]
	_result $? "$3" && return 0
	printf 'got:    |%s|\nwanted: |%s|\n' "$1" "$2" | diag
	return 1
}

# like GOT EXTENDED-REGEX DESCRIPTION
like()
{
	[[ $1 =~ $2 ]]
	_result $? "$3" && return 0
	printf 'got:          |%s|\nwanted match: |%s|\n' "$1" "$2" | diag
	return 1
}

skip_all()
{
	echo "1..0 # SKIP $*"
	_skipped=1
	exit 4
}

# bail MESSAGE: a preparation failed and the rest of the test is pointless
bail()
{
	_result 1 "preparation: $*"
	exit 1
}

# require COMMAND...: a preparation that must work
require()
{
	local out

	out=$("$@" 2>&1) && return 0
	echo "$out" | diag
	bail "$*"
}

finish()
{
	_finished=1
	exit
}

# --- the kernel's log ---

log_mark()
{
	_mark="selftest mark $$ $RANDOM$RANDOM"
	echo "$_mark" > /dev/kmsg
}

# kernel_log [MARK]: the messages since the mark, by default since the last log_mark.
# If the log no longer has the mark, prints all that is left and fails.
kernel_log()
{
	dmesg | awk -v m="${1:-$_mark}" '
		index($0, m) { marked = 1; n = 0; next }
		{ said[n++] = $0 }
		END {
			for (i = 0; i < n; i++)
				print said[i]
			exit !marked
		}'
}

_in_log() { kernel_log | grep -qE -- "$1"; }

# logged REGEX DESCRIPTION: a message since the last log_mark matches.  Waits for it,
# because a change can be visible before its message is printed.
logged()
{
	wait_until 60 _in_log "$1"
	_result $? "$2" && return 0
	{ echo "not logged: $1"; kernel_log | tail -n 20; } | diag
	return 1
}

# not_logged REGEX DESCRIPTION: fails as well if the log no longer reaches back to the
# last log_mark
not_logged() { _log_lacks "$1" "$_mark" "$2"; }

# trace_expected REGEX: the test makes the kernel print a line like this with a stack
# trace, which is not a complaint
_expected_trace=
trace_expected() { _expected_trace=$1; }

_without_expected_traces()
{
	awk -v told="$_expected_trace" '
		told != "" && $0 ~ told { expected = 1 }
		/(BUG|WARNING|KASAN|UBSAN):/ { expected = 0 }
		expected && /Call Trace/ { expected = 0; next }
		{ print }'
}

# _log_lacks REGEX MARK DESCRIPTION
_log_lacks()
{
	local said whole=1

	said=$(set -o pipefail; kernel_log "$2" | _without_expected_traces) || whole=0
	[ $whole = 1 ] && ! grep -qE -- "$1" <<< "$said"
	_result $? "$3" && return 0
	{
		[ $whole = 1 ] || echo "the log does not reach back to '$2'"
		echo "should not be logged: $1"
		grep -E -m 20 -- "$1" <<< "$said"
		echo "the end of it:"
		tail -n 20 <<< "$said"
	} | diag
	return 1
}

# wait_until SECONDS COMMAND...: poll until it succeeds.  Be generous with the limit:
# it costs nothing, and machines differ.
wait_until()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# --- devices ---

sectors()
{
	local n=${1%[kMG]}

	case $1 in
	*k) echo $((n * 2)) ;;
	*M) echo $((n * 2048)) ;;
	*G) echo $((n * 2097152)) ;;
	*) echo "$1" ;;
	esac
}

# disk NAME SIZE: make a sparse loop device of SIZE MiB, or 160k, 2G ...; its path is
# stored in the variable NAME, its backing file is $scratch/NAME
disk()
{
	local dev

	rm -f "$scratch/$1"
	_truncate "$@"
	dev=$(losetup -f --show "$scratch/$1") || bail "losetup $1"
	# An earlier test may have set it read-only and died.
	require blockdev --setrw "$dev"
	_loops+=("$dev")
	printf -v "$1" %s "$dev"
}

_truncate()
{
	case $2 in
	*[kMG]) require truncate -s "$2" "$scratch/$1" ;;
	*) require truncate -s "$2M" "$scratch/$1" ;;
	esac
}

# disk_grow NAME SIZE
disk_grow()
{
	_truncate "$@"
	require losetup -c "${!1}"
}

# disk_gone NAME...: with its loop device, which would keep a limit set in sysfs
disk_gone()
{
	local n

	for n; do
		losetup -d "${!n}"
		# LOOP_CTL_REMOVE
		# shellcheck disable=SC2016 # for perl
		wait_until 60 perl -e 'open(my $f, "<", "/dev/loop-control") or exit 1;
			exit !ioctl($f, 0x4C81, $ARGV[0] + 0)' "${!n#/dev/loop}"
	done
}

# used_kib NAME: the space that the backing file takes up
used_kib() { du -k "$scratch/$1" | cut -f1; }

size_of() { blockdev --getsz "$1"; }
major_minor() { lsblk -dno MAJ:MIN "$1" | tr -d ' '; }

# queue DEVICE ATTRIBUTE: a queue limit from sysfs
queue() { cat "/sys/dev/block/$(major_minor "$1")/queue/$2"; }

# wrap NAME DEVICE: put a linear mapping on top, to inject errors by reloading it
wrap()
{
	require dmsetup create "$1" \
		--table "0 $(size_of "$2") linear $2 0"
	_under[$1]=$2
}

# broken NAME DEVICE: all writes to the wrapped device fail until it is healed
broken() { rewrap "$1" flakey "$2" 0 0 1 1 error_writes; }
healed() { rewrap "$1" linear "$2" 0; }

# swap_table NAME [FILE | --table TABLE]: replace a table, from standard input by
# default, without flushing
swap_table()
{
	require dmsetup load "$@"
	require dmsetup suspend --noflush --nolockfs "$1"
	require dmsetup resume "$1"
}

# rewrap NAME TABLE-FROM-THIRD-WORD: swap the table of a wrapped device
rewrap()
{
	swap_table "$1" --table "0 $(size_of "/dev/mapper/$1") ${*:2}"
}

# format_scattered METADATA DATA BLOCKS [DISTANCE]: thin device 1 has BLOCKS blocks,
# all mapped, to every second block of the data device, or DISTANCE blocks apart
format_scattered()
{
	local blocks=$(($(size_of "$2") / bs))

	{
		echo "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" data_block_size=\"$bs\" nr_data_blocks=\"$blocks\">"
		echo "<device dev_id=\"1\" mapped_blocks=\"$3\" transaction=\"0\" creation_time=\"0\" snap_time=\"0\">"
		seq 0 $(($3 - 1)) | awk -v d="${4:-2}" '{ printf "<single_mapping origin_block=\"%d\" data_block=\"%d\" time=\"0\"/>\n", $1, d * $1 }'
		echo "</device></superblock>"
	} > "$scratch/xml"
	require thin_restore -i "$scratch/xml" -o "$1"
}

# pool_table METADATA DATA [FEATURE...]: uses $bs, $low and $pool_sectors
pool_table()
{
	local meta=$1 data=$2

	shift 2
	echo "0 ${pool_sectors:-$(size_of "$data")} $TARGET_POOL $meta $data" \
		"$bs ${low:-0} $# $*"
}

# make_pool METADATA DATA [FEATURE...]: /dev/mapper/pool
make_pool()
{
	require dmsetup create "${pool:-pool}" --table "$(pool_table "$@")"
	_check_later "$1"
}

# wrapped_pool WHICH METADATA-SIZE DATA-SIZE [FEATURE...]: a pool on $META and $DATA,
# of which those in WHICH ("meta", "data", "meta data") are wrapped, to make them fail
wrapped_pool()
{
	local which=" $1 " meta data

	disk META "$2"
	disk DATA "$3"
	shift 3
	meta=$META data=$DATA
	if [[ $which == *" meta "* ]]; then
		wrap meta "$META"
		meta=/dev/mapper/meta
	fi
	if [[ $which == *" data "* ]]; then
		wrap data "$DATA"
		data=/dev/mapper/data
	fi
	make_pool "$meta" "$data" "$@"
}

_check_later()
{
	local m dev=$1

	m=${dev#/dev/mapper/}
	dev=${_under[$m]:-$dev}
	for m in "${_metadata[@]+"${_metadata[@]}"}"; do
		[ "$m" = "$dev" ] && return
	done
	_metadata+=("$dev")
}

# blank METADATA: the next pool formats it
blank() { require dd if=/dev/zero of="$1" bs=4k count=1 status=none oflag=direct; }

# decode NAME: read the backing file of a metadata device by a checker that shares no
# code with thinx and, unlike thin_check, reports leaked blocks
decode() { python3 "$top/tests/decode_thin.py" -q --strict "$scratch/$1"; }

# damaged METADATA: do not run thin_check on it at the end, the test has damaged it
damaged()
{
	local m left=()

	for m in "${_metadata[@]+"${_metadata[@]}"}"; do
		[ "$m" = "$1" ] || left+=("$m")
	done
	_metadata=("${left[@]+"${left[@]}"}")
}

# reload_pool METADATA DATA [FEATURE...]
reload_pool()
{
	require dmsetup load "${pool:-pool}" --table "$(pool_table "$@")"
	require dmsetup resume "${pool:-pool}"
}

suspend_and_resume()
{
	require dmsetup suspend "$1"
	require dmsetup resume "$1"
}

msg() { dmsetup message "${pool:-pool}" 0 "$*"; }

thin_table()
{
	echo "0 $(sectors "$2") $TARGET_THIN /dev/mapper/${pool:-pool} $1${3:+ $3}"
}

# activate NAME ID SIZE [ORIGIN]; make_thin creates the device first
activate()
{
	require dmsetup create "$1" --table "$(thin_table "$2" "$3" "${4:-}")"
}

make_thin()
{
	require msg create_thin "$2"
	activate "$@"
}

# snapshot ORIGIN-NAME ORIGIN-ID SNAPSHOT-ID: in the documented way
snapshot()
{
	require dmsetup suspend "$1"
	require msg create_snap "$3" "$2"
	require dmsetup resume "$1"
}

# write_synced DEVICE OFFSET LENGTH SEED: write and flush
write_synced()
{
	require blockio write "$@"
	require blockio sync "$1"
}

# remove NAME...: retries, since a process that had it open may still be exiting
remove()
{
	local n

	for n; do
		wait_until 60 dmsetup remove "$n" || require dmsetup remove "$n"
	done
}

# batch DESCRIPTION < OPERATIONS: all of them end as they should; see dmbatch.c
batch()
{
	dmbatch > "$scratch/batch" 2>&1
	_result $? "$1"
	diag < "$scratch/batch"
}

status() { dmsetup status --noflush "${1:-pool}"; }

# pool_field N: a word of the pool's status; 5 used/total metadata,
# 6 used/total data, 7 held root, 8 mode, 9 discard, 10 no space, 11 check
pool_field() { status "${2:-${pool:-pool}}" | awk -v n="$1" '{ print $n }'; }
pool_mode() { pool_field 8; }

# data_used: blocks in use after the commit that a status without --noflush makes
data_used()
{
	local f

	f=$(dmsetup status "${pool:-pool}" | awk '{ print $6 }')
	echo "${f%/*}"
}

mode_is() { [ "$(pool_mode)" = "$1" ]; }

# becomes MODE DESCRIPTION: the pool, within two minutes
becomes() { ok "$2" wait_until 120 mode_is "$1"; }

# nudge: have freed blocks released.  The stock target may have committed before, and
# then sees no reason for another commit.
nudge() { is_thinx || require msg set_transaction_id 0 0; }

is_failed() { [[ $(status) == *Fail ]]; }

# flagged METADATA: needs_check is set on the device; see docs/format.md
flagged()
{
	[ "$(dd if="$1" bs=4k count=1 iflag=direct status=none |
		od -An -tu4 -j4 -N4)" -eq 1 ]
}

events() { dmsetup info -c --noheadings -o events "${1:-${pool:-pool}}"; }

# raised N DESCRIPTION: exactly N events; waits, because a mode can be visible before
# its event is raised
raised()
{
	wait_until 60 _events_reach "$1"
	is "$(events)" "$1" "$2"
}

_events_reach() { [ "$(events)" -ge "$1" ]; }

# spawn COMMAND...: run it in the background, with its pid in $spawned and its output
# in $scratch/out; at the end it is killed with everything it started
spawn()
{
	setsid "$@" > "${spawn_out:-$scratch/out}" 2>&1 &
	spawned=$!
	_spawned+=("$spawned")
}

# busy NAME FIO-OPTION...: run fio again and again until calm; its pid is in $spawned.
# Fails if one of the runs does.  The report of the last one is in $scratch/NAME.
busy()
{
	local name=$1

	shift
	rm -f "$scratch/calm"
	# shellcheck disable=SC2016 # for the other shell
	spawn bash -c 'until [ -e "$1/calm" ]; do
		fio --output="$1/$2" --name="$2" "${@:3}" || exit 1
	done' busy "$scratch" "$name" "$@"
}

calm() { : > "$scratch/calm"; }

running() { kill -0 "$1" 2>/dev/null; }
opened() { [ "$(dmsetup info -c --noheadings -o open "$1")" -gt 0 ]; }
stopped() { ! running "$1"; }

# succeeds PID DESCRIPTION: it ends within two minutes, with status 0
succeeds()
{
	ok "$2" wait_until 120 stopped "$1"
	ok "with success" wait "$1"
}

# fio_succeeded N PID: of busy, with its report in $scratch/fioN
fio_succeeded()
{
	wait "$2"
	ok "fio $1 found every block as written" test $? = 0
	like "$(tr '\n' ' ' < "$scratch/fio$1")" "err= 0" "fio $1 saw no error"
}

# stop PID: of spawn, with everything it started
stop()
{
	kill -TERM -- "-$1" 2>/dev/null
	wait "$1" 2>/dev/null
	wait_until 60 _group_gone "$1"
}

_group_gone() { ! kill -0 -- "-$1"; }

# io_counts DEVICE AWK-EXPRESSION: from the kernel's I/O counts; $1 are reads, $5
# writes, $7 sectors written, $12 discards, $14 sectors discarded
io_counts() { awk "{ print $2 }" "/sys/dev/block/$(major_minor "$1")/stat"; }

# shellcheck disable=SC2016 # for awk
_requests() { io_counts "/dev/mapper/$1" '$1 + $5 + $12'; }

# loaded NAME: the device is open and its I/O counts go up.  Being open says little: a
# program may open a device for a moment long before it uses it.
loaded()
{
	local n i

	n=$(_requests "$1")
	for ((i = 0; i < 30; i++)); do
		sleep 0.1
		[ "$(_requests "$1")" != "$n" ] && opened "$1" && return
	done
	return 1
}

# blocked PID: it sleeps in a read, a write, an fsync or an ioctl
blocked()
{
	[[ $(cat "/proc/$1/syscall") =~ ^(16|17|18|74|327|328)\  ]] &&
		grep -q '^State:.D' "/proc/$1/status"
}

# allocations_fail CACHE...: failslab's cache-filter selects these slab caches (names,
# or patterns such as bio-*) and no others until the test ends
allocations_fail()
{
	local name f

	at_end _allocations_succeed
	for name; do
		for f in /sys/kernel/slab/$name/failslab; do
			echo 1 2> /dev/null > "$f" || bail "the kernel cannot let $f fail"
		done
	done
}

_allocations_succeed()
{
	local f

	grep -lsx 1 /sys/kernel/slab/*/failslab | while read -r f; do
		echo 0 > "$f"
	done
}

# --- beginning and end ---

module_load()
{
	local m

	if is_thinx; then
		for m in dm-mod dm-bufio libcrc32c; do
			modprobe -q "$m"
		done
		insmod "${THINX_MODULE:?}" "$@" || return
		! is_drop_in || insmod "${THINX_MODULE%/*}/dm-thin-pool.ko"
	else
		modprobe dm-thin-pool "$@"
	fi
}

module_unload() { rmmod "${loaded[@]}"; }

_remove_all()
{
	local name mnt end=$((SECONDS + 60))

	while read -r _ mnt _; do
		timeout -k 1 60 umount "$mnt"
	done < <(grep "^/dev/mapper" /proc/mounts | tac)
	# Killed processes may need a while to close their devices.
	while [ "$(dmsetup ls)" != "No devices found" ]; do
		[ $SECONDS -lt $end ] || break
		while read -r name _; do
			timeout -k 1 60 dmsetup remove "$name" 2> /dev/null
		done < <(dmsetup ls)
		sleep 0.1
	done
	[ "$(dmsetup ls)" != "No devices found" ] || return 0
	dmsetup info -c | diag
	return 1
}

_at_end=()

# at_end COMMAND...: run it before the devices are removed, however the test ends;
# commands run in reverse order
at_end() { _at_end=("$(printf '%q ' "$@")" "${_at_end[@]+"${_at_end[@]}"}"); }

_cleanup()
{
	local status=$? c m p

	trap - EXIT
	for c in "${_at_end[@]+"${_at_end[@]}"}"; do
		eval "$c"
	done
	if [ $_skipped = 1 ]; then
		module_unload
		exit 4
	fi
	for p in "${_spawned[@]+"${_spawned[@]}"}"; do
		kill -9 -- "-$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	if [ $_finished = 0 ] && [ $status -eq 0 ]; then
		_result 1 "the test ran to its end"
	fi
	_remove_all
	_result $? "all devices can be removed"
	for m in "${_metadata[@]+"${_metadata[@]}"}"; do
		ok "thin_check finds the metadata sound" thin_check -q "$m"
	done
	for m in "${_loops[@]+"${_loops[@]}"}"; do
		timeout -k 1 60 losetup -d "$m"
	done
	ok "the module unloads" timeout -k 1 120 rmmod "${loaded[@]}"
	! is_drop_in || fails "dm-thin's own module is not there" "" \
		grep '^dm_thin_pool ' /proc/modules
	_log_lacks 'BUG:|WARNING:|Oops|Call Trace|KASAN|UBSAN|INFO: task|general prot|lockdep|ODEBUG|leaked|sleeping function' \
		"$_start" "the kernel did not complain"
	rm -rf "$scratch"
	echo "1..$_number"
	[ $_failures -eq 0 ] || exit 1
	exit 0
}

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 4; }
[ -n "${VM:-}" ] || { echo "1..0 # SKIP only in a virtual machine"; exit 4; }
rm -rf "$scratch"
mkdir -p "$scratch"
log_mark
_start=$_mark
trap _cleanup EXIT
trap 'exit 130' INT TERM
# Before anything can ask for dm-thin.  Some tests remove this and install thinx.
if is_drop_in; then
	mkdir -p /etc/modprobe.d
	cat > /etc/modprobe.d/thinx-drop-in.conf <<-CONF
	install dm-thin-pool test -e /sys/module/dm_thin_pool || { /sbin/modprobe dm-bufio; /sbin/modprobe libcrc32c; /sbin/insmod $THINX_MODULE; /sbin/insmod ${THINX_MODULE%/*}/dm-thin-pool.ko; }
	CONF
fi
# shellcheck disable=SC2086 # words
module_load ${module_parameters:-} || bail "load $module"
