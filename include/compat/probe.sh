#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# What do this kernel's headers offer?  Compiles the probes, and writes a header with
# THINX_HAVE_NAME for each NAME.c: 1 if it compiles, else 0.  Run by probes.mk.
#
#   probe.sh [-a] HEADER RELEASE 'OLDEST THIS NEWEST' COMPILER PROBE... -- CC FLAG...
#
#   -a   any kernel, not only from series OLDEST to NEWEST
#
# All probes are compiled at once.  Those with errors are left out, and the rest
# compiled again, until there are no errors: that takes one compilation more than
# there are kinds of trouble, two as a rule.  Errors outside of the probes mean that
# nothing can be told: the build ends.  So it does if compiles.c has errors, or
# does_not_compile.c has none.

set -eu
export LC_ALL=C

say() { echo "thinx: $*" >&2; }
die() { say "$*"; exit 1; }

any=0
[ "$1" != -a ] || { any=1; shift; }
header=$1 release=$2 range=$3 compiler=$4
shift 4

# shellcheck disable=SC2086 # words
if ! printf '%s\n' $range | sort -VC; then
	say "this is Linux $release; thinx is for Linux ${range%% *} to ${range##* }"
	[ $any = 1 ] ||
		die "THINX_ANY_KERNEL=1 in make's environment builds it for others," \
			"on which it is not tested"
fi

probes=
while [ "$1" != -- ]; do
	probes="$probes $1"
	shift
done
shift

log=$header.log
trap 'rm -f "$log" "$header.tmp"' EXIT

# is_one_of WORD WORDS
is_one_of() { case " $2 " in *" $1 "*) ;; *) return 1 ;; esac; }

good=$probes
while :; do
	includes=
	for p in $good; do
		includes="$includes -include $p"
	done
	# Warnings are of no interest, nor what makes errors of them.
	# shellcheck disable=SC2086 # words
	if "$@" -Wno-error -fsyntax-only $includes -x c /dev/null > "$log" 2>&1; then
		break
	fi
	# The compiler may put ./ in front of the path.
	bad=$(sed -nE 's,^([^:]*/)?probes/([^:/]+\.c):[0-9:]+ (fatal )?error: .*,\2,p' "$log" |
		sort -u | tr '\n' ' ')
	rest=
	for p in $good; do
		is_one_of "${p##*/}" "$bad" || rest="$rest $p"
	done
	if [ "$rest" = "$good" ]; then
		cat "$log" >&2
		die "the headers of Linux $release do not compile"
	fi
	if is_one_of compiles.c "$bad"; then
		cat "$log" >&2
		die "the headers of Linux $release, or the compiler, are not fit for use"
	fi
	good=$rest
done
for p in $good; do
	[ "${p##*/}" != does_not_compile.c ] ||
		die "the compiler finds no error where there is one: $*"
done

{
	echo "/* Linux $release, $compiler: made by include/compat/probe.sh. */"
	for p in $probes; do
		name=$(basename "$p" .c | tr a-z- A-Z_)
		value=0
		! is_one_of "$p" "$good" || value=1
		echo "#define THINX_HAVE_$name $value"
	done
} > "$header.tmp"
mv "$header.tmp" "$header"
