#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A thousand volumes, all active at once, each with data of its own; they survive
# setting up the pool again, and leave nothing behind when they are deleted.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

n=1000
disk META 32
disk DATA 256
make_pool "$META" "$DATA"
p=/dev/mapper/pool

# each LINE: the line for every i below $n, with I replaced by i
each() { seq 0 $((n - 1)) | awk -v l="$1" '{ s = l; gsub(/I/, $0, s); print s }'; }
activate_all() { each "create vI 20480 $TARGET_THIN $p I"; }

batch "$n volumes are made" < <(each "msg pool create_thin I")
batch "all are active at once" < <(activate_all)
is "$(dmsetup ls --target "$TARGET_THIN" | wc -l)" $n "dmsetup sees them all"
batch "each is written" < <(each "write vI 655360 4096 I")
batch "each has its own data" < <(each "verify vI 655360 4096 I")
batch "and zeros after it" < <(each "zeros vI 659456 61440")
is "$(data_used)" $n "a block each"
batch "they can be removed" < <(each "remove vI")
begin=$SECONDS
remove pool
make_pool "$META" "$DATA"
echo "# the pool was closed and opened in $((SECONDS - begin)) s"
is "$(data_used)" $n "set up again: as many blocks"
batch "all are active again" < <(activate_all)
batch "with their data" < <(each "verify vI 655360 4096 I")
batch "overwritten" < <(each "write vI 655360 8192 1I")
batch "removed" < <(each "remove vI")
remove pool
is "$(thin_ls --no-headers "$META" | wc -l)" $n "thin_ls sees them all"
make_pool "$META" "$DATA"
fresh=$(pool_field 5)
batch "deleted, in random order" < <(each "msg pool delete I" |
	shuf --random-source=<(yes))
is "$(data_used)" 0 "no block is in use"
ok "metadata was freed" test "$(pool_field 5 | cut -d/ -f1)" -lt "${fresh%/*}"
remove pool
is "$(thin_ls --no-headers "$META" | wc -l)" 0 "no volume is left"
finish
