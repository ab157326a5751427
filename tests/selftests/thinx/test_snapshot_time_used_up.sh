#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A mapping has 64 bits, 24 of them for the time.  When the largest time is used, no
# more snapshots can be made, but no data is lost.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target lets the time run into the block number"
disk META 8
disk DATA 64
# One less than the largest time.
cat > "$scratch/xml" <<'END'
<superblock uuid="" time="16777214" transaction="7" version="2" data_block_size="128" nr_data_blocks="1024">
  <device dev_id="1" mapped_blocks="2" transaction="0" creation_time="0" snap_time="16777214">
    <single_mapping origin_block="0" data_block="5" time="16777214"/>
    <single_mapping origin_block="1" data_block="6" time="3"/>
  </device>
</superblock>
END
require thin_restore -i "$scratch/xml" -o "$META"
require blockio write "$DATA" 320k 128k 3
make_pool "$META" "$DATA"
activate t1 1 32M
t=/dev/mapper/t1
ok "the restored mappings are read" bash -c \
	"cmp -n 131072 $t <(dd if=$DATA bs=64k skip=5 count=2 status=none)"
snapshot t1 1 2
ok "after the last snapshot: sharing is broken" blockio write $t 0 64k 4
ok "new blocks are written" blockio write $t 1M 1M 5
ok "the volume has them" blockio verify $t 1M 1M 5
ok "and the new block" blockio verify $t 0 64k 4
activate s2 2 32M
ok "the snapshot has the old" bash -c \
	"cmp -n 131072 /dev/mapper/s2 <(dd if=$DATA bs=64k skip=5 count=2 status=none)"
fails "one more: EOVERFLOW" "Value too large" msg create_snap 3 1
fails "so is one of another volume" "Value too large" msg create_snap 3 2
is "$(pool_mode) $(pool_field 11)" "rw -" "the pool goes on"
ok "volumes can be made" msg create_thin 3
ok "and deleted" msg delete 3
ok "and written" blockio write $t 4M 1M 6
ok "and read" blockio verify $t 4M 1M 6
ok "what is next to it is unharmed" blockio verify $t 1M 1M 5
remove t1 s2 pool
like "$(thin_dump "$META")" 'time="16777215"' "the tools see the last time"
make_pool "$META" "$DATA"
activate t1 1 32M
ok "set up again: the data" blockio verify $t 1M 1M 5
fails "and no more snapshots" "Value too large" msg create_snap 3 1
finish
