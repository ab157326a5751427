// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What no kernel has: must not compile.
 */
#include <linux/blkdev.h>

static inline bool probe_does_not_compile(struct queue_limits *limits)
{
	return limits->thinx_no_such_limit;
}
