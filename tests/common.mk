# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# How user-space tests are built: the library's sources, unchanged, on the small
# user-space kernel in tests/shim, as one static library per flavour.
#
# Include this from tests/<dir>/Makefile, link $(LIB), put objects under $(OUT).
# FLAVOUR: asan (default) tsan cov plain fuzz

TOP	:= $(patsubst %/tests/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
FLAVOUR	?= asan
BUILD	:= $(TOP)/build/tests/$(FLAVOUR)
OUT	:= $(BUILD)/$(notdir $(CURDIR))
LIB	:= $(BUILD)/libthinx.a

flavour-asan	= -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
		  -fno-omit-frame-pointer -DPD_DEBUG
flavour-tsan	= -O1 -fsanitize=thread -DPD_DEBUG
flavour-cov	= -O0 --coverage -DPD_DEBUG
flavour-plain	= -O2 -DNDEBUG
flavour-fuzz	= -O1 -fsanitize=fuzzer-no-link,address,undefined \
		  -fno-sanitize-recover=undefined -DPD_DEBUG

ifeq ($(FLAVOUR),fuzz)
CC	:= clang
endif

CFLAGS	:= -std=gnu11 -g $(flavour-$(FLAVOUR)) -Wall -Wextra -Werror=implicit \
	   -Wno-sign-compare -Wno-unused-parameter -Wshadow \
	   -Wmissing-prototypes $(EXTRA_CFLAGS)
# Architectures without an instruction for it make prefetch() a macro: none of our
# names may clash with it.
CPPFLAGS := -D_GNU_SOURCE '-Dprefetch(p)=__builtin_prefetch(p)' -I$(TOP)/tests/shim -I$(TOP) -I$(TOP)/tests
LDFLAGS	:= $(filter -fsanitize=% --coverage,$(flavour-$(FLAVOUR)))
LDLIBS	:= -lcmocka -lpthread

# By wildcard, so that a new file needs no entry; minus what needs a kernel.
LIB_SRCS := $(filter-out %-bufio.c,$(wildcard $(TOP)/persistent-data/*.c)) \
	    $(wildcard $(TOP)/metadata/*.c) \
	    $(wildcard $(TOP)/dm-thinx-metadata.c) \
	    $(wildcard $(patsubst %,$(TOP)/data-path/%.c,\
		map-cache gate quota range-lock)) \
	    $(wildcard $(patsubst %,$(TOP)/tests/%/*.c,check shim stores))
LIB_OBJS := $(LIB_SRCS:$(TOP)/%.c=$(BUILD)/obj/%.o)

# Many steps, many bitmaps: programs of this kind are compiled with $(STEPS), and
# $(STEPS_OBJS), linked in front of $(LIB), take the place of its members.
STEPS	:= -DTHINX_DROP_NODES=4 -DTHINX_DROP_LEAVES=2 -DTHINX_DROP_REFS=5 -DTHINX_HEAVY=64 \
	   -DMANY_STEPS
STEPS_OBJS := $(patsubst $(TOP)/%.c,$(BUILD)/steps/%.o,\
	      $(shell grep -l '"metadata/limits.h"' $(TOP)/metadata/*.c))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

$(BUILD)/obj/%.o: $(TOP)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/steps/%.o: $(TOP)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(STEPS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/steps/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(STEPS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Rebuilt from scratch, so that objects of removed files do not stay.
$(LIB): $(LIB_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

.PRECIOUS: $(OUT)/%.o $(OUT)/steps/%.o

-include $(LIB_OBJS:.o=.d) $(STEPS_OBJS:.o=.d) $(wildcard $(OUT)/*.d $(OUT)/steps/*.d)
