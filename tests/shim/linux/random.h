/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Random numbers, from the system. */
#pragma once
#include <linux/types.h>
#include <stdlib.h>
#include <sys/random.h>

static inline u64 get_random_u64(void)
{
	u64 n;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		abort();
	return n;
}
