#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# QEMU's storage daemon on a volume that is snapshotted while it runs: each snapshot
# shows one moment of a sequence of writes.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need qemu-io qemu-storage-daemon python3
disk META 16
disk DATA 512
make_pool "$META" "$DATA"
make_thin vm 1 32M
v=/dev/mapper/vm
sock=$scratch/nbd
spawn qemu-storage-daemon \
	--blockdev "driver=host_device,node-name=disk,filename=$v,cache.direct=on,discard=unmap,aio=native" \
	--nbd-server "addr.type=unix,addr.path=$sock" \
	--export type=nbd,id=e,node-name=disk,name=vm,writable=on
daemon=$spawned
wait_until 240 test -S "$sock"
u="nbd+unix:///vm?socket=$sock"

# Each pass writes its number everywhere, megabyte by megabyte, with flushes; passes
# go on until there are enough snapshots.
require qemu-io -f raw -c 'write -q -P 0 0 32M' -c flush "$u"
: > "$scratch/passes"
passes()
{
	local p=0 i

	until [ -e "$scratch/calm" ] || [ "$p" = 250 ]; do
		p=$((p + 1))
		for ((i = 0; i < 32; i++)); do
			echo "write -q -P $p ${i}M 1M"
			echo flush
		done | qemu-io -f raw "$u" || return 1
		echo "$p" >> "$scratch/passes"
	done
}
passed() { wc -l < "$scratch/passes"; }
export u scratch
export -f passes
spawn bash -c passes
writer=$spawned

# one_moment DEVICE: new up to some megabyte, which may be mixed, then old
one_moment()
{
	python3 - "$1" <<-'PY'
	import sys
	data = open(sys.argv[1], "rb").read()
	assert len(data) == 32 << 20, len(data)
	# sectors are not torn: each holds one number
	seen = []
	for s in range(0, len(data), 512):
	    n = data[s]
	    assert data[s:s + 512] == bytes([n]) * 512, ("torn", s)
	    seen.append(n)
	new = max(seen)
	old = {n for n in seen if n != new}
	assert old <= {new - 1}, ("not two neighbours", new, old)
	mixed = [m for m in range(32)
	         if len(set(seen[m * 2048:(m + 1) * 2048])) > 1]
	assert len(mixed) <= 1, ("mixed", mixed)
	firsts = [seen[m * 2048] for m in range(32) if m not in mixed]
	assert firsts == sorted(firsts, reverse=True), ("order", firsts)
	if mixed and 0 <= mixed[0] < 31:
	    assert all(n == new for n in seen[:mixed[0] * 2048])
	    assert all(n == new - 1 for n in seen[(mixed[0] + 1) * 2048:])
	print("pass", new, "mixed", mixed, "new", firsts.count(new))
	PY
}

taken=()
for id in 11 12 13 14; do
	sleep 1
	running "$writer" || break
	snapshot vm 1 $id
	taken+=("$id")
	activate s$id $id 32M
	one_moment /dev/mapper/s$id > "$scratch/moment.$id" 2>&1
	is $? 0 "snapshot $id is one moment"
	tail -n 3 "$scratch/moment.$id" | diag
	sha256sum < /dev/mapper/s$id > "$scratch/sum.$id"
done
ok "snapshots were taken of a running volume" test ${#taken[@]} = 4
# The pass after the current one overwrites all that the last snapshot shares.
n=$(passed)
written_anew() { [ "$(passed)" -ge $((n + 2)) ]; }
ok "nothing is shared any more" wait_until 300 written_anew
calm
# Trimming what a snapshot shares frees nothing.
wait "$writer"
is $? 0 "the writer succeeds"
ok "all was written" qemu-io -f raw -c "read -P $(passed) 0 32M" "$u"
used=$(data_used)
for id in "${taken[@]}"; do
	is "$(sha256sum < /dev/mapper/s"$id")" "$(cat "$scratch/sum.$id")" \
		"snapshot $id did not change"
done
ok "trimmed through the daemon" qemu-io -d unmap -f raw -c 'discard 0 32M' "$u"
is "$(data_used)" $((used - 512)) "its own blocks are free"
ok "zeros" qemu-io -f raw -c 'read -P 0 0 32M' "$u"
for id in "${taken[@]}"; do
	is "$(sha256sum < /dev/mapper/s"$id")" "$(cat "$scratch/sum.$id")" \
		"snapshot $id did not change"
	remove s"$id"
	require msg delete "$id"
done
is "$(data_used)" 0 "all is free with the last snapshot"
stop "$daemon"
remove vm
finish
