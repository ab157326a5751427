/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  CRC-32C as the kernel computes it: no inversion at either end. */
#pragma once
#include <linux/types.h>

u32 crc32c(u32 crc, const void *data, size_t len);
