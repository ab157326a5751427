#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# docs/observing.md: every command can be run, and its output answers the question, in
# a scene made for it.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"
t=/sys/kernel/tracing
[ -d $t/events ] || mount -t tracefs nodev $t 2> /dev/null
[ -d $t/events/thinx ] || skip_all "this kernel has no tracepoints"

# Blocks of commands of a scene, each in a file of its own: $scratch/SCENE.1 and so on.
commands_of()
{
	awk -v scene="$1" -v out="$scratch/$1." '
		$0 == "<!-- run: " scene " -->" { wanted = 1; next }
		/^```sh$/ && wanted { n++; p = 1; wanted = 0; next }
		/^```$/ { p = 0 }
		p { print > (out n) }
		END { print n + 0 }' "$top/docs/observing.md"
}

# run SCENE N: its output is in $said
run()
{
	said=$(cd "$scratch" && bash -eu "$scratch/$1.$2" 2>&1)
	is $? 0 "$1: the commands of step $2 succeed"
	echo "$said" | diag
}

disk META 16
disk DATA 1024
make_pool "$META" "$DATA"

# --- a volume whose every write copies a block ---

is "$(commands_of slow)" 4 "slow: four steps"
make_thin v 1 1G
require blockio write /dev/mapper/v 0 256M 1
snapshot v 1 2
busy writer --filename=/dev/mapper/v --rw=randwrite --bs=4k --size=256M --randrepeat=0 --direct=1 \
	--rate_iops=100 --time_based --runtime=1
writer=$spawned
require wait_until 60 loaded v
run slow 1
like "$said" 'pool +rw ' "the mode of the pool"
run slow 2
like "$said" 'shared_write +[1-9]' "writes to shared blocks"
like "$said" 'sectors_copied +[1-9]' "and copies"
run slow 3
for s in queued planning data inserting; do
	like "$said" "$s +[1-9]" "how long: $s"
done
run slow 4
like "$said" 'thinx_stage: .* id 1 (queued|planning|data|inserting|locked) [1-9][0-9]{5,} ns' "slow stages"
is "$(cat $t/events/thinx/thinx_stage/enable)" 0 "no event is left enabled"
calm
succeeds "$writer" "the writer ends"

# --- two volumes that grow, one more than the other ---

is "$(commands_of full)" 4 "full: four steps"
make_thin w 3 1G
activate s 2 1G
busy writer --filename=/dev/mapper/w --rw=randwrite --bs=64k --size=256M --randrepeat=0 --direct=1 \
	--rate_iops=50 --time_based --runtime=1
writer=$spawned
require wait_until 60 loaded w
run full 1
like "$said" 'v +1 ' "the volumes"
like "$said" 'w +3 ' "with their ids"
run full 2
like "$said" 'device 3 [1-9][0-9]* blocks' "who takes blocks"
calm
succeeds "$writer" "the writer ends"
run full 3
like "$said" '^ *Name|^s |name' "what a deletion would free"
run full 4
like "$said" '^[0-9]+ [0-9]+ (own|shared) [0-9]+' "ranges in bytes"

# --- commits ---

is "$(commands_of commit)" 2 "commit: two steps"
busy writer --filename=/dev/mapper/w --rw=randwrite --bs=4k --offset=256M --size=128M --randrepeat=0 --direct=1 \
	--fsync=1 --rate_iops=20 --time_based --runtime=1
writer=$spawned
require wait_until 60 loaded w
run commit 1
for s in commit commit_close commit_flush commit_write commit_complete; do
	like "$said" "$s +[1-9]" "how long: $s"
done
run commit 2
like "$said" 'thinx_commit_parts: .* flush [0-9]+ write [0-9]+' "parts of a commit"
like "$said" 'thinx_commit: .* commits_for_waiters ' "for whom"
calm
succeeds "$writer" "the writer ends"

# --- the past ---

is "$(commands_of hour)" 3 "hour: three steps"
busy writer --filename=/dev/mapper/w --rw=randwrite --bs=64k --offset=512M --size=256M \
	--randrepeat=0 --direct=1 --rate_iops=50 --time_based --runtime=1
writer=$spawned
require wait_until 60 loaded w
run hour 1
like "$(tail -n 2 <<< "$said")" 'data .*[0-9].*[smhd]' "how fast, and until when"
calm
succeeds "$writer" "the writer ends"
if gnuplot --version > /dev/null 2>&1; then
	run hour 2
	is "$(head -c 4 /tmp/pool.png | tail -c 3)" PNG "a picture"
else
	diag <<< "no gnuplot: step 2 of the last question was not run"
fi
run hour 3
like "$said" '^thinx_pool_data[a-z_]*[{].*[}] [0-9]' "numbers for Prometheus"
finish
