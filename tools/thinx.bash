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
	local commands='list usage stat map delta snapshot rollback undo policy export plot'
	local table='-o -O -S --units --nosuffix --noheadings --json --help'
	local interval='--interval --count'
	local line=" ${COMP_WORDS[*]} " words

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands help --help" -- "$word")
		return
	fi
	case $before in
	-o|-O|-S|--interval|--count|--dev-id|--thin?|--snap?|--keep|--reserve|--limit) return ;;
	--units) words='h b s k m g t p e H B S K M G T P E' ;;
	--log|--config) words=; compopt -o default ;;
	*)	case ${COMP_WORDS[1]}:$word in
		list:-*|usage:-*) words="$table $interval" ;;
		stat:-*) words="--counters --bars --space --log $table $interval" ;;
		map:-*) words='--dev-id --ranges --json --help' ;;
		delta:-*) words='--thin1 --thin2 --ranges --json --help' ;;
		snapshot:-*) words="--group $table" ;;
		rollback:-*) words="--keep --dev-id $table" ;;
		undo:-*) words="--dev-id $table" ;;
		policy:-*) words="--reserve --limit --dev-id --config $table" ;;
		export:-*) words='--prometheus --json --help' ;;
		plot:-*) words='--json --help' ;;
		help:*) words=$commands ;;
		plot:*) words=; compopt -o default ;;
		export:*) words=$(_thinx_devices thinx-pool thin-pool) ;;
		policy:*)
			if [ "$COMP_CWORD" = 2 ]; then
				words='set show apply'
			elif [[ $line == *' set '* && $line != *' --dev-id '* ]]; then
				words=$(_thinx_devices thinx thin)
			else
				words=$(_thinx_devices thinx-pool thin-pool)
			fi ;;
		list:*|usage:*|stat:*) words=$(_thinx_devices thinx-pool thin-pool thinx thin) ;;
		snapshot:*)
			words=
			[ "$before" != = ] || words=$(_thinx_devices thinx thin) ;;
		rollback:*|undo:*) words=$(_thinx_devices thinx thin) ;;
		*)	words=$(_thinx_devices thinx thin)
			[[ $line != *' --dev-id '* && $line != *' --thin1 '* ]] ||
				words=$(_thinx_devices thinx-pool thin-pool) ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _thinx thinx
