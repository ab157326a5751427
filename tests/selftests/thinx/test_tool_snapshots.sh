#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thinx snapshot, rollback and undo: several snapshots of one moment, a volume that
# gets the contents of one and gets its own back; what they refuse changes nothing and
# leaves nothing suspended.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"

table_of() { dmsetup table "$1" | awk '{ print $3, $5, $6 }'; }
suspended() { dmsetup info -c --noheadings -o suspended | grep -c Suspended; }
devices() { msg devices 0 1000 | sed -e 1d -e '$d' | awk '{ print $1 }' | tr '\n' ' '; }

disk META 16
disk DATA 256
disk ORIGIN 8
require blockio write "$ORIGIN" 0 8M 77
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 32M
make_thin t3 3 8M "$ORIGIN"
require blockio write /dev/mapper/t1 0 4M 1
require blockio write /dev/mapper/t2 0 4M 2

# --- snapshot ---

is "$(thinx snapshot --noheadings s1=t1 | awk '{ print $1, $2, $3, $4 }')" \
	"s1 16777215 t1 1" "a snapshot, with the highest ID"
is "$(table_of s1)" "thinx 16777215 " "a device shows it"
is "$(size_of /dev/mapper/s1)" "$(size_of /dev/mapper/t1)" "as large as the origin"
is "$(thinx snapshot --group --json a=t1 b=/dev/mapper/t2 c=t3 |
	python3 -c 'import json, sys
for s in json.load(sys.stdin)["snapshot"]: print(s["name"], s["id"], s["origin"])')" \
	"a 16777214 t1
b 16777213 t2
c 16777212 t3" "a group, as JSON"
is "$(table_of c)" "$(table_of t3 | sed 's/ 3 / 16777212 /')" "with the external origin"
ok "which it shows" blockio verify /dev/mapper/c 0 8M 77
ok "and the data" blockio verify /dev/mapper/b 0 4M 2
is "$(thinx list --noheadings -o id -S type=unused)" "" "no thin device is without a volume"
require dmsetup remove b
is "$(thinx list --noheadings -o id,mapped --units s --nosuffix -S type=unused | awk '{ print $1, $2 }')" \
	"16777213 8192" "one is, and is listed"
is "$(thinx usage --noheadings -o id,own --units s --nosuffix -S id=16777213 | awk '{ print $1, $2 }')" \
	"16777213 0" "and can be counted"
require msg delete 16777213
is "$(thinx snapshot --noheadings b=t2 | awk '{ print $2 }')" 16777213 "an ID is used again"

before=$(devices)
exits 1 "already: choose another name" thinx snapshot a=t1
exits 1 "already: choose another name" thinx snapshot --group x=t1 t2=t2
exits 1 "cannot both be x" thinx snapshot --group x=t1 x=t2
exits 1 "no such volume" thinx snapshot x=none
exits 1 "no such volume" thinx snapshot x=pool
exits 1 "is no name for a device" thinx snapshot /dev/mapper/x=t1
exits 1 "NEW=ORIGIN is expected" thinx snapshot t1
exits 2 "with --group several" thinx snapshot x=t1 y=t2
exits 2 "1 to 64 words" thinx snapshot --group
is "$(devices)" "$before" "nothing of all that made a device"

# One moment: a writer that waits for t1 before it writes to t2, and never has more in t2.
make_thin c1 11 4M
make_thin c2 12 4M
cat > "$scratch/count.py" <<'END'
import mmap, os, struct, sys
f = [os.open("/dev/mapper/" + n, os.O_RDWR | os.O_DIRECT) for n in ("c1", "c2")]
page = mmap.mmap(-1, 4096)
n = 0
while not os.path.exists(sys.argv[1]):
    n += 1
    page[:8] = struct.pack("<Q", n)
    for d in f:
        os.pwrite(d, page, 4096 * (n % 1000))
END
spawn python3 "$scratch/count.py" "$scratch/calm"
writer=$spawned
require wait_until 60 loaded c2
last() { python3 -c 'import struct, sys
d = open(sys.argv[1], "rb").read(4096000)
print(max(struct.unpack_from("<Q", d, 4096 * i)[0] for i in range(1000)))' "$1"; }
bad=0
for i in 1 2 3 4 5 6 7 8; do
	require thinx snapshot --group "x$i=c1" "y$i=c2"
	a=$(last "/dev/mapper/x$i")
	b=$(last "/dev/mapper/y$i")
	[ "$a" -ge "$b" ] && [ "$a" -le $((b + 1)) ] && [ "$b" -gt 0 ] || bad=$((bad + 1))
	remove "x$i" "y$i"
done
calm
succeeds "$writer" "the writer saw no error"
is $bad 0 "eight groups of a running writer, each of one moment ($a, $b)"

# --- rollback and undo ---

require blockio write /dev/mapper/t1 1M 2M 5
require blockio sync /dev/mapper/t1
is "$(thinx rollback --noheadings t1 s1 | awk '{ print $1, $2, $3 }')" "t1 1 t1-before" \
	"rolled back"
ok "the volume has what the snapshot has" blockio verify /dev/mapper/t1 0 4M 1
ok "the snapshot as well" blockio verify /dev/mapper/s1 0 4M 1
ok "what it had is kept" blockio verify /dev/mapper/t1-before 1M 2M 5
require blockio write /dev/mapper/t1 0 64k 6
ok "the snapshot is not written" blockio verify /dev/mapper/s1 0 4M 1
exits 1 "t1-before already" thinx rollback t1 s1
ok "undone" thinx undo t1
ok "the volume has what it had" blockio verify /dev/mapper/t1 1M 2M 5
ok "in front of it, too" blockio verify /dev/mapper/t1 0 1M 1
ok "what was undone is kept" blockio verify /dev/mapper/t1-before 0 64k 6
ok "and done again" thinx undo t1 t1-before
ok "the volume is rolled back" blockio verify /dev/mapper/t1 0 64k 6
require thinx undo t1
ok "the kept one can have another name" thinx rollback --keep old t1 s1
ok "there it is" blockio verify /dev/mapper/old 1M 2M 5
ok "undone by name" thinx undo t1 old
kept=$(table_of old | awk '{ print $2 }')
remove old
ok "by ID, without a device" thinx undo --dev-id "$kept" t1
ok "it is rolled back" blockio verify /dev/mapper/t1 0 4M 1
ok "again" thinx undo --dev-id "$kept" t1
ok "it has what it had" blockio verify /dev/mapper/t1 1M 2M 5
remove s1
ok "back to a snapshot without a device" thinx rollback --keep again --dev-id 16777215 t1
ok "it has what the snapshot has" blockio verify /dev/mapper/t1 0 4M 1
remove again t1-before

before=$(devices)
exec 7< /dev/mapper/t1
exits 1 "t1 is in use: unmount it" thinx rollback t1 a
exec 7<&-
exits 1 "no such volume; give the ID" thinx rollback t1 none
exits 1 "no such volume" thinx rollback none t1
exits 1 "is the volume itself" thinx rollback t1 t1
exits 1 "is the volume itself" thinx undo --dev-id 1 t1
exits 1 "no such thin device" thinx rollback --dev-id 77 t1
exits 1 "no such volume: name what rollback kept" thinx undo t1
exits 1 "no such thin device" thinx undo --dev-id 77 t1
exits 2 "a volume and a snapshot" thinx rollback t1
exits 2 "a volume is expected" thinx undo
require dmsetup suspend t1
exits 1 "whoever did that is to resume it" thinx rollback t1 a
require dmsetup resume t1
# Another table that shows the same.
activate twin 1 64M
exits 1 "does another table show" thinx rollback t1 a
remove twin
is "$(devices)" "$before" "nothing of all that left a device"
is "$(suspended)" 0 "nor one that is suspended"
ok "the volume is as it was" blockio verify /dev/mapper/t1 0 4M 1

# A file system, as one does it.
require mkfs.ext4 -q /dev/mapper/t2
mkdir -p "$scratch/mnt"
require mount /dev/mapper/t2 "$scratch/mnt"
echo before > "$scratch/mnt/file"
sync
require thinx snapshot f=t2
echo after > "$scratch/mnt/file"
exits 1 "t2 is in use" thinx rollback t2 f
require umount "$scratch/mnt"
ok "rolled back once it is unmounted" thinx rollback t2 f
require mount /dev/mapper/t2 "$scratch/mnt"
is "$(cat "$scratch/mnt/file")" before "the file is the old one"
require umount "$scratch/mnt"
require thinx undo t2
require mount /dev/mapper/t2 "$scratch/mnt"
is "$(cat "$scratch/mnt/file")" after "and after undo the new one"
require umount "$scratch/mnt"

# A pool that cannot be changed.
remove t2-before f a b c c1 c2 t1 t2 t3 pool
make_pool "$META" "$DATA" read_only
activate t1 1 64M
activate a 16777214 64M
exits 1 "read-only" thinx snapshot x=t1
exits 1 "read-only" thinx rollback t1 a
exits 1 "read-only" thinx undo t1 a
is "$(suspended)" 0 "nothing is left suspended"
finish
