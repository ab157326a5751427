#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# make install-tools puts the program, its manual page and its completion where they
# belong; what is installed runs; and make uninstall-tools leaves nothing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

dest=$work/dest
ok "build and install" make -s "DESTDIR=$dest" PREFIX=/usr install-tools
(cd "$dest" && find . -type f | sort) > "$work/got"
cat > "$work/wanted" <<-END
./usr/lib/systemd/system/thinx-policy@.service
./usr/lib/udev/rules.d/68-thinx-policy.rules
./usr/sbin/thinx
./usr/share/bash-completion/completions/thinx
./usr/share/man/man8/thinx.8
END
same "these files and no others" "$work/got" "$work/wanted"
ok "the service runs it" grep -qx "ExecStart=/usr/sbin/thinx policy apply /dev/%i" \
	"$dest/usr/lib/systemd/system/thinx-policy@.service"
ok "the program runs" grep -q '^  list ' <("$dest/usr/sbin/thinx" --help)
"$dest/usr/sbin/thinx" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' > "$work/commands"
while read -r command; do
	ok "the manual page has $command" \
		grep -q "^\.SS $command" "$dest/usr/share/man/man8/thinx.8"
	ok "so does the completion" \
		grep -qw "$command" "$dest/usr/share/bash-completion/completions/thinx"
done < "$work/commands"
ok "uninstall" make -s "DESTDIR=$dest" PREFIX=/usr uninstall-tools
find "$dest" -type f > "$work/got"
same "nothing is left" "$work/got" /dev/null
echo "1..$number"
