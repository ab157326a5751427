#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thinx(8) when things are not as they should be: malformed words, devices that go while
# they are asked about, readers that stop half-way, pages of any size, thousands of
# volumes; and its numbers for monitoring and its pictures.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../lib-tool.sh
. "$(dirname "$0")/../lib-tool.sh"

disk META 64
disk DATA 4G
# 20000 blocks, of which no two are neighbours: some megabytes of text.
format_scattered "$META" "$DATA" 20000
make_pool "$META" "$DATA"
activate t1 1 2G

# --- malformed words ---

for id in x -1 +1 1.5 16777216 99999999999999999999 '' 0x1 1x; do
	exits 2 "is no thin device" thinx map --dev-id "$id" pool
done
exits 2 "is no thin device" thinx delta --thin1 1 --thin2 y pool
exits 2 "two volumes are expected" thinx delta --thin1 1 pool
exits 1 "no such thin device in the pool" thinx delta --thin1 1 --thin2 2 pool
for n in 0 -1 x 1e3 ''; do
	exits 2 "a number of at least 1" thinx list --interval "$n"
done
exits 2 "one of h, b, s" thinx list --units q
exits 1 "nrecognised field|Unrecognised" thinx list -o nothing
exits 1 "election" thinx list -S 'size >'
exits 1 "no such pool or volume" thinx list /dev/null
exits 1 "no such pool or volume" thinx list /
exits 1 "no such volume" thinx map "$(printf 'x%.0s' {1..300})"
exits 2 "requires an argument|option" thinx list --count
exits 2 "unrecognized option|option" thinx list --nothing

# --- pages: the same text, whatever the kernel's pages are ---

is "$(thinx map t1 | grep -c single_mapping)" 20000 "a map of many pages"
is "$(thinx map --ranges t1 | wc -l)" 20000 "its ranges"
ok "its JSON" eval "thinx map --json t1 | python3 -m json.tool > /dev/null"
for max in 1 2 499 4096 100000 18446744073709551615; do
	a=$(msg map 1 19990 $max | sed -e 1d | awk '$1 == "next" { exit } { print $1 }' | head -n 1)
	is "$a" 19990 "a page of $max begins where it should"
done
fails "MAX 0" "Invalid argument" msg map 1 0 0
is "$(msg map 1 20000 1000 | sed 1d)" end "behind the last block"
is "$(msg delta 1 1 18446744073709551615 1000 | sed 1d)" end "from the last number there is"

# --- readers that stop ---

is "$(thinx map t1 | head -n 1 | cut -c1-11)" "<superblock" "a reader that takes a line"
thinx map t1 2> "$scratch/said" | head -c 100 > /dev/null
is "${PIPESTATUS[0]}" 141 "the program ends by SIGPIPE"
is "$(cat "$scratch/said")" "" "and says nothing about it"
(trap '' PIPE; thinx map t1 2> "$scratch/said"; echo $? > "$scratch/status") | head -c 100 > /dev/null
is "$(cat "$scratch/status")" 1 "where that is ignored, it fails"
like "$(cat "$scratch/said")" "writing: Broken pipe" "and says why"
for c in "list" "usage" "stat pool" "stat --counters pool" "map t1" "delta t1 t1" \
	"export --prometheus"; do
	exits 1 "No space left" sh -c "thinx $c > /dev/full"
done
timeout 1 thinx list --interval 1 --count 100 > /dev/null
is $? 124 "an interval can be ended"

# --- devices that go while they are asked about ---

bad=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	require msg create_snap 7 1
	thinx map --dev-id 7 pool > "$scratch/map" 2> "$scratch/said" &
	asker=$!
	sleep 0.0$i
	require msg delete 7
	wait $asker
	case $? in
	0) grep -q '</superblock>' "$scratch/map" || bad=$((bad + 1)) ;;
	1) grep -qE 'no such thin device|being deleted' "$scratch/said" || bad=$((bad + 1))
	   [ ! -s "$scratch/map" ] || bad=$((bad + 1)) ;;
	*) bad=$((bad + 1)) ;;
	esac
done
is $bad 0 "a device deleted meanwhile: all of its map, or nothing and the reason"

# --- for monitoring ---

thinx export --prometheus > "$scratch/metrics"
is $? 0 "numbers for Prometheus"
ok "the volume is there" grep -qxF \
	'thinx_volume_mapped_bytes{pool="pool",volume="t1",id="1"} 1310720000' "$scratch/metrics"
is "$(sed -n 's/^thinx_commits_total{pool="pool"} //p' "$scratch/metrics")" \
	"$(msg stats | sed -n 's/^commits //p')" "with its pool's counters"
if promtool --version > /dev/null 2>&1; then
	ok "promtool has no objections" promtool check metrics < "$scratch/metrics"
fi
cat > "$scratch/grammar.py" <<'END'
# Exposition format 0.0.4: a family is one block of HELP, TYPE and its samples, no
# sample is there twice, buckets rise to +Inf, which is the count.
import re, sys
label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
sample = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(%s(?:,%s)*)\})? (\d+)\n' % (label, label))
seen, families, kind, name = set(), set(), None, None
buckets = {}
for line in sys.stdin:
    if m := re.fullmatch(r'# HELP ([a-z_]+) .+\n', line):
        name, kind = m[1], None
        assert name not in families, line
        families.add(name)
    elif m := re.fullmatch(r'# TYPE ([a-z_]+) (gauge|counter|histogram)\n', line):
        assert m[1] == name and kind is None, line
        kind = m[2]
    else:
        m = sample.fullmatch(line)
        assert m and kind, line
        assert (m[1], m[2]) not in seen, line
        seen.add((m[1], m[2]))
        if kind != 'histogram':
            assert m[1] == name, line
            continue
        part = m[1][len(name):]
        assert m[1].startswith(name) and part in ('_bucket', '_count'), line
        if part == '_bucket':
            labels, le = re.fullmatch(r'(.*),le="([^"]*)"', m[2]).groups()
            last = buckets.get(labels, (-1.0, 0))
            assert float(le) > last[0] and int(m[3]) >= last[1], line
            buckets[labels] = float(le), int(m[3])
        else:
            assert buckets[m[2]] == (float('inf'), int(m[3])), line
assert len(seen) > 100 and buckets
END
ok "it keeps to the grammar" python3 "$scratch/grammar.py" < "$scratch/metrics"
ok "as JSON" eval "thinx export --json pool | python3 -c 'import json, sys
m = json.load(sys.stdin)[\"metrics\"]; assert len(m) > 100'"
exits 2 "--prometheus or --json is expected" thinx export
exits 1 "no such pool" thinx export --json t1

# --- samples, and pictures of them ---

log=$scratch/log
spawn fio --name=w --filename=/dev/mapper/t1 --offset=1500M --size=400M --rw=write --bs=64k \
	--direct=1 --rate=20M --output="$scratch/fio"
require wait_until 60 loaded t1
ok "samples" thinx stat --log "$log" --interval 1 --count 6 pool
is "$(head -n 1 "$log")" "thinx-log 1 pool" "the log says of which pool it is"
is "$(grep -c ' data ' "$log")" 6 "it has six"
space=$(thinx stat --space --log "$log" --noheadings -o space,growth,full_seconds --units m --nosuffix pool)
grown=$(awk '$1 == "data" { print int($2) }' <<< "$space")
ok "it grows by what is written: $grown MiB a second" test "$grown" -ge 8 -a "$grown" -le 40
like "$(awk '$1 == "data" { print $3 }' <<< "$space")" '^[0-9]+$' "and will be full"
like "$(thinx stat pool)" 'Full in' "the usual tables say so"
is "$(thinx stat pool | awk 'length > 80')" "" "in 80 columns"
stop "$spawned"
printf '1764' >> "$log"
ok "a log of which the last line was cut off" thinx stat --log "$log" pool
is "$(tail -n 2 "$log" | grep -c ' data ')" 1 "goes on in a line of its own"
exits 1 "no log of thinx stat" thinx stat --log "$scratch/metrics" pool
exits 1 "not about a volume" thinx stat --log "$scratch/other" t1
sed -i '1s/pool/other/' "$log"
exits 1 "the log of another pool, other" thinx stat --log "$log" pool
sed -i '1s/other/pool/' "$log"
exits 2 "ends in .png or .svg" thinx plot "$log" "$scratch/picture.gif"
exits 1 "No such file" thinx plot "$scratch/nothing" "$scratch/picture.png"
exits 1 "no log of thinx stat" thinx plot "$scratch/metrics" "$scratch/picture.png"
if gnuplot --version > /dev/null 2>&1; then
	ok "a picture" thinx plot "$log" "$scratch/picture.png"
	is "$(head -c 4 "$scratch/picture.png" | od -An -c | tr -d ' ')" '211PNG' "which is a PNG"
	ok "an SVG" thinx plot "$log" "$scratch/picture.svg"
	ok "which is XML" python3 -c 'import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])' "$scratch/picture.svg"
	is "$(thinx plot --json "$log" "$scratch/picture.png" | python3 -c 'import json, sys
print(json.load(sys.stdin)["space"][0]["space"])')" data "what is foreseen, as JSON"
	exits 1 "No such file" thinx plot "$log" "$scratch/nowhere/picture.png"
else
	exits 1 "install it" thinx plot "$log" "$scratch/picture.png"
	ok "and there is no picture" test ! -e "$scratch/picture.png" -a ! -e "$scratch/picture.png.new"
fi
remove t1

# --- many volumes ---

remove pool
{
	echo "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" data_block_size=\"$bs\" nr_data_blocks=\"$(($(size_of "$DATA") / bs))\">"
	seq 10000 19999 | sed 's,.*,<device dev_id="&" mapped_blocks="0" transaction="0" creation_time="0" snap_time="0"></device>,'
	echo "</superblock>"
} > "$scratch/xml"
require thin_restore -i "$scratch/xml" -o "$META"
make_pool "$META" "$DATA"
batch "four hundred volumes" < <(seq 10000 25 19999 |
	sed "s,.*,create v& 2048 $TARGET_THIN /dev/mapper/pool &,")
begun=$(date +%s%N)
thinx list --noheadings -o type,id > "$scratch/list"
echo "# listed in $((($(date +%s%N) - begun) / 1000000)) ms"
is "$(grep -c 'volume' "$scratch/list")" 400 "all volumes are listed"
is "$(grep -c 'unused' "$scratch/list")" 9600 "and all devices without one"
ok "in order" eval "tail -n +2 '$scratch/list' | awk '{ print \$2 }' | sort -cn"
is "$(thinx export --prometheus | grep -c '^thinx_volume_size_bytes')" 400 "volumes are exported"
is "$(thinx list --noheadings -o id v10000 v10025 | tr -d ' \n')" 1000010025 "two of them"
batch "they go" < <(seq 10000 25 19999 | sed 's,^,remove v,')
finish
