#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# create_snaps: snapshots of one moment, of running volumes.  One program writes
# number after number, to the first volume and, once that has ended, to the second:
# a snapshot of the second never has a number that the other's lacks.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

is_thinx || skip_all "the stock target has no such message"
disk META 16
disk DATA 512
make_pool "$META" "$DATA"
make_thin t1 1 64M
make_thin t2 2 64M
make_thin t3 3 8M

# numbers write A B: 1 to both, 2 to both ...; numbers last DEVICE...: the last of each.
# Number n is in the slot n mod 48 of 64 KiB and a bit: new and shared blocks, too.
cat > "$scratch/numbers" <<'PYTHON'
import mmap, os, struct, sys
SLOTS, DISTANCE = 48, 68 << 10
buf = mmap.mmap(-1, 4096)
def opened(name, flags):
    return os.open(name, flags | os.O_DIRECT)
if sys.argv[1] == "write":
    fds = [opened(name, os.O_WRONLY) for name in sys.argv[2:]]
    n = 0
    while True:
        n += 1
        buf[0:8] = struct.pack("<Q", n)
        for fd in fds:
            os.pwritev(fd, [buf], n % SLOTS * DISTANCE)
else:
    for name in sys.argv[2:]:
        fd = opened(name, os.O_RDONLY)
        last = 0
        for i in range(SLOTS):
            os.preadv(fd, [buf], i * DISTANCE)
            last = max(last, struct.unpack("<Q", buf[0:8])[0])
        print(last, end=" ")
        os.close(fd)
PYTHON
spawn python3 "$scratch/numbers" write /dev/mapper/t1 /dev/mapper/t2
writer=$spawned
spawn_out=$scratch/fio spawn fio --name=w --filename=/dev/mapper/t3 --direct=1 \
	--ioengine=libaio --iodepth=4 --rw=randwrite --bs=4k --size=8M --rate_iops=200 \
	--time_based --runtime=3000 --norandommap --randrepeat=0
other=$spawned
require wait_until 120 loaded t1
require wait_until 120 loaded t3

# last_of ID-OF-A ID-OF-B: sets a and b
last_of()
{
	activate a "$1" 64M
	activate b "$2" 64M
	read -r a b _ < <(python3 "$scratch/numbers" last /dev/mapper/a /dev/mapper/b)
	remove a b
}

bad=0 seen="" before=0
for i in {1..12}; do
	require msg create_snaps $((100 + i)) 2 $((200 + i)) 3 $((300 + i)) 1
	last_of $((300 + i)) $((100 + i))
	require msg delete $((300 + i))
	[ "$i" = 1 ] || require msg delete $((199 + i))
	seen+="$a/$b "
	[ "$a" = "$b" ] || [ "$a" = $((b + 1)) ] || bad=$((bad + 1))
	[ "$a" -ge "$before" ] || bad=$((bad + 1))
	before=$a
done
diag <<< "$seen"
is $bad 0 "each pair has the same numbers, or the first one more"
ok "and they grew" test "$before" -gt 12

# The same one by one is not of one moment: the test above can fail.
bad=0 seen=""
for i in {1..50}; do
	require msg create_snap 1001 1
	require msg create_snap 1002 2
	last_of 1001 1002
	[ "$a" = "$b" ] || [ "$a" = $((b + 1)) ] || bad=$((bad + 1))
	require msg delete 1001
	require msg delete 1002
	[ $bad = 0 ] || break
done
ok "one by one they are not" test $bad -gt 0
ok "the writer is still running" running "$writer"
ok "so is the other" running "$other"
stop "$writer"
stop "$other"

# They do not change.
activate s 212 8M
a=$(dd if=/dev/mapper/s bs=1M iflag=direct status=none | sha256sum)
require blockio write /dev/mapper/t3 0 8M 1
is "$(dd if=/dev/mapper/s bs=1M iflag=direct status=none | sha256sum)" "$a" \
	"a snapshot does not change"
remove s

# Refusals change nothing.
before=$(dmsetup status pool)
unchanged() { is "$(dmsetup status pool)" "$before" "nothing has changed"; }
log_mark
fails "the third is in use" "File exists" msg create_snaps 401 1 402 2 101 3
logged "cannot create snapshot 101 of device 3: its id is in use" "the log says which"
fails "one that the message makes" "No data" msg create_snaps 401 1 402 401
log_mark
fails "an unknown origin" "No data" msg create_snaps 401 1 402 9
logged "cannot create snapshot 402 of device 9: there is no such origin" "the log says which"
log_mark
fails "the same id twice" "Invalid argument" msg create_snaps 401 1 401 2
logged "cannot create snapshot 401 of device 2: its id is too large, or is wanted twice" \
	"the log says which"
log_mark
fails "an odd number" "Invalid argument" msg create_snaps 401 1 402
logged "Message received with 4 arguments: create_snaps takes 1 to 64 pairs of device ids" \
	"the log says why"
fails "none" "Invalid argument" msg create_snaps
log_mark
fails "an id too large" "Invalid argument" msg create_snaps 401 1 16777216 2
logged "invalid device id: 16777216" "the log says which"
fails "no number" "Invalid argument" msg create_snaps 401 1 402 x
# shellcheck disable=SC2046 # words
fails "65 pairs" "Invalid argument" msg create_snaps $(for i in {1..65}; do echo $((500 + i)) 1; done)
unchanged
# shellcheck disable=SC2046 # words
ok "64 pairs" msg create_snaps $(for i in {1..64}; do echo $((500 + i)) $((i % 3 + 1)); done)
ok "one pair, in upper case" msg CREATE_SNAPS 600 1
is "$(events)" 0 "no message raised an event"
remove t1 t2 t3 pool
is "$(thin_dump "$META" | grep -c '<device dev_id="5')" 64 "they are all there"
ok "the independent checker" decode META

# Too little metadata space for many at once does not stop the pool.
disk META2 260k
make_pool "$META2" "$DATA"
make_thin t1 1 16M
require blockio write /dev/mapper/t1 0 16M 1
for ((i = 2; i < 40; i++)); do
	msg create_snap $i 1 > /dev/null 2>&1 || break
	[ "$(pool_mode)" = rw ] || break
	# shellcheck disable=SC2046 # words
	msg create_snaps $(for k in {1..64}; do echo $((i * 100 + k)) 1; done) > "$scratch/out" 2>&1
	r=$?
	[ $r = 0 ] || break
	require blockio write /dev/mapper/t1 0 64k $i
done
ok "in the end there is no space" grep "No space" "$scratch/out"
is "$(pool_mode)" rw "the pool goes on"
ok "one can still be deleted" msg delete 2
remove t1 pool
finish
