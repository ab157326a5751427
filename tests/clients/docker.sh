# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Shared by the tests of Docker and of containerd:
#
#   . "$(dirname "$0")/docker.sh"
#   data_root /dev/vda                  # ext4 on a disk, at $root
#   dockerd_start dm.basesize=300M ...  # each a --storage-opt; stopped at the end
#   tiny_image tiny                     # busybox and little else
#   ok "..." docker run ... tiny ...
#   docker_life                         # containers and images come and go
#   finish
#
#   containerd_start                    # with the devmapper snapshotter on $pool
#   ok "..." ctr ...
#
# The machine has no systemd, no udevd and no network: this mounts the control groups
# (version 2) and starts the daemons, containers get no network, and Docker is told
# not to insist on udev, unless a test with udev.sh sets udev_check=().

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root=/mnt/root
export DOCKER_CONFIG=$scratch/docker-config
# Compiling the seccomp filter takes longer than all else on a slow machine.  For a
# container with a network of its own, even `none`, dockerd runs itself once more; the
# machine's network is as empty.
basic=(--network host --log-driver none --security-opt seccomp=unconfined)

# Debian's, whatever else may be in the path.
docker() { timeout -k 5 "${client_limit:-400}" /usr/bin/docker "$@"; }
ctr() { timeout -k 5 "${client_limit:-400}" /usr/bin/ctr --debug=false "$@"; }

# run_in IMAGE COMMAND...: in a container of its own, which is removed afterwards
run_in() { docker run --rm "${basic[@]}" "$@"; }

# data_root DEVICE [TYPE]: mount a new file system on it at $root
data_root()
{
	require "mkfs.${2:-ext4}" -q "$1"
	mount_root "$1"
	at_end umount_root
}

mount_root()
{
	mkdir -p "$root"
	require mount "$1" "$root"
}

umount_root()
{
	local at

	while read -r _ at _; do
		case $at in
		"$root"|"$root"/*|/run/docker/*|/run/containerd/*)
			umount "$at" || umount -l "$at" ;;
		esac
	done < <(tac /proc/mounts)
}

control_groups()
{
	mountpoint -q /sys/fs/cgroup ||
		require mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

# crun starts faster.
runtime=$(command -v crun || command -v runc)

# a_client COMMAND...: prepare a test with containers, which needs these commands
a_client()
{
	[[ " $* " != *" dockerd "* ]] || has_driver
	need "$@" runc containerd-shim-runc-v2 busybox mkfs.ext4
	control_groups
	mkdir -p "$DOCKER_CONFIG"
}

# Docker 25 removed the driver for thin pools.
has_driver()
{
	local n

	n=$(dockerd --version 2> /dev/null | sed -n 's/^Docker version \([0-9]*\).*/\1/p')
	[ "${n:-99}" -lt 25 ] ||
		skip_all "no Docker with a devicemapper driver, which versions before 25 have: -R bookworm"
}

# kill_shims: these survive when their daemon is killed
kill_shims()
{
	local p

	for p in $(pgrep -f '^/usr/bin/containerd-shim-runc-v2 '); do
		# The container first: it may be in a session of its own.
		pkill -9 -P "$p"
		kill -9 "$p"
	done 2> /dev/null
	! pgrep -f '^/usr/bin/containerd-shim-runc-v2 ' > /dev/null
}

# comes_up dockerd_run|containerd_run DESCRIPTION: as a test line; ok() would run it
# in a subshell and lose its pid
comes_up()
{
	"$1"
	_result $? "$2"
}

# --- Docker ---

dockerd_log=
dockerd_pid=
dockerd_options=()
udev_check=(--storage-opt dm.override_udev_sync_check=true)

# dockerd_start [STORAGE-OPTION...]: start it and wait until it answers
dockerd_start()
{
	local o

	dockerd_options=()
	for o in "$@"; do
		dockerd_options+=(--storage-opt "$o")
	done
	[ -n "$dockerd_pid" ] || at_end dockerd_end
	dockerd_run || bail "dockerd starts"
}

# dockerd_run: start it again with the same options; fails if it does not come up.
# It gives its containerd some seconds to start, which are too few for a busy machine
# that reads the program for the first time.
dockerd_run()
{
	local try

	for try in 1 2 3; do
		_dockerd_run && return 0
		grep -q 'timeout waiting for containerd' "$dockerd_log" || break
	done
	echo "try $try" | cat - "$dockerd_log" | tail -n 30 | diag
	return 1
}

_dockerd_run()
{
	dockerd_log=$(mktemp "$scratch/dockerd.XXXXXX")
	rm -f /run/docker.pid
	spawn_out=$dockerd_log spawn /usr/sbin/dockerd \
		--data-root "$root/docker" --exec-root /run/docker \
		--pidfile /run/docker.pid -H unix:///var/run/docker.sock \
		--bridge none --iptables=false --ip6tables=false \
		--ip-forward=false --ip-masq=false --userland-proxy=false \
		--add-runtime "quick=$runtime" --default-runtime quick \
		--storage-driver devicemapper \
		"${udev_check[@]+"${udev_check[@]}"}" \
		"${dockerd_options[@]}"
	dockerd_pid=$spawned
	wait_until 150 dockerd_listens && running "$dockerd_pid" &&
		docker version > /dev/null
}

# Polling with docker would slow it down.
dockerd_listens()
{
	running "$dockerd_pid" || return 0
	grep -q 'API listen on' "$dockerd_log"
}

# dockerd_stop: in order
dockerd_stop()
{
	kill -TERM "$dockerd_pid"
	wait_until 180 stopped "$dockerd_pid" && return 0
	tail -n 30 "$dockerd_log" | diag
	return 1
}

# dockerd_kill: with the containerd it started, which dies with its parent, and all
# containers
dockerd_kill()
{
	local p

	p=$(cat /run/docker/containerd/containerd.pid)
	kill -9 "$dockerd_pid" ${p:+"$p"}
	wait_until 180 stopped "$dockerd_pid"
	[ -z "$p" ] || wait_until 180 stopped "$p"
	wait_until 180 kill_shims
}

dockerd_end()
{
	local c

	if running "$dockerd_pid"; then
		if c=$(client_limit=60 docker ps -aq) && [ -n "$c" ]; then
			# shellcheck disable=SC2086 # words
			client_limit=60 docker rm -f $c > /dev/null
		fi
		dockerd_stop || dockerd_kill
	fi
	wait_until 180 kill_shims
	[ $_failures -eq 0 ] || grep -E 'level=(error|fatal|warning)' \
		"$dockerd_log" | tail -n 20 | diag
}

# docker_info: store what it says about the storage driver, for docker_says
docker_info()
{
	docker info -f '{{.Driver}}{{range .DriverStatus}}
{{index . 0}} = {{index . 1}}{{end}}' > "$scratch/info" || bail "docker info"
}

# docker_says KEY: as of the last docker_info
docker_says() { sed -n "s/^$1 = //p" "$scratch/info"; }

# tiny_root DIRECTORY: a file system with busybox
tiny_root()
{
	local a

	mkdir -p "$1"/{bin,etc,proc,sys,dev,tmp,root}
	cp "$(command -v busybox)" "$1/bin/busybox"
	for a in sh cat cp dd df echo grep ls mkdir rm seq sha256sum sleep \
			sync tail test touch true; do
		ln -s busybox "$1/bin/$a"
	done
	echo "root:x:0:0:root:/root:/bin/sh" > "$1/etc/passwd"
	echo tiny > "$1/etc/name"
	echo old > "$1/etc/old"
}

# tiny_image NAME
tiny_image()
{
	tiny_root "$scratch/tiny"
	require tar -C "$scratch/tiny" -cf "$scratch/tiny.tar" .
	require docker import "$scratch/tiny.tar" "$1"
	rm -rf "$scratch/tiny" "$scratch/tiny.tar"
}

# shellcheck disable=SC2016 # for the container's shell
fill='dd if=/dev/urandom of=/big bs=1M count=6 2> /dev/null &&
	sha256sum /big > /sum && mkdir -p /dir && for i in $(seq 40); do
	echo $i > /dir/$i; done && rm -f /etc/old && echo new > /etc/name'
# shellcheck disable=SC2016 # the same
whole='sha256sum -c /sum && test $(cat /dir/40) = 40 && ! test -e /etc/old &&
	test $(cat /etc/name) = new'

# A container that writes when it is first started and checks when it is restarted.
# shellcheck disable=SC2034 # for the tests
keeps="{ test -e /sum || { $fill && sync; }; } && $whole"

# docker_life USED: containers, commits, and nothing left at the end; the pool's name is
# in $pool, the image is called tiny and is in the USED blocks
docker_life()
{
	local used=$1 devices changes

	devices=$(dm_names)
	ok "a container writes" docker run --name c1 "${basic[@]}" tiny sh -c "$fill"
	changes=$(docker diff c1 | sort | tr '\n' ' ')
	like "$changes" "A /big " "docker diff knows the new file"
	like "$changes" "D /etc/old " "and the removed one"
	like "$changes" "C /etc/name " "and the changed one"
	ok "the pool shows what was written" wait_until 120 _written "$used"
	ok "the container is committed" docker commit c1 two
	ok "a container of the commit has it all" docker run --name c2 \
		"${basic[@]}" two sh -c "$whole && echo 2 > /dir/40"
	ok "it is committed, too" docker commit c2 three
	# shellcheck disable=SC2016 # for the container's shell
	ok "with what it wrote" run_in three sh -c 'test $(cat /dir/40) = 2'
	ok "which is not in the first commit" run_in two sh -c "$whole"
	# shellcheck disable=SC2016 # the same
	ok "the first image is unchanged" run_in tiny \
		sh -c '! test -e /big && test $(cat /etc/name) = tiny'
	ok "the containers are removed" docker rm c1 c2
	ok "the commits are removed" docker rmi two three
	is "$(docker ps -aq)" "" "no container is left"
	ok "no device is left" wait_until 240 names_are "$devices"
}

_written()
{
	local block

	block=$(dmsetup table "${pool:-pool}" | awk '{ print $6 }')
	[ "$(data_used)" -gt $(($1 + 6 * 2048 / block - 1)) ]
}

# usage_is_back USED: or nearly: mounting the image for a diff may have touched a few of
# its blocks
usage_is_back()
{
	local more=$(($(data_used) - $1))

	[ $more -ge 0 ] && [ $more -le 48 ]
	_result $? "the pool's usage is back where it was" ||
		echo "$1 blocks before, $more more now" | diag
}

# --- containerd ---

containerd_pid=
containerd_log=
# shellcheck disable=SC2034 # for the tests
snap=(--snapshotter devmapper)

# ctr_run [OPTION]... IMAGE CONTAINER COMMAND...
ctr_run() { ctr run --runc-binary "$runtime" "${snap[@]}" "$@"; }

# containerd_start [LINE...]: more lines for the snapshotter's section; the pool is
# $pool.  With the default timeouts of a few seconds a slow shim would be removed with
# its container.
containerd_start()
{
	[ -n "$containerd_pid" ] || at_end containerd_end
	{
		cat <<-CONF
		version = 2
		root = "$root/containerd"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "/run/containerd/containerd.sock"
		[timeouts]
		  "io.containerd.timeout.shim.load" = "120s"
		  "io.containerd.timeout.shim.cleanup" = "120s"
		  "io.containerd.timeout.shim.shutdown" = "120s"
		  "io.containerd.timeout.task.state" = "120s"
		[plugins."io.containerd.snapshotter.v1.devmapper"]
		  root_path = "$root/devmapper"
		  pool_name = "${pool:-pool}"
		CONF
		printf '  %s\n' "$@"
	} > "$scratch/containerd.toml"
	containerd_run || bail "containerd starts"
}

containerd_run()
{
	containerd_log=$(mktemp "$scratch/containerd.XXXXXX")
	spawn_out=$containerd_log spawn /usr/bin/containerd \
		--config "$scratch/containerd.toml"
	containerd_pid=$spawned
	wait_until 150 containerd_listens && running "$containerd_pid" &&
		ctr version > /dev/null && return 0
	tail -n 30 "$containerd_log" | diag
	return 1
}

containerd_listens()
{
	running "$containerd_pid" || return 0
	grep -q 'containerd successfully booted' "$containerd_log"
}

containerd_stop()
{
	kill -TERM "$containerd_pid"
	wait_until 180 stopped "$containerd_pid"
}

containerd_kill()
{
	kill -9 "$containerd_pid"
	wait_until 180 stopped "$containerd_pid"
	wait_until 180 kill_shims
}

containerd_end()
{
	! running "$containerd_pid" || containerd_stop || containerd_kill
	wait_until 180 kill_shims
	[ $_failures -eq 0 ] || grep -E 'level=(error|fatal|warning)' \
		"$containerd_log" | tail -n 20 | diag
}

# tiny_archive FILE NAME: make an image in the format of `docker save`
tiny_archive()
{
	local dir=$scratch/archive id

	tiny_root "$dir/tiny"
	require tar -C "$dir/tiny" -cf "$dir/layer.tar" .
	id=$(sha256sum < "$dir/layer.tar" | cut -d' ' -f1)
	cat > "$dir/config.json" <<-JSON
	{"architecture": "amd64", "os": "linux",
	 "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
	 "rootfs": {"type": "layers", "diff_ids": ["sha256:$id"]},
	 "history": [{"created": "2026-01-01T00:00:00Z"}]}
	JSON
	cat > "$dir/manifest.json" <<-JSON
	[{"Config": "config.json", "RepoTags": ["$2"], "Layers": ["layer.tar"]}]
	JSON
	require tar -C "$dir" -cf "$1" manifest.json config.json layer.tar
	rm -rf "$dir"
}

# --- the pool below ---

dm_names() { dmsetup ls | cut -f1 | sort; }

# mapped_blocks METADATA-DEVICE: the number of distinct data blocks mapped, from a
# metadata snapshot of the running pool
mapped_blocks()
{
	msg reserve_metadata_snap || return 1
	thin_dump -m "$1" > "$scratch/dump.xml"
	msg release_metadata_snap
	awk -F'"' '/<single_mapping/ { b[$4] = 1 }
		/<range_mapping/ { for (i = 0; i < $6; i++) b[$4 + i] = 1 }
		END { print length(b) }' "$scratch/dump.xml"
}

# volumes METADATA-DEVICE: their number
volumes()
{
	msg reserve_metadata_snap || return 1
	thin_dump -m "$1" | grep -c '<device '
	msg release_metadata_snap
}

# nothing_is_lost N: N volumes are left, sooner or later, of the pool on $META, and every
# block in use is mapped by one of them
nothing_is_lost()
{
	ok "$1 volumes are left" wait_until 240 volumes_are "$1"
	ok "they map all blocks in use" wait_until 120 _used_is_mapped
	echo "$(data_used) in use, $(mapped_blocks "$META") mapped" | diag
}

_used_is_mapped()
{
	local used

	used=$(data_used)
	[ "${used:-0}" -gt 0 ] && [ "$used" = "$(mapped_blocks "$META")" ]
}

# volumes_are N: of the pool on $META; to wait for deletions in the background
volumes_are() { [ "$(volumes "$META")" = "$1" ]; }

# names_are NAMES: those of all devices; to wait for removals in the background
names_are() { [ "$(dm_names)" = "$1" ]; }

# --- all of Docker on one disk, for power failures ---
#
#   0        192M  208M       640M
#   | root    |meta |  data     |      ext4; the pool's devices

one_disk=$((640 * 2048))

# lay_out DEVICE START: map the three parts of the disk that begins there
lay_out()
{
	require dmsetup create disk --table "0 $one_disk linear $1 $2"
	require dmsetup create root --table \
		"0 $(sectors 192M) linear /dev/mapper/disk 0"
	require dmsetup create meta --table \
		"0 $(sectors 16M) linear /dev/mapper/disk $(sectors 192M)"
	require dmsetup create data --table \
		"0 $(sectors 432M) linear /dev/mapper/disk $(sectors 208M)"
}

take_down()
{
	remove pool
	umount_root
	remove root meta data
	remove disk
}

start_pool()
{
	require dmsetup create pool --table "$(pool_table /dev/mapper/meta \
		/dev/mapper/data skip_block_zeroing)"
}

# noted_devices: ids of the devices in Docker's records, except the one it was making or
# deleting
noted_devices()
{
	local at=$root/docker/devicemapper/metadata changing

	changing=$(_device_ids < "$at/transaction-metadata")
	find "$at" -type f ! -name deviceset-metadata \
		! -name transaction-metadata ! -name '.tmp*' -exec cat {} + |
		_device_ids | sort -n | grep -vx "${changing:-none}"
}

_device_ids() { grep -o '"device_id":[0-9]*' | cut -d: -f2; }

# lasting_are DESCRIPTION COMMAND: the command prints all devices that were there before
# docker_works.  For later ones the power failure may leave a record without a device:
# Docker removes the record after it has deleted the device, without waiting until
# that is on the disk.
lasting_are()
{
	is "$(comm -23 <(sort "$root/lasting") <("$2" | sort))" "" "$1"
}

pool_devices()
{
	thin_dump /dev/mapper/meta | sed -n 's/.*<device dev_id="\([0-9]*\)".*/\1/p' |
		sort -n
}

# remove_containers: those that a killed dockerd leaves mounted and active
remove_containers()
{
	local name

	umount_root
	for name in $(dm_names | grep '^docker-'); do
		require dmsetup remove --retry "$name"
	done
}

# remove_images: all of them; newest first, because these have no children
remove_images()
{
	local images

	images=$(docker images -q) || return 1
	# shellcheck disable=SC2086 # words
	docker rmi -f $images && [ -z "$(docker images -q)" ]
}

# docker_works: make and remove images and containers of the image two in the
# background; its pid is in $worker; prints a line to $scratch/out for each image made
docker_works()
{
	noted_devices > "$root/lasting"
	require sync "$root/lasting"
	export -f _docker_work docker
	spawn bash -c "basic=(${basic[*]}); _docker_work"
	# shellcheck disable=SC2034 # for the test
	worker=$spawned
}

_docker_work()
{
	local i

	for i in $(seq 1000); do
		docker run --name "w$i" "${basic[@]}" two \
			sh -c "dd if=/dev/urandom of=/junk bs=1M count=$((i % 5 + 1)) &&
			sync && rm /sum"
		docker commit "w$i" "made$i" && echo "made$i is there"
		docker rm "w$i"
		[ "$i" -lt 3 ] || docker rmi "made$((i - 2))"
	done
}
