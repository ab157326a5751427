/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Strings and bytes. */
#pragma once
#include_next <string.h>
#include <linux/types.h>

void *memchr_inv(const void *p, int c, size_t len);

static inline size_t shim_strscpy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size - 1);

	memcpy(dst, src, n);
	dst[n] = '\0';
	return n;
}

#define strscpy(d, s, n) shim_strscpy(d, s, n)
