#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# scripts/deps.sh on systems that it does not know: one line says what is missing and
# how to go on.  Nothing is installed: it finds only the commands in a directory of
# the test.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$work/bin"
for c in bash cat dirname env grep id sed uname; do
	ln -s "$(command -v "$c")" "$work/bin/"
done
fedora=$work/fedora
printf 'ID=fedora\nPRETTY_NAME="Fedora Linux 41"\n' > "$fedora"
forky=$work/forky
printf 'ID=debian\nVERSION_CODENAME=forky\nPRETTY_NAME="Debian forky"\n' > "$forky"
trixie=$work/trixie
printf 'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n' > "$trixie"
bookworm=$work/bookworm
printf 'ID=debian\nVERSION_CODENAME=bookworm\n' > "$bookworm"

# on SYSTEM ARGUMENT...: run deps.sh as on that system, with only those commands
on()
{
	local system=$1

	shift
	PATH=$work/bin THINX_OS_RELEASE=$system bash scripts/deps.sh "$@"
}

# has COMMAND: from now on there is such a command
has() { ln -sf /bin/true "$work/bin/$1"; }

fails "on other systems it says which this is" "Fedora Linux 41" on "$fedora"
fails "what is missing" "missing here: gcc, make, headers of kernel $(uname -r);" on "$fedora"
fails "and how to go on" "make and make install do without" on "$fedora"
ok "in one line" [ "$(on "$fedora" 2>&1 | wc -l)" = 1 ]
fails "a Debian it does not know" "Debian forky" on "$forky"
fails "Debian 13 without apt-get" "missing here: gcc" on "$trixie"

has dnf
fails "dnf's names" "(dnf install gcc make kernel-devel-$(uname -r))" on "$fedora"
rm "$work/bin/dnf"
has pacman
fails "pacman's names" "(pacman -S gcc make linux-headers)" on "$fedora"
has gcc
fails "what is there is not missing" "missing here: make, headers" on "$fedora"
has make
fails "what the demonstration needs" "missing here: rsync" on "$fedora" --demo
fails "and the machines" "qemu" on "$fedora" --vm
fails "and the tests" "shellcheck" on "$fedora" --test
fails "no kernel is fetched" "on Debian 12 and 13 only" on "$fedora" --kernel 4.2
fails "no clients" "Debian 12 or 13" on "$fedora" --clients

# default SYSTEM: the scripts' default kernel there
default() { THINX_OS_RELEASE=$1 bash -c '. scripts/kernels.sh; echo "$kernel_default"'; }

ok "the default kernel of Debian 12" [ "$(default "$bookworm")" = 6.1 ]
ok "of Debian 13" [ "$(default "$trixie")" = 6.12 ]
ok "elsewhere, the running one" [ "$(default "$fedora")" = "$(uname -r)" ]
