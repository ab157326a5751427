/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Cache lines. */
#pragma once
#include <linux/compiler.h>

#define L1_CACHE_BYTES	64
