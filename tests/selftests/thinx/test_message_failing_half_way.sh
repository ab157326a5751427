#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# A message that fails half way, because a metadata block cannot be read, leaves no
# changes.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

wrapped_pool meta 8 64
make_thin t1 1 1G
make_thin t2 2 1G
# Scattered, so that a volume has several leaves.
for v in 1 2; do
	batch "volume $v is written here and there" < <(for ((i = 0; i < 400; i++)); do
		echo "write t$v $((i * 2097152)) 4096 $v"
	done)
done
remove t1 t2 pool

# Mapping leaves of volume 1: the first in key order and the last.
leaves=$(python3 - "$META" <<'END'
import struct, sys
found = []
with open(sys.argv[1], "rb") as f:
    n = 0
    while True:
        b = f.read(4096)
        if len(b) < 4096:
            break
        csum, flags, nr, entries, most, size = struct.unpack_from("<IIQIII", b)
        if flags == 2 and nr == n and size == 8 and entries > 60:
            found.append((struct.unpack_from("<Q", b, 32)[0], n))
        n += 1
found.sort()
print(*[n for key, n in found[-2:]])
END
)
ok "there are mapping leaves ($leaves)" test -n "$leaves"
bad=${leaves##* }

make_pool /dev/mapper/meta "$DATA"
total=$(size_of /dev/mapper/meta)
swap_table meta --table "0 $((bad * 8)) linear $META 0
$((bad * 8)) 8 error
$((bad * 8 + 8)) $((total - bad * 8 - 8)) linear $META $((bad * 8 + 8))"
log_mark
got=
for id in 1 2; do
	msg delete $id > "$scratch/out" 2>&1 || got="$got $id"
	mode_is rw || break
done
like "$got" '^ [12]$' "deleting the volume with the unreadable leaf fails"
like "$(cat "$scratch/out")" "Input/output error" "with EIO"
if is_thinx; then
	is "$(pool_mode) $(pool_field 11)" "ro needs_check" \
		"the transaction is aborted"
	logged "aborting current metadata transaction" "which is logged"
fi
remove pool
rewrap meta linear "$META" 0
if is_thinx; then
	ok "nothing of the deletion is left" \
		thin_check --clear-needs-check-flag /dev/mapper/meta
	ok "nor a leaked block" decode META
	id=${got# }
	make_pool /dev/mapper/meta "$DATA"
	activate "t$id" "$id" 1G
	is "$(status "t$id" | cut -d' ' -f4)" $((400 * 128)) "the volume is whole"
	batch "with all its data" < <(for ((i = 0; i < 400; i++)); do
		echo "verify t$id $((i * 2097152)) 4096 $id"
	done)
	remove "t$id"
	ok "and can be deleted" msg delete "$id"
else
	damaged "$META"
fi
finish
