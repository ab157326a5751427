#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Discards reach the data device only after the commit that freed the blocks: until
# then the mapping may come back and needs its data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target discards first"
require modprobe dm-delay
wrapped_pool "meta data" 8 128
make_thin t1 1 64M
t=/dev/mapper/t1
write_synced $t 0 16M 1

# In KiB.
# shellcheck disable=SC2016 # for awk
discarded() { io_counts /dev/mapper/data '$14 / 2'; }
discarded_is() { [ "$(discarded)" = "$1" ]; }

is "$(discarded)" 0 "nothing was discarded yet"
# Writes wait until the table is replaced.
rewrap meta delay "$META" 0 0 "$META" 0 200000 "$META" 0 0
ok "a discard" timeout 100 blockio discard $t 8M 4M
ok "reads as zeros at once" timeout 100 blockio zeros $t 8M 4M
spawn blockio sync $t
sync=$spawned
require wait_until 90 blocked "$sync"
sleep 2
ok "the commit is under way" running "$sync"
is "$(discarded)" 0 "the data device got no discard"
rewrap meta linear "$META" 0
ok "the commit ends" wait_until 120 stopped "$sync"
ok "then the data device gets the discard" wait_until 120 discarded_is 4096
ok "the rest is unharmed" blockio verify $t 0 8M 1

# The commit fails: the mapping comes back.
broken meta "$META"
ok "another discard" blockio discard $t 0 4M
fails "its commit fails" EIO blockio sync $t
becomes ro "rolled back"
ok "what was discarded is there, with its data" blockio verify $t 0 8M 1
sleep 2
is "$(discarded)" 4096 "the data device got no further discard"
remove t1 pool
healed meta "$META"
ok "the flag is cleared" thin_check --clear-needs-check-flag /dev/mapper/meta
make_pool /dev/mapper/meta /dev/mapper/data
activate t1 1 64M
ok "it is there when set up again" blockio verify $t 0 8M 1
finish
