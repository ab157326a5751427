#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# LVM2: its records and the pool's disagree, as after a crash between a message and
# set_transaction_id: it continues where it stopped, or refuses.
# shellcheck source=lvm.sh
. "$(dirname "$0")/lvm.sh"

disk PV1 384
volume_group "$PV1"
thin_pool 64M
thin_volume v1 64M
thin_volume v2 64M
require blockio write /dev/vg/v1 0 4M 1
require blockio write /dev/vg/v2 0 4M 2
id=$(lv transaction_id)
like "$(status "$pool")" " thin-pool $id " "the pool's transaction is LVM's"

# create_thin was done, the rest was not.
next=$(($(lv thin_id vg/v2) + 1))
ok "the message alone" msg create_thin $next
thin_volume v3 64M
ok "it can be written" blockio write /dev/vg/v3 0 1M 3
is "$(lv transaction_id)" $((id + 1)) "the transaction was completed"
figures_agree

# delete was done, the rest was not.
gone=$(lv thin_id vg/v3)
clean "inactive" lvchange -q -an vg/v3
ok "the message alone" msg delete "$gone"
lvremove -q -y vg/v3 > "$LVM_OUT" 2> "$LVM_ERR"
is $? 0 "lvremove of the deleted volume"
fails "it is gone" "" lvs vg/v3
figures_agree
thin_volume v4 64M
ok "and the next can be made" blockio write /dev/vg/v4 0 1M 4

# Another program has changed the pool.
id=$(lv transaction_id)
ok "another transaction" msg set_transaction_id "$id" $((id + 7))
refused "no volume is made" "[Tt]ransaction" lvcreate -q -V 64M -T vg/pool -n v5
clean "deactivated" vgchange -q -an vg
refused "it is not activated" "[Tt]ransaction" lvchange -q -ay vg/v1
vgchange -q -an vg > /dev/null 2>&1
is "$(dmsetup ls | grep -c '^vg-')" 0 "nothing is left active"
clean "the metadata volume can be activated" lvchange -q -y -ay vg/pool_tmeta
ok "nothing was damaged" thin_check -q /dev/vg/pool_tmeta
is "$(thin_dump /dev/vg/pool_tmeta | sed -n 's/.*transaction="\([0-9]*\)".*/\1/p' |
	head -n 1)" $((id + 7)) "the pool's own transaction id is in it"
clean "deactivated" lvchange -q -an vg/pool_tmeta
finish
