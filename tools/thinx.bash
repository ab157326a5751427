# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Copyright (C) 2026 The thinx authors.
#
# Completion of thinx(8) for bash.

_thinx_devices()
{
	local target

	for target in "$@"; do
		dmsetup ls --target "$target" 2> /dev/null | cut -f1 |
			grep -vx 'No devices found'
	done
}

_thinx()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local table='-o -O -S --units --nosuffix --noheadings --interval --count --json --help'
	local words

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'list usage stat map delta help --help' -- "$word")
		return
	fi
	case $before in
	-o|-O|-S|--interval|--count|--dev-id|--thin?|--snap?) return ;;
	--units) words='h b s k m g t p e H B S K M G T P E' ;;
	*)	case ${COMP_WORDS[1]}:$word in
		list:-*|usage:-*) words=$table ;;
		stat:-*) words="--counters --bars $table" ;;
		map:-*) words='--dev-id --ranges --json --help' ;;
		delta:-*) words='--thin1 --thin2 --ranges --json --help' ;;
		help:*) words='list usage stat map delta' ;;
		list:*|usage:*|stat:*) words=$(_thinx_devices thinx-pool thin-pool thinx thin) ;;
		*)	words=$(_thinx_devices thinx thin)
			[[ " ${COMP_WORDS[*]} " != *" --dev-id "* &&
			   " ${COMP_WORDS[*]} " != *" --thin1 "* ]] ||
				words=$(_thinx_devices thinx-pool thin-pool) ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _thinx thinx
