// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The limits say whether a request for zeros unmaps: Linux 6.17.
 */
#include <linux/blkdev.h>

static inline unsigned int probe_wzeroes_unmap(struct queue_limits *limits)
{
	return limits->max_hw_wzeroes_unmap_sectors;
}
