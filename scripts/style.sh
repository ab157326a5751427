#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The style gate: one script for use by hand, in hooks and in CI.
#
#   scripts/style.sh           everything
#   scripts/style.sh GATE...   only these; the gates are the functions gate_*
#
# Each gate prints what is wrong and where; lines starting with "note:" are advice.
# Output is TAP, the exit status says whether all gates passed.  A gate that lacks
# what it needs is skipped, with the reason.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=kernels.sh
. scripts/kernels.sh

temp=$(mktemp -d)
trap 'rm -rf "$temp" .checkpatch-camelcase.*' EXIT

git ls-files --cached --others --exclude-standard | sort -u |
	while read -r f; do [ -f "$f" ] && echo "$f"; done > "$temp/files"
mapfile -t all_c < <(grep -E '\.[ch]$' "$temp/files")
mapfile -t module < <(grep -E '\.[ch]$' "$temp/files" | grep -vE '^(tests|tools)/')
mapfile -t module_c < <(printf '%s\n' "${module[@]}" | grep '\.c$')
mapfile -t headers < <(printf '%s\n' "${module[@]}" | grep '\.h$')
mapfile -t shell < <(grep -E '\.sh$|^\.ci/' "$temp/files")
SKIP=77

tool()
{
	[ -n "${tools:-}" ] || tools=$(scripts/deps.sh --scripts 2> "$temp/why")
	[ -n "$tools" ] || { tail -n 1 "$temp/why"; return $SKIP; }
}

#
# checkpatch: strict for the module; errors and warnings for tests and tools, which are
# user-space programs; nothing for tests/shim, a miniature of the kernel's interface
# whose macros checkpatch cannot like.  A clean file is remembered by its content.
#
checkpatch_one()
{
	local f=$1 r=0 key strict=() out

	case $f in
	tests/shim/*) return 0 ;;
	tests/*|tools/*) strict=(--ignore "$user_space") ;;
	include/trace/*) strict=(--ignore "$trace_macros") ;;
	*) strict=(--strict) ;;
	esac
	key=$( (echo "${strict[*]}"; cat "$f" .checkpatch.conf
		stat -c %s "$tools/scripts/checkpatch.pl") | sha256sum)
	key=$thinx_cache/checkpatch/${key%% *}
	[ ! -e "$key" ] || return 0
	# Lines with drawings are measured in characters.  That defeats
	# checkpatch's own check for UTF-8, so iconv makes it.
	iconv -f UTF-8 -t UTF-8 "$f" > /dev/null ||
		{ echo "$f: not UTF-8"; return 1; }
	out=$(PERL_UNICODE=SD "$tools/scripts/checkpatch.pl" --terse \
		--ignore INVALID_UTF8 "${strict[@]}" -f "$f" 2>&1 |
		grep -vE '^total:|^$|has no obvious style problems')
	if [ -n "$out" ]; then
		echo "$out"
		r=1
	else
		mkdir -p "${key%/*}"
		: > "$key"
	fi
	return $r
}

gate_checkpatch()
{
	tool || return
	# TRACE_EVENT() has a layout of its own.
	trace_macros=OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,SPACING
	user_space=ARRAY_SIZE,MACRO_WITH_FLOW_CONTROL,EMBEDDED_FUNCTION_NAME
	user_space=$user_space,PREFER_FALLTHROUGH,MEMORY_BARRIER,COMPLEX_MACRO
	user_space=$user_space,STRCPY
	export tools thinx_cache user_space trace_macros
	export -f checkpatch_one
	# shellcheck disable=SC2016 # for the inner shell
	printf '%s\n' "${all_c[@]}" |
		xargs -P 2 -n 4 bash -c 'for f; do checkpatch_one "$f" || r=1; done
			exit ${r:-0}' _
}

#
# What a file sources is checked along with it, a library again and again.  A clean
# file is remembered by its content and that of all files that may be sourced: all
# but the tests.
#
gate_shellcheck()
{
	local f key libraries sums todo=()
	local cache=$thinx_cache/shellcheck

	command -v shellcheck > /dev/null || { echo no shellcheck; return $SKIP; }
	libraries=$( (shellcheck --version
		printf '%s\n' "${shell[@]}" | grep -v '/test_[^/]*$' |
			xargs cat) | sha256sum)
	sums=$(sha256sum "${shell[@]}")
	while read -r key f; do
		[ -e "$cache/$key-${libraries%% *}" ] || todo+=("$f")
	done <<< "$sums"
	[ ${#todo[@]} -gt 0 ] || return 0
	# One process for all files takes longer than several.
	printf '%s\0' "${todo[@]}" |
		xargs -0 -n 8 -P "$(nproc)" shellcheck -x || return 1
	mkdir -p "$cache"
	while read -r key f; do
		: > "$cache/$key-${libraries%% *}"
	done <<< "$sums"
}

# SPDX first, then the copyright
gate_licence()
{
	# shellcheck disable=SC2016 # awk's
	awk '
	function told() {
		if (file && !licence) print file ": no licence in line 1"
		if (file && !author) print file ": no copyright"
		bad = bad || (file && !(licence && author))
		licence = author = 0
	}
	FNR == 1 { told(); file = FILENAME }
	FNR <= 2 && /SPDX-License-Identifier: GPL-2\.0-only/ { licence = 1 }
	FNR <= 5 && /Copyright \(C\) .* The thinx authors/ { author = 1 }
	FNR > 5 { nextfile }
	END { told(); exit bad }' "${all_c[@]}" "${shell[@]}"
}

#
# What a layer may include: itself and the one below, nothing above.
#
gate_includes()
{
	grep -HnoE '^[ \t]*#[ \t]*include "[^"]+"' "${module[@]}" | awk -F: '
	function layer(path) {
		if (path ~ /^include\/[a-z-]*format\.h$/) return "format"
		if (path ~ /^include\/compat\//) return "compat"
		if (path ~ /^include\/trace\//) return "trace"
		if (path ~ /^include\/thinx-(log|memory|version)\.h$/) return "log"
		if (path ~ /^(dm-thinx-types|metadata\/md-types)\.h$/) return "types"
		if (path ~ /^dm-thinx-metadata\.h$/) return "facade"
		if (path ~ /^dm-thinx-metadata(-bdev)?\.c$/) return "metadata"
		if (path ~ /^dm-thinx\.[ch]$/) return "top"
		if (path ~ /^dm-thin-pool\.c$/) return "drop-in"
		sub(/\/.*/, "", path)
		return path
	}
	BEGIN {
		may["format"] = "format"
		may["types"] = "format types"
		may["compat"] = "compat"
		may["trace"] = "types trace"
		may["persistent-data"] = "persistent-data format compat log"
		may["metadata"] = "metadata persistent-data format types facade compat trace log"
		may["facade"] = "types"
		may["data-path"] = "data-path facade types compat trace log"
		may["control"] = "control data-path facade types compat format trace log"
		may["top"] = "top control data-path compat trace log"
		may["drop-in"] = "top control data-path compat log"
	}
	{
		file = $1
		split($3, q, "\"")
		target = q[2]
		dir = file
		if (!sub(/\/[^\/]*$/, "", dir)) dir = ""
		if (target !~ /\// && dir != "" &&
		    !(target ~ /^dm-thinx/)) target = dir "/" target
		from = layer(file)
		to = layer(target)
		if (index(" " may[from] " ", " " to " ") == 0) {
			printf "%s:%s: %s must not include \"%s\" (%s)\n", file, $2, from, target, to
			bad = 1
		}
	}
	END { exit bad }'
}

# no circles, no arrows upwards, each function in its own file's header
gate_arrows() { scripts/check-arrows.py "${module[@]}"; }

# the device's name comes from a macro next to its struct: include/thinx-log.h
gate_messages()
{
	! grep -nE '\bDM(ERR|WARN|INFO)(_LIMIT)?\("%s' "${module[@]}" |
		grep -vE ':#define |:	DM[A-Z_]+\("%s: (%s: )?" fmt'
}

# guarded, and compile on their own: in user space on the shim, or in the kernel
gate_headers()
{
	local h flags bad=0 left=()

	for h in "${headers[@]}"; do
		grep -qE '^#(ifndef|if !defined)' "$h" || [[ $h == include/trace/* ]] ||
			{ echo "$h: no include guard"; bad=1; }
		printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
			gcc -std=gnu11 -fsyntax-only -D_GNU_SOURCE -Werror \
			-Itests/shim -I. -x c - 2> "$temp/h" || left+=("$h")
	done
	[ ${#left[@]} -gt 0 ] || return $bad
	if ! kernel_find "$kernel_default" || ! [ -e "$k_build/Makefile" ]; then
		echo "note: no kernel headers: ${#left[@]} headers not compiled"
		return $bad
	fi
	mkdir -p "$temp/m"
	{
		echo "obj-m := $(for h in "${left[@]}"; do
			echo "h_${h//[\/.]/_}.o"; done | tr '\n' ' ')"
		echo "ccflags-y += -I$PWD"
		echo "include $PWD/include/compat/probes.mk"
	} > "$temp/m/Kbuild"
	for h in "${left[@]}"; do
		printf '#include "%s"\n#include "%s"\n' "$h" "$h" \
			> "$temp/m/h_${h//[\/.]/_}.c"
	done
	flags=$(for h in "${left[@]}"; do echo "h_${h//[\/.]/_}.o"; done)
	# shellcheck disable=SC2086 # words
	make -s -k -j2 -C "$k_build" "M=$temp/m" $flags > "$temp/h" 2>&1 || {
		grep -E 'error:|warning:' "$temp/h" | head -n 20
		bad=1
	}
	return $bad
}

# choose by file or in a header, never in a .c file
gate_conditionals()
{
	! grep -nE '^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b' "${module_c[@]}"
}

# what headers offer is probed; the version may tell only how a kernel behaves
gate_versions()
{
	! printf '%s\n' "${all_c[@]}" | grep -v '^include/compat/bio\.h$' |
		xargs grep -nE 'LINUX_VERSION_|KERNEL_VERSION|RELEASE_CODE|linux/version\.h'
}

# every probe is asked for, and every answer has a probe
gate_probes()
{
	diff <(printf '%s\n' "${all_c[@]}" |
		sed -n 's,^include/compat/probes/\(.*\)\.c$,\1,p' |
		grep -vxE 'compiles|does_not_compile' | tr '[:lower:]' '[:upper:]' | sort) \
		<(grep -ohE '\bTHINX_HAVE_[A-Z0-9_]+' "${all_c[@]}" |
			sed 's/^THINX_HAVE_//' | sort -u)
}

gate_bug()
{
	! grep -nE '\bBUG(_ON)?[ \t]*\(' "${module[@]}"
}

gate_todo()
{
	! grep -nwE '(TODO|FIXME|XXX|HACK)' "${all_c[@]}" "${shell[@]}" |
		grep -v '^scripts/style\.sh:'
}

# kernel-doc in headers is well-formed
gate_kernel_doc()
{
	tool || return
	# kernel-doc 6.1 cannot parse a prototype continued after an attribute.
	"$tools/scripts/kernel-doc" -none "${headers[@]}" > "$temp/doc" 2>&1
	! grep -E 'warning:|error:' "$temp/doc"
}

# comments name what exists; lengths are reported
gate_comments()
{
	local dirs=()

	kernel_find "$kernel_default" && dirs+=("--kernel=$(realpath "$k_build/source" 2>/dev/null ||
		realpath "$k_build")/include")
	for d in /usr/src/linux-headers-"$kernel_default"*-common/include; do
		[ -d "$d" ] && dirs+=("--kernel=$d")
	done
	scripts/check-comments.py "${dirs[@]+"${dirs[@]}"}" \
		"${all_c[@]}" "${shell[@]}"
}

# manual pages, by whatever checker is here
gate_manual()
{
	local f lint=0 man=0

	command -v mandoc > /dev/null && lint=1
	command -v man > /dev/null && command -v groff > /dev/null && man=1
	[ $lint = 1 ] || [ $man = 1 ] ||
		{ echo "no mandoc, nor man and groff"; return $SKIP; }
	for f in docs/man/*.[1-9]; do
		[ $lint = 0 ] || mandoc -T lint "$f"
		[ $man = 0 ] || LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
			man --warnings -E UTF-8 -l -Tutf8 -Z "$f" > /dev/null
	done > "$temp/manual" 2>&1
	cat "$temp/manual"
	[ ! -s "$temp/manual" ]
}

# how far the code is from what clang-format would write: advice only
gate_clang_format()
{
	local n

	command -v clang-format > /dev/null ||
		{ echo "no clang-format"; return $SKIP; }
	n=$(for f in "${module[@]}"; do
		clang-format "$f" | diff "$f" - | grep -c '^<'
	done | awk '{ n += $1 } END { print n + 0 }')
	echo "note: clang-format would change $n lines"
}

gates=("$@")
[ ${#gates[@]} -gt 0 ] ||
	mapfile -t gates < <(declare -F | sed -n 's/^declare -f gate_//p')

# checkpatch takes the longest: it runs in parallel with the others.
for g in "${gates[@]}"; do
	if [ "$g" = checkpatch ]; then
		tool > /dev/null
		gate_checkpatch > "$temp/out.checkpatch" 2>&1 &
		checkpatch=$!
	fi
done

n=0
failures=0
echo "1..${#gates[@]}"
for g in "${gates[@]}"; do
	n=$((n + 1))
	if [ "$g" = checkpatch ]; then
		continue
	fi
	"gate_$g" > "$temp/out.$g" 2>&1
	echo $? > "$temp/status.$g"
done
[ -z "${checkpatch:-}" ] || { wait "$checkpatch"; echo $? > "$temp/status.checkpatch"; }

n=0
for g in "${gates[@]}"; do
	n=$((n + 1))
	r=$(cat "$temp/status.$g")
	sed 's/^/# /' "$temp/out.$g"
	if [ "$r" = $SKIP ]; then
		echo "ok $n - $g # SKIP $(head -n 1 "$temp/out.$g")"
	elif [ "$r" = 0 ]; then
		echo "ok $n - $g"
	else
		echo "not ok $n - $g"
		failures=$((failures + 1))
	fi
done
[ $failures = 0 ]
