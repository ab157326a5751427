#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: dmeventd extends the pool's data and metadata when they are 70 % full, while
# they are in use.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

need dmeventd
monitoring=1
lvm_configure activation/thin_pool_autoextend_threshold=70 \
	activation/thin_pool_autoextend_percent=50
# dmeventd may take long.
echo 0 > "$parameters/no_space_timeout"
disk PV1 768
spawn_out=$scratch/dmeventd.out spawn dmeventd -f -ldd
wait_until 120 test -p /run/dmeventd-client
is $? 0 "dmeventd runs"
volume_group -s 1M "$PV1"
metadata_size=2M thin_pool 64M
is "$(lv seg_monitor)" monitored "the pool is monitored"
thin_volume v1 512M

data_blocks() { dmsetup status --noflush $pool | sed 's,.* [0-9]*/\([0-9]*\) - .*,\1,'; }
meta_blocks() { dmsetup status --noflush $pool | awk '{ sub(".*/", "", $5); print $5 }'; }
is "$(data_blocks)" 1024 "it starts with 64 MiB"
is "$(meta_blocks)" 512 "and 2 MiB of metadata"
extended() { [ "$(data_blocks)" -gt "$1" ]; }
meta_extended() { [ "$(meta_blocks)" -gt 512 ]; }

require blockio write /dev/vg/v1 0 40M 1
sleep 2
is "$(data_blocks)" 1024 "below the threshold nothing happens"
require blockio write /dev/vg/v1 40M 8M 1
ok "past it the data is extended" wait_until 400 extended 1024
is "$(data_blocks)" 1536 "by half"
require blockio write /dev/vg/v1 48M 20M 1
ok "and once more" wait_until 400 extended 1536
# More than there is: the writer waits until there is space.
spawn blockio write /dev/vg/v1 68M 120M 1
writer=$spawned
ok "it ends" wait_until 600 stopped "$writer"
wait "$writer"
is $? 0 "a writer that is faster gets through"

# One block of metadata for each device.
batch "many devices" < <(for ((i = 1001; i < 1340; i++)); do
	echo "msg $pool create_thin $i"
done)
ok "the metadata is extended" wait_until 400 meta_extended
like "$(status $pool)" ' rw ' "the pool is writable"
ok "dmeventd still runs" running "${_spawned[0]}"
clean "monitoring is switched off" lvchange -q --monitor n vg/pool
is "$(lv seg_monitor)" "not monitored" "as lvs says"
kill -TERM "${_spawned[0]}"
ok "dmeventd ends" wait_until 240 stopped "${_spawned[0]}"
monitoring=0
lvm_configure
figures_agree
ok "all of it is there" blockio verify /dev/vg/v1 0 188M 1
metadata_sound
clean "lvremove" lvremove -q -y vg/pool
finish
