/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Shrinkers as of Linux 6.7: allocated by the kernel, then registered.  Older
 * kernels expect the caller to provide the struct.
 */
#ifndef THINX_COMPAT_SHRINKER_H
#define THINX_COMPAT_SHRINKER_H

#include <linux/gfp.h>		/* shrinker.h needs it, does not include it */
#include <linux/shrinker.h>

#include "compat-probed.h"

#if !THINX_HAVE_SHRINKER_ALLOC

#include <linux/printk.h>
#include <linux/slab.h>

static inline struct shrinker *shrinker_alloc(unsigned int flags,
					      const char *fmt)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (s) {
		s->flags = flags;
		s->seeks = DEFAULT_SEEKS;
	}
	return s;
}

/*
 * Can fail here, unlike in later kernels.  An unregistered shrinker is
 * harmless: its memory stays within its own limit.
 */
static inline void shrinker_register(struct shrinker *s)
{
	if (register_shrinker(s, "thinx"))
		pr_warn("thinx: no memory to register a shrinker\n");
}

static inline void shrinker_free(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}

#endif

#endif /* THINX_COMPAT_SHRINKER_H */
