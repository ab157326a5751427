# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# For Kbuild files, to be included after obj-m and what it consists of: makes
# compat-probed.h next to the objects, before them.  It is made again when the
# kernel, its flags or headers, the compiler or a probe is another.

compat := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
include $(compat)/kernels.mk

compat-probes := $(sort $(wildcard $(compat)/probes/*.c))
compat-compiler = $(subst ',,$(shell LC_ALL=C $(CC) --version | head -n 1))
compat-range = $(thinx-oldest-kernel) $(VERSION).$(PATCHLEVEL) $(thinx-newest-kernel)

quiet_cmd_probe = PROBE   Linux $(KERNELRELEASE); \
	thinx is for $(thinx-oldest-kernel) to $(thinx-newest-kernel)
      cmd_probe = $(CONFIG_SHELL) $(compat)/probe.sh $(if $(THINX_ANY_KERNEL),-a) \
	$@ '$(KERNELRELEASE)' '$(compat-range)' '$(compat-compiler)' \
	$(compat-probes) -- $(CC) $(c_flags)

$(obj)/compat-probed.h: part-of-module := y
$(obj)/compat-probed.h: $(compat)/probe.sh $(compat-probes) FORCE
	$(call if_changed_dep,probe)

# Objects that include it depend on it by themselves, once they are built.
$(addprefix $(obj)/,$(foreach m,$(obj-m),$(m) $($(m:.o=-y)))): | $(obj)/compat-probed.h

targets += compat-probed.h
ccflags-y += -I$(obj)
