#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: a pool fills up, which lvs shows; after lvextend the waiting writer goes on;
# with --errorwhenfull y it fails instead.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

# LVM's programs may take long.
echo 0 > "$parameters/no_space_timeout"
disk PV1 384
volume_group "$PV1"
thin_pool 32M
thin_volume v1 256M
is "$(lv lv_when_full)" queue "lvs: a writer waits when it is full"
spawn blockio write /dev/vg/v1 0 48M 1
writer=$spawned
is_full() { status "$pool" | grep -q out_of_data_space; }
ok "it fills up" wait_until 240 is_full
like "$(lv lv_attr)" '^twi.....D' "lvs: out of data space"
is "$(lv data_percent)" 100.00 "lvs: 100 %"
sleep 1
ok "the writer waits" running "$writer"
ok "what is there can be read" blockio verify /dev/vg/v1 0 31M 1
refused "no volume is made in a full pool" "free|full|space|above" \
	lvcreate -q -V 64M -T vg/pool -n v2
begin=$SECONDS
clean "lvextend of a full pool" lvextend -q -L 64M vg/pool
ok "does not wait for a timeout" test $((SECONDS - begin)) -lt 200
wait "$writer"
is $? 0 "the writer succeeds"
like "$(lv lv_attr)" '^twi.....-' "lvs: all is well"
ok "its data" blockio verify /dev/vg/v1 0 48M 1
figures_agree

clean "changed to failing writes while active" lvchange -q --errorwhenfull y vg/pool
like "$(status "$pool")" ' error_if_no_space ' "the kernel knows"
is "$(lv lv_when_full)" error "and lvs"
fails "a writer fails" ENOSPC blockio write /dev/vg/v1 48M 32M 1
like "$(lv lv_attr)" '^twi.....D' "lvs: out of data space"
ok "what was there can be read" blockio verify /dev/vg/v1 0 48M 1
ok "and written" blockio write /dev/vg/v1 0 1M 2
ok "a discard makes room" blockio discard /dev/vg/v1 8M 16M
writable() { status "$pool" | grep -q ' rw '; }
ok "the pool is writable again" wait_until 120 writable
ok "a write succeeds" blockio write /dev/vg/v1 128M 8M 3
ok "its data" blockio verify /dev/vg/v1 128M 8M 3
clean "changed back to waiting" lvchange -q --errorwhenfull n vg/pool
like "$(status "$pool")" ' queue_if_no_space ' "the kernel knows"

# Full again.
spawn blockio write /dev/vg/v1 160M 32M 4
writer=$spawned
ok "it fills up" wait_until 240 is_full
clean "lvextend" lvextend -q -L 128M vg/pool
wait "$writer"
is $? 0 "the writer succeeds"
figures_agree
metadata_sound
clean "all is activated" vgchange -q -ay vg
ok "data" blockio verify /dev/vg/v1 0 1M 2
ok "data" blockio verify /dev/vg/v1 128M 8M 3
ok "data" blockio verify /dev/vg/v1 160M 32M 4
finish
