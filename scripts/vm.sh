#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Run a command in a virtual machine, on a kernel of choice.
#
#   scripts/vm.sh [options] -- command [argument]...
#
#   -k KERNEL    6.1 (default), 6.12, 7.3, debug, or a release found in
#                /boot
#   -d SIZE      a virtio disk of that size (sparse, zeroed, discards reach
#                the file); may be repeated; "-d none" for none at all.
#                Default: three of 2G: /dev/vda, /dev/vdb, /dev/vdc
#   -D FILE      the same, with an existing image, which stays; or what qemu
#                takes for one, such as nbd:unix:SOCKET, and sends flushes to
#   -m MB        memory (2048)          -c N    processors (2)
#   -t SECONDS   time limit (900); past it: exit status 124
#   -K SECONDS   power failure: kill the machine that long (0.3, 12) after its
#                command created $VM_RESULTS/armed; exit status 137
#   -r DIR       keep results there (default: build/vm/<pid>, removed on
#                success); the guest sees it, writable, as $VM_RESULTS
#   -a WORDS     more kernel arguments
#   -w           do not fail for warnings in the kernel's log
#
#   scripts/vm.sh -- uname -a
#   scripts/vm.sh -k debug -- sh -c 'modprobe dm-bufio && insmod some.ko'
#   scripts/vm.sh -d 8G -d 64M -- dmsetup targets
#
# The guest sees this machine's files read-only over 9p, under a throw-away
# tmpfs overlay: what is installed here can run there, as root, in the same
# directory, and whatever it writes is gone afterwards, except in
# $VM_RESULTS.  Modules of the kernel are there for modprobe.  There is no
# udevd (DM_DISABLE_UDEV=1 is set) and no network.
#
# Output is streamed, the exit status is the command's.  The run fails, with
# status 125, if the kernel's log holds an oops, a warning, a lockdep or KASAN
# report, a hung task or a leak, and those lines are printed; 126 if the guest
# died before the command ended.
#
# Honesty: the status file starts as a failure and only the guest's last step
# overwrites it.

set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
# shellcheck source=kernels.sh
. scripts/kernels.sh

kernel=6.1
memory=2048
cpus=2
limit=900
results=
kargs=
warnings_fail=1
kill_after=
disks=()

usage()
{
	sed -n '5,/^$/{/^#/!q;s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

while getopts k:d:D:m:c:t:K:r:a:wh opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	D) disks+=("image:$OPTARG") ;;
	m) memory=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	K) kill_after=$OPTARG ;;
	r) results=$OPTARG ;;
	a) kargs=$OPTARG ;;
	w) warnings_fail=0 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[ ${#disks[@]} -gt 0 ] || disks=(2G 2G 2G)

# Caches whose allocations tests may let fail: 6.1 can be told at boot only.
[ "$kernel" != debug ] || [[ $kargs == *slub_debug* ]] ||
	kargs+=" slub_debug=A,kmalloc-64,kmalloc-96,kmalloc-128,kmalloc-192,kmalloc-256,kmalloc-512,kmalloc-1k"

die()
{
	echo "vm.sh: $*" >&2
	exit 126
}

kernel_find "$kernel" ||
	die "kernel '$kernel' is not here: run scripts/deps.sh --kernel $kernel"
command -v qemu-system-x86_64 >/dev/null || die "no qemu-system-x86_64"
busybox=$(command -v busybox) || die "no busybox"

keep=1
if [ -z "$results" ]; then
	results=$top/build/vm/$$
	keep=0
fi
mkdir -p "$results"
results=$(realpath "$results")
rm -f "$results"/{status,console.log,dmesg,splats,disk*,out,out.in,out.out}
rm -f "$results"/{armed,killed,pid}
echo 126 > "$results/status"

#
# The initial RAM file system: busybox, the few modules needed to mount the
# root, and stage one.  Cached by kernel and by the content of this script.
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
	done < <(for mod in virtio_pci virtio_blk virtio_console 9pnet_virtio \
			9p overlay; do
			modprobe -d "$k_base" -S "$k_release" \
				--show-depends "$mod" 2>/dev/null
		done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
	printf '%s\n' "${order[@]+"${order[@]}"}" > "$work/modules/order"

	cat > "$work/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
fail() { echo "stage one: $*"; $b poweroff -f; }
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in $($b cat /modules/order); do
	$b insmod /modules/$m || echo "insmod $m failed"
done
o=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o $o,ro,cache=loose root /lower || fail "no root"
$b mount -t tmpfs -o mode=755 tmpfs /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work \
	overlay /root || fail "no overlay"
$b mkdir -p /root/results
$b mount -t 9p -o $o,cache=none results /root/results || fail "no results"
for d in proc sys dev; do $b mount -o move /$d /root/$d; done
exec $b switch_root /root /bin/bash /results/stage2
INIT
	chmod +x "$work/init"
	(cd "$work" && find . | "$busybox" cpio -o -H newc 2>/dev/null |
		gzip -1) > "$1.tmp.$$" || die "cannot make the initramfs"
	rm -rf "$work"
	mv "$1.tmp.$$" "$1"
}

key=$( (cat scripts/vm.sh "$busybox"; echo "$k_release"; stat -c %Y "$k_image") |
	sha256sum | cut -c1-16)
initramfs=$top/build/vm/initramfs-$kernel-$key
if [ ! -s "$initramfs" ]; then
	# Another machine may be about to make it, or have made it meanwhile.
	mkdir -p "$top/build/vm"
	(
		flock 9
		[ ! -s "$initramfs" ] || exit 0
		rm -rf "$top/build/vm/initramfs-$kernel-"*
		make_initramfs "$initramfs"
	) 9> "$top/build/vm/lock" || exit
fi

#
# Stage two, run as process 1 of the guest, and the command.
#
printf '%q ' "$@" > "$results/command"
cat > "$results/stage2" <<STAGE2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8 DM_DISABLE_UDEV=1
export VM=1 VM_RESULTS=/results VM_KERNEL=$kernel KDIR=$k_build
[ -e /lib/modules/$k_release ] || {
	mkdir -p /lib/modules
	ln -s ${k_base%/}/lib/modules/$k_release /lib/modules/$k_release
}
cd $top
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
port=$(grep -lx out /sys/class/virtio-ports/*/name | cut -d/ -f5)
bash -c "$(cat /results/command)" < /dev/null > "/dev/${port:-null}" 2>&1
status=$?
if [ -w /sys/kernel/debug/kmemleak ]; then
	# An object is reported when two scans, some seconds apart, miss it.
	echo scan > /sys/kernel/debug/kmemleak
	sleep 6
	echo scan > /sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak > /results/kmemleak
fi
dmesg > /results/dmesg
echo $status > /results/status
sync
echo o > /proc/sysrq-trigger
while :; do :; done
STAGE2

drives=()
n=0
for size in "${disks[@]}"; do
	cache=unsafe
	case $size in
	none) continue ;;
	image:*:*) file=${size#image:}; cache=writeback ;;
	image:*) file=$(realpath -e "${size#image:}") || die "no such image" ;;
	*) file=$results/disk$n; truncate -s "$size" "$file" ;;
	esac
	drives+=(-drive "file=$file,if=none,id=disk$n,format=raw,cache=$cache,discard=unmap"
		-device "virtio-blk-pci,drive=disk$n")
	n=$((n + 1))
done

mkfifo "$results/out.in" "$results/out.out"

qemu_pid=
killer_pid=
# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	[ -n "$qemu_pid" ] && kill "$qemu_pid" 2>/dev/null
	[ -n "$killer_pid" ] && kill "$killer_pid" 2>/dev/null
	rm -f "$results"/disk[0-9]* "$results"/out.in "$results"/out.out
}
trap cleanup EXIT
trap 'exit 130' INT TERM

cat "$results/out.out" &
cat_pid=$!
timeout -k 5 "$limit" qemu-system-x86_64 \
	-machine q35 -accel tcg,thread=multi,tb-size=512 \
	-cpu max,la57=off,erms=off,fsrm=off -smp "$cpus" -m "$memory" \
	-nodefaults -no-user-config -no-reboot -display none -monitor none \
	-pidfile "$results/pid" \
	-kernel "$k_image" -initrd "$initramfs" \
	-append "console=ttyS0 loglevel=5 log_buf_len=8M mitigations=off init_on_alloc=0 norandmaps panic=-1 oops=panic watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 $kargs" \
	-serial "file:$results/console.log" \
	-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap" \
	-device virtio-9p-pci,fsdev=root,mount_tag=root \
	-fsdev "local,id=results,path=$results,security_model=none" \
	-device virtio-9p-pci,fsdev=results,mount_tag=results \
	-device virtio-serial-pci -chardev "pipe,id=out,path=$results/out" \
	-device virtserialport,chardev=out,name=out \
	-device virtio-rng-pci \
	"${drives[@]+"${drives[@]}"}" \
	< /dev/null 2> "$results/qemu.log" &
qemu_pid=$!
if [ -n "$kill_after" ]; then
	while [ ! -e "$results/armed" ]; do sleep 0.1; done
	sleep "$kill_after"
	# It may have ended by itself: its own child only.
	pid=$(cat "$results/pid")
	: > "$results/killed"
	if [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" != "$qemu_pid" ] ||
	   ! kill -KILL "$pid"; then
		rm "$results/killed"
	fi
fi > /dev/null 2>&1 &
killer_pid=$!
# Without the shell's line about a process that was killed.
wait "$qemu_pid" 2> /dev/null
qemu_status=$?
qemu_pid=
kill "$killer_pid" 2>/dev/null
wait "$killer_pid" 2>/dev/null
killer_pid=
# The pipe closes with qemu; had qemu never opened it, its reader would wait.
(sleep 2; kill "$cat_pid") 2>/dev/null &
wait "$cat_pid" 2>/dev/null

status=$(cat "$results/status")
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
elif [ $qemu_status -eq 124 ] || [ $qemu_status -eq 137 ]; then
	echo "vm.sh: time limit of $limit s reached; end of the kernel's log:" >&2
	tail -n 20 "$results/console.log" >&2
	status=124
	keep=1
elif [ "$status" = 126 ] && [ ! -e "$results/dmesg" ]; then
	echo "vm.sh: the guest died (qemu status $qemu_status):" >&2
	cat "$results/qemu.log" >&2
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
