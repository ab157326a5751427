#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Run a command in a virtual machine, on a kernel of choice.
#
#   scripts/vm.sh [options] -- command [argument]...
#
#   -k KERNEL    6.1, 6.12, 7.3, or a release found in /boot: under qemu
#                (scripts/vm-qemu.sh); default: this Debian's;
#                native, native-debug: a kernel that is a process of this
#                machine (scripts/vm-native.sh)
#   -d SIZE      a disk of that size (sparse, zeroed, discards reach the
#                file); may be repeated; "-d none" for none at all.
#                Default: three of 2G: /dev/vda, /dev/vdb, /dev/vdc; under qemu
#                a disk of programs comes last (see scripts/vm-qemu.sh)
#   -D FILE      the same, with an existing image, which is kept; under qemu
#                also whatever it takes for one, such as nbd:unix:SOCKET, and
#                sends flushes to
#   -m MB        memory (2048)          -c N    processors (2)
#   -t SECONDS   time limit (900); past it: exit status 124
#   -K SECONDS   power failure: kill the machine that long (0.3, 12) after its
#                command created $VM_RESULTS/armed; exit status 137
#   -r DIR       keep results there (default: build/vm/<pid>, removed on
#                success); the guest sees it, writable, as $VM_RESULTS
#   -R DIR       the programs of that tree, of another Debian, instead of this
#                machine's; the checkout and the kernels keep their paths
#   -a WORDS     more kernel arguments; kmemleak=on looks for leaks on
#                native-debug, at more than twice the cost
#   -w           do not fail on warnings in the kernel's log
#
#   scripts/vm.sh -- uname -a
#   scripts/vm.sh -k native-debug -- sh -c 'modprobe brd && insmod some.ko'
#   scripts/vm.sh -d 8G -d 64M -- dmsetup targets
#
# The guest sees this machine's files (or the tree's) read-only, under a
# throw-away tmpfs overlay: what is installed here can run there, as root, in
# the same directory, and whatever it writes is gone afterwards, except in
# $VM_RESULTS.  Modules of the kernel are there for modprobe.  There is no
# udevd (DM_DISABLE_UDEV=1 is set) and no network.
#
# Output is streamed, the exit status is the command's.  The run fails, with
# status 125, if the kernel's log holds an oops, a warning, a lockdep or KASAN
# report, a hung task or a leak, and those lines are printed; 126 if the guest
# died before the command ended; 127 if it never ran: $VM_RESULTS/refused says why.
#
# The status file starts as a failure; only the guest's last step overwrites it.

set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
# shellcheck source=kernels.sh
. scripts/kernels.sh

kernel=$kernel_default
memory=2048
cpus=2
limit=900
results=
tree=
kargs=
warnings_fail=1
kill_after=
disks=()

usage()
{
	sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

while getopts k:d:D:m:c:t:K:r:R:a:wh opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	D) disks+=("image:$OPTARG") ;;
	m) memory=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	K) kill_after=$OPTARG ;;
	r) results=$OPTARG ;;
	R) tree=$OPTARG ;;
	a) kargs=$OPTARG ;;
	w) warnings_fail=0 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[ ${#disks[@]} -gt 0 ] || disks=(2G 2G 2G)

# End without starting a machine.
keep=1
die()
{
	echo "vm.sh: $*" >&2
	if [ $keep = 0 ]; then
		rm -rf "$results"
	elif [ -d "$results" ]; then
		echo "$*" > "$results/refused"
	fi 2> /dev/null
	exit 127
}

kernel_find "$kernel" ||
	die "kernel '$kernel' is not here: $(kernel_how_to_get "$kernel")"
busybox=$(command -v busybox) || die "no busybox"
if [ -n "$tree" ]; then
	tree=$(realpath -m "$tree")
	[ -x "$tree/bin/bash" ] ||
		die "there is no system in the tree given by -R"
fi

machine=qemu
[ "$k_arch" != um ] || machine=native
# shellcheck source=vm-qemu.sh
. "scripts/vm-$machine.sh"

if [ -z "$results" ]; then
	results=$top/build/vm/$$
	keep=0
fi
{
	mkdir -p "$results" && results=$(realpath "$results") &&
	rm -f "$results"/{status,console.log,dmesg,splats,disk*,out,out.in,out.out} \
		"$results"/{armed,killed,pid,machine.log,kmemleak,refused} &&
	echo 126 > "$results/status"
} 2> /dev/null || die "cannot write to $results: is there room? -r DIR takes another place"

#
# The directories of this machine that the guest sees besides its root: none if
# that is this machine's own.  Share N is at the Nth path.
#
shares=()
if [ -n "$tree" ]; then
	shares=("$top" "$thinx_cache")
	[ "$k_base" != / ] || shares+=("$(realpath "/lib/modules/$k_release")")
fi

#
# The initial RAM file system: busybox, the few modules needed to mount the
# root, and stage one.  Cached by kernel and by the content of these scripts.
#
make_initramfs()
{
	local work=$1.d.$$ order=() mod path name

	rm -rf "$work"
	mkdir -p "$work"/{bin,modules,proc,sys,dev,lower,rw,root}
	cp "$busybox" "$work/bin/busybox"
	while read -r path; do
		name=$(basename "$path")
		case $name in
		*.xz) name=${name%.xz}; xz -dc "$path" > "$work/modules/$name" ;;
		*.zst) name=${name%.zst}; zstd -qdc "$path" > "$work/modules/$name" ;;
		*) cp "$path" "$work/modules/$name" ;;
		esac
		order+=("$name")
	done < <(for mod in $machine_modules; do
			modprobe -d "$k_base" -S "$k_release" \
				--show-depends "$mod" 2>/dev/null
		done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
	printf '%s\n' "${order[@]+"${order[@]}"}" > "$work/modules/order"

	# Words on the command line that the kernel does not know are variables
	# here: vm_machine, vm_root, vm_results, vm_shares.
	cat > "$work/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
fail() { echo "stage one: $*"; $b poweroff -f; }

# from_host TAG PATH MOUNTPOINT OPTIONS: mount a directory of the host
from_host()
{
	if [ "$vm_machine" = native ]; then
		$b mount -t hostfs -o "${4%%,*},$2" none "$3"
	else
		$b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$4" \
			"$1" "$3"
	fi || fail "no $1"
}

# overlay TAG PATH MOUNTPOINT [LAYER:]: the same, under a layer that is thrown away
overlay()
{
	$b mkdir -p /lower/$1 /rw/$1/upper /rw/$1/work "$3"
	from_host "$1" "$2" /lower/$1 ro,cache=loose
	$b mount -t overlay overlay "$3" \
		-o "lowerdir=$4/lower/$1,upperdir=/rw/$1/upper,workdir=/rw/$1/work" ||
		fail "no overlay for $2"
}

$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in $($b cat /modules/order); do
	$b insmod /modules/$m || echo "insmod $m failed"
done
$b mount -t tmpfs -o mode=755 tmpfs /lower
$b mount -t tmpfs -o mode=755 tmpfs /rw
base=
for d in /sys/block/vd*; do
	[ "$($b cat $d/serial 2> /dev/null)" = base ] || continue
	$b mkdir /lower/base
	$b mount -t ext4 -o ro /dev/${d##*/} /lower/base && base=/lower/base/root:
done
overlay root "$vm_root" /root $base
n=0
for path in ${vm_shares//,/ }; do
	overlay share$n "$path" "/root$path"
	n=$((n + 1))
done
$b mkdir -p /root/results
from_host results "$vm_results" /root/results rw,cache=none
for d in proc sys dev; do $b mount -o move /$d /root/$d; done
$b mkdir -p /root/.vm
$b cp $b /root/.vm/busybox
exec $b switch_root /root /bin/bash /results/stage2
INIT
	chmod +x "$work/init"
	(cd "$work" && find . | "$busybox" cpio -o -H newc 2>/dev/null |
		gzip -1) > "$1.tmp.$$" || die "cannot make the initramfs: is there room in $top?"
	rm -rf "$work"
	mv "$1.tmp.$$" "$1"
}

key=$( (cat scripts/vm.sh "scripts/vm-$machine.sh" "$busybox"; echo "$k_release"; stat -c %Y "$k_image") |
	sha256sum | cut -c1-16)
initramfs=$top/build/vm/initramfs/$kernel-$key
if [ ! -s "$initramfs" ]; then
	# Another machine may be about to make it, or have made it meanwhile.
	mkdir -p "$top/build/vm/initramfs"
	(
		flock 9
		[ ! -s "$initramfs" ] || exit 0
		# Those that others are starting with are younger.
		find "$top/build/vm/initramfs" -mindepth 1 -mmin +1440 -delete
		make_initramfs "$initramfs"
	) 9> "$top/build/vm/lock" || exit
fi

#
# Stage two, run as process 1 of the guest, and the command.
#
printf '%q ' "$@" > "$results/command"
cat > "$results/stage2" <<STAGE2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C DM_DISABLE_UDEV=1
export VM=1 VM_RESULTS=/results VM_KERNEL=$kernel KDIR=$k_build
export THINX_CACHE=$thinx_cache
[ -e /lib/modules/$k_release ] || {
	mkdir -p /lib/modules
	ln -s ${k_base%/}/lib/modules/$k_release /lib/modules/$k_release
}
cd $top
$(declare -f machine_output machine_disks)
STAGE2
cat >> "$results/stage2" <<'STAGE2'
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs -o size=75% tmpfs /mnt
mkdir -p /run/lock
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/mounts /etc/mtab
ip link set lo up 2>/dev/null
echo vm > /proc/sys/kernel/hostname
modprobe -q dm-mod
echo "stage two: running the command" > /dev/kmsg
machine_disks
output=$(machine_output)
bash -c "$(cat /results/command)" < /dev/null > "${output:-/dev/null}" 2>&1
status=$?
# If it is on, it reports an object that two scans, some seconds apart, have missed.
if { echo scan > /sys/kernel/debug/kmemleak; } 2> /dev/null; then
	sleep 6
	echo scan > /sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak > /results/kmemleak
elif grep -qw kmemleak=on /proc/cmdline; then
	# It switches itself off when it runs out of memory.
	echo "unreferenced object: none was looked for" > /results/kmemleak
fi
dmesg > /results/dmesg
echo $status > /results/status
sync
# A native kernel that is halted ends its programs first, and must not return to
# one: leave only process 1, which waits in the kernel.
kill -KILL -1
exec /.vm/busybox poweroff -f
STAGE2

#
# Disks: the images' paths, in order.
#
images=()
for size in "${disks[@]}"; do
	case $size in
	none) continue ;;
	image:*:*) image=${size#image:} ;;
	image:*) image=$(realpath -e "${size#image:}" 2> /dev/null) ||
		die "no such image: ${size#image:}" ;;
	*)	image=$results/disk${#images[@]}
		truncate -s "$size" "$image" 2> /dev/null ||
			die "no disk of size '$size': sizes are like 2G, 64M" ;;
	esac
	images+=("$image")
done

machine_pid=
killer_pid=
# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	[ -n "$machine_pid" ] && kill "$machine_pid" 2>/dev/null
	[ -n "$killer_pid" ] && kill "$killer_pid" 2>/dev/null
	rm -f "$results"/disk[0-9]* "$results"/out.in "$results"/out.out
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The machine's process writes its number to $results/pid.
begun=$SECONDS
machine_start
machine_pid=$!
if [ -n "$kill_after" ]; then
	while [ ! -e "$results/armed" ]; do sleep 0.1; done
	sleep "$kill_after"
	# It may have ended by itself: kill only our own child's child.
	pid=$(cat "$results/pid")
	# Follow no link that the guest may have put there.
	set -C
	: > "$results/killed"
	if [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" != "$machine_pid" ] ||
	   ! kill -KILL "$pid"; then
		rm "$results/killed"
	fi
fi > /dev/null 2>&1 &
killer_pid=$!
# Hide the shell's message about a killed process.
wait "$machine_pid" 2> /dev/null
machine_status=$?
machine_pid=
kill "$killer_pid" 2>/dev/null
wait "$killer_pid" 2>/dev/null
killer_pid=
machine_end
# The guest must not make us write to a file of its choice.
find "$results" -type l -delete

status=$(cat "$results/status")
status=${status:-126}
splats='BUG:|WARNING:|Oops|Call Trace|general protection|Kernel panic'
splats="$splats|INFO: (task|rcu|possible|trying|inconsistent|suspicious)"
splats="$splats|blocked for more than|possible (recursive|circular|irq)"
splats="$splats|suspicious RCU|KASAN:|UBSAN:|ODEBUG:|refcount_t:"
splats="$splats|soft lockup|workqueue lockup|sleeping function"
splats="$splats|list_(add|del) corruption|unreferenced object"
splats="$splats|self-detected stall|[Uu]nable to handle"
cat "$results/console.log" "$results/dmesg" "$results/kmemleak" 2>/dev/null |
	tr -d '\r' | grep -aE "$splats" | sort -u > "$results/splats"

if [ -e "$results/killed" ]; then
	status=137
	keep=1
elif [ $machine_status -eq 124 ] ||
     { [ $machine_status -eq 137 ] && [ $((SECONDS - begun)) -ge "$limit" ]; }; then
	echo "vm.sh: time limit of $limit s reached; end of the kernel's log:" >&2
	tail -n 20 "$results/console.log" >&2
	status=124
	keep=1
elif [ "$status" = 126 ] && [ ! -e "$results/dmesg" ]; then
	echo "vm.sh: the guest died ($machine status $machine_status):" >&2
	cat "$results/machine.log" >&2
	tail -n 60 "$results/console.log" >&2
	keep=1
fi
if [ -s "$results/splats" ] && [ $warnings_fail = 1 ]; then
	echo "vm.sh: the kernel complained:" >&2
	head -n 40 "$results/splats" >&2
	[ -e "$results/dmesg" ] &&
		grep -aE -A40 -m1 "$splats" "$results/dmesg" >&2
	[ "$status" = 0 ] || [ "$status" = 137 ] && status=125
	keep=1
fi
if [ $keep = 0 ]; then
	trap - EXIT
	rm -rf "$results"
else
	echo "vm.sh: results in $results" >&2
fi
exit "$status"
