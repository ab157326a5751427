// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The kernel allocates shrinkers: Linux 6.7.
 */
#include <linux/gfp.h>
#include <linux/shrinker.h>

static inline void probe_shrinker_alloc(void)
{
	struct shrinker *s = shrinker_alloc(0, "thinx");

	shrinker_register(s);
	shrinker_free(s);
}
