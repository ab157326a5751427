// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What all supported kernels have: must compile.
 */
#include <linux/blkdev.h>
#include <linux/device-mapper.h>

static inline bool probe_compiles(struct dm_target *ti)
{
	return dm_suspended(ti) && ti->len;
}
