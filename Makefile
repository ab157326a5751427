# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# make                  dm-thinx-pool.ko for the running kernel, in this tree
# make KDIR=DIR         for the kernel whose build directory is DIR
# make module KREL=REL  for an installed kernel (6.1, 6.12, or what uname -r
#                       says), apart from the tree: build/REL/dm-thinx-pool.ko
#   W=1                 more warnings
#   C=1, C=2            sparse on what is rebuilt, on everything
# make check            user-space tests; make coverage: their line coverage
# make clean            remove what was built in the tree
# make distclean        and build/

KREL ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KREL)/build

all:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

module:
	@mkdir -p build/$(KREL)
	cp "$$(scripts/module.sh -k $(KREL))" build/$(KREL)/

check coverage:
	$(MAKE) -C tests $@

clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

distclean: clean
	rm -rf build

.PHONY: all module check coverage clean distclean
