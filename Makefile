# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# make                  dm-thinx-pool.ko for the running kernel, in this tree, and
#                       the drop-in, dm-thin-pool.ko
# make KDIR=DIR         for the kernel with the build directory DIR
# make KERNELRELEASE=REL  for the installed kernel REL
# make module KREL=REL  for an installed kernel (6.1, 6.12, or the output of
#                       uname -r), outside the tree: build/REL
#   W=1                 more warnings
#   C=1, C=2            sparse on rebuilt files, on all files
#   THINX_ANY_KERNEL=1  for a kernel not in include/compat/kernels.mk, untested
# make install          the module, for that kernel, and depmod; the manual page
#                       thinx(7).  The drop-in only if it was installed before
# make install-drop-in  the same, and the drop-in, which then is in place of dm-thin
# make uninstall        remove what these two put there
# make install-dkms     the manual page, and the source of both modules below
#                       /usr/src, where dkms finds it
# make uninstall-dkms   remove what install-dkms put there
#   INSTALL_MOD_PATH=DIR  directory that has lib/modules, in place of /
#   PREFIX=DIR          prefix for everything but the module (/usr/local)
#   DESTDIR=DIR         prepended to all paths, for packages; then no depmod
# make tools            the program thinx(8), build/thinx; it needs libdevmapper
# make install-tools    the program, its manual page, completion for bash, and what
#                       has policies applied when a pool comes up;
#                       make uninstall-tools
# make deb, make rpm    packages, with scripts/packages.sh
# make check            user-space tests; make coverage: their line coverage
# make clean            remove what was built in the tree
# make distclean        the same, and build/

KREL ?= $(or $(KERNELRELEASE),$(shell uname -r))
KDIR ?= /lib/modules/$(KREL)/build
# Where the module is built: here, or in a copy.
M ?= $(CURDIR)
PREFIX ?= /usr/local
INSTALL_MOD_DIR ?= updates
DEPMOD ?= /sbin/depmod

ko := dm-thinx-pool.ko
drop-in := dm-thin-pool.ko
# Kernels with BTF do not build modules without pahole: build without BTF then.
btf := $(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

utsrelease = $(KDIR)/include/generated/utsrelease.h
release = $(or $(KERNELRELEASE),$(shell sed -n 's/.*"\(.*\)"/\1/p' \
	$(utsrelease) 2>/dev/null),$(KREL))
root = $(abspath $(DESTDIR)$(INSTALL_MOD_PATH))
moddir = $(root)/lib/modules/$(release)/$(INSTALL_MOD_DIR)
mandir = $(DESTDIR)$(PREFIX)/share/man/man7
docdir = $(DESTDIR)$(PREFIX)/share/doc/thinx
udevdir = $(DESTDIR)$(PREFIX)/lib/udev/rules.d
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system
completion = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
depmod = $(if $(DESTDIR),,$(DEPMOD) $(if $(root),-b $(root)) $(release))
key = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="*\([^"]*\)"*$$/\1/p' \
	$(KDIR)/include/config/auto.conf)
unsigned = $(if $(and $(key),$(wildcard $(key) $(KDIR)/$(key))$(filter pkcs11:%,$(key))),,CONFIG_MODULE_SIG_ALL=)

version = $(shell sed -n 's/^.define THINX_VERSION "\(.*\)"/\1/p' include/thinx-version.h)
dkmsdir = $(DESTDIR)/usr/src/thinx-$(version)
source = Kbuild Makefile COPYING dkms.conf $(filter-out %.mod.c compat-probed.h,$(wildcard *.[ch]) \
	$(wildcard include/compat/*.mk include/compat/*.sh) $(shell find control data-path include metadata persistent-data -name '*.[ch]'))

all:
	$(MAKE) -C $(KDIR) M=$(M) $(btf) modules

module:
	@mkdir -p build/$(KREL)
	m=$$(scripts/module.sh -k $(KREL)) && cp $$m $${m%/*}/$(drop-in) build/$(KREL)/

# The kernel's own rule strips, signs and compresses as that kernel is configured.
# Few kernels come with the key: without it nothing is signed.
install: install-module install-doc

install-drop-in: DROP_IN = 1
install-drop-in: install

install-module: all
	@case "$$(/sbin/modinfo -F vermagic $(M)/$(ko))" in '$(release) '*) ;; \
	*) echo '$(ko) was built for another kernel than $(release)' >&2; exit 1 ;; esac
	$(MAKE) -C $(KDIR) M=$(M) KERNELRELEASE=$(release) INSTALL_MOD_PATH=$(root) \
		INSTALL_MOD_DIR=$(INSTALL_MOD_DIR) DEPMOD=true $(unsigned) modules_install
	$(if $(DROP_IN)$(wildcard $(moddir)/$(drop-in)*),,rm -f $(moddir)/$(drop-in)*)
	$(depmod)

uninstall: uninstall-module uninstall-doc
	$(call warn-drop-in)

uninstall-module:
	rm -f $(foreach s,ko ko.gz ko.xz ko.zst,$(moddir)/$(ko:ko=$s) $(moddir)/$(drop-in:ko=$s))
	[ ! -d $(moddir) ] || rmdir --ignore-fail-on-non-empty $(moddir)
	$(if $(wildcard $(root)/lib/modules/$(release)/.),$(depmod))

install-doc:
	install -d $(mandir)
	install -m 644 docs/man/thinx.7 $(mandir)/

# Versions before 0.3 installed an example for /etc/modprobe.d.
uninstall-doc:
	rm -f $(mandir)/thinx.7 $(docdir)/thinx.conf
	[ ! -d $(docdir) ] || rmdir --ignore-fail-on-non-empty $(docdir)

install-dkms: install-doc
	install -d $(dkmsdir)
	cp --parents $(source) $(dkmsdir)/

uninstall-dkms: uninstall-doc
	rm -rf $(dkmsdir)
	$(call warn-drop-in)

# The file, made from the example of versions before 0.3, is not ours to remove, but
# without thinx it keeps thin pools away.
warn-drop-in = @for f in $$(grep -ls '^alias.*dm-thinx-pool' $(DESTDIR)/etc/modprobe.d/*.conf); do \
	echo "$$f still has thinx loaded for dm-thin: remove it, and update the initramfs" >&2; done

tools: build/thinx

build/thinx: $(wildcard tools/*.[ch])
	@mkdir -p build
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wshadow -Wmissing-prototypes \
		-Wno-unused-parameter $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) -ldevmapper

install-tools: tools
	install -D -m 755 build/thinx $(DESTDIR)$(PREFIX)/sbin/thinx
	install -D -m 644 docs/man/thinx.8 $(DESTDIR)$(PREFIX)/share/man/man8/thinx.8
	install -D -m 644 tools/thinx.bash $(completion)/thinx
	install -D -m 644 packaging/udev/68-thinx-policy.rules $(udevdir)/68-thinx-policy.rules
	install -d $(unitdir)
	sed 's,@SBIN@,$(PREFIX)/sbin,' packaging/systemd/thinx-policy@.service \
		> $(unitdir)/thinx-policy@.service

uninstall-tools:
	rm -f $(DESTDIR)$(PREFIX)/sbin/thinx $(DESTDIR)$(PREFIX)/share/man/man8/thinx.8 \
		$(completion)/thinx $(udevdir)/68-thinx-policy.rules \
		$(unitdir)/thinx-policy@.service

deb rpm:
	scripts/packages.sh $@

check coverage:
	$(MAKE) -C tests $@

clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

distclean: clean
	rm -rf build

.PHONY: all module install install-drop-in install-module install-doc install-dkms \
	uninstall uninstall-module uninstall-doc uninstall-dkms \
	tools install-tools uninstall-tools deb rpm check coverage clean distclean
