#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thinx(7) and docs/interface.md name all parameters, features, messages and targets
# of the modules.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

page=docs/man/thinx.7
module=$(scripts/module.sh)

# words WHAT FILE...: each word from standard input is in each file
words()
{
	local what=$1 w f n=0

	shift
	while read -r w; do
		n=$((n + 1))
		for f; do
			sed 's/\\-/-/g' "$f" | grep -qw -- "$w" ||
				fail "$f names the $what $w"
		done
	done
	[ $n -gt 0 ] || fail "there are ${what}s"
	pass "$n ${what}s are named"
}

words parameter $page docs/interface.md \
	< <(/sbin/modinfo -F parm "$module" "${module%/*}/dm-thin-pool.ko" | sed 's/:.*//')
words feature $page docs/interface.md \
	< <(sed -n 's/.*strcasecmp(word, "\(.*\)").*/\1/p' control/arguments.c)
words message $page docs/interface.md \
	< <(sed -n 's/^\t{ "\([a-z_]*\)", [0-9], .*/\1/p' control/message.c)
words target $page docs/interface.md \
	< <(sed -n 's/.*\.name = "\(.*\)",.*/\1/p' control/*-target.c)
