/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  kvmalloc() and friends live here in older kernels. */
#pragma once
#include <linux/slab.h>

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096UL
#endif
