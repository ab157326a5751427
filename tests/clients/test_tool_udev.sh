#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# thinx(8) with udev: devices that it makes have their nodes when it returns, and no
# cookie is left; and the rule of thinx policy starts a service for pools that have a
# file, by UUID or name, and for no others.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=udev.sh
. "$(dirname "$0")/udev.sh"

PATH=$top/build:$PATH
thinx --help > /dev/null || skip_all "the program is not there, or was built for other libraries"

rules=/etc/udev/rules.d/68-thinx-policy.rules
policies=/etc/thinx/policy.d
started=$scratch/started

forget_rules() { rm -rf "$rules" /etc/thinx; }
kernel_name() { basename "$(readlink -f "/dev/mapper/$1")"; }
was_started() { grep -qxF -- "--no-block start thinx-policy@$(kernel_name "$1").service" "$started"; }

# In place of systemctl, which needs systemd.
mkdir -p "$policies" "$(dirname "$rules")"
at_end forget_rules
cat > "$scratch/systemctl" <<-END
#!/bin/sh
echo "\$@" >> $started
END
chmod +x "$scratch/systemctl"
: > "$started"
sed "s,/bin/systemctl,$scratch/systemctl," "$top/packaging/udev/68-thinx-policy.rules" > "$rules"
udev_start

# --- the rule ---

disk META 16
disk DATA 128
make_pool "$META" "$DATA"
require udevadm settle --timeout=240
is "$(cat "$started")" "" "a pool without a file: nothing is started"
remove pool
: > "$policies/pool.conf"
make_pool "$META" "$DATA"
ok "with a file of its name" wait_until 60 was_started pool
remove pool
: > "$started"
require dmsetup create pool -u THINX-test.1 --table "$(pool_table "$META" "$DATA")"
require udevadm settle --timeout=240
is "$(cat "$started")" "" "a file of the name is not that of a pool with a UUID"
remove pool
mv "$policies/pool.conf" "$policies/THINX-test.1.conf"
require dmsetup create pool -u THINX-test.1 --table "$(pool_table "$META" "$DATA")"
ok "one of the UUID is" wait_until 60 was_started pool
: > "$started"
require dmsetup suspend pool
require dmsetup resume pool
ok "again when it is resumed" wait_until 60 was_started pool

# --- devices ---

make_thin t1 1 32M
require blockio write /dev/mapper/t1 0 1M 1
for i in 1 2 3; do
	ok "a snapshot" thinx snapshot "s$i=t1"
	ok "its node is there at once" blockio verify "/dev/mapper/s$i" 0 1M 1
done
ok "that udev has made" test -L /dev/mapper/s1
require blockio write /dev/mapper/t1 0 1M 2
ok "rolled back" thinx rollback t1 s1
ok "the volume" blockio verify /dev/mapper/t1 0 1M 1
ok "what it had" blockio verify /dev/mapper/t1-before 0 1M 2
ok "undone" thinx undo t1
ok "the volume again" blockio verify /dev/mapper/t1 0 1M 2
udev_is_done "in the end"
finish
