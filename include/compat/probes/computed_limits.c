// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The largest discard, read and write are computed from what the hardware and the
 * user allow: Linux 6.9.
 */
#include <linux/blkdev.h>

static inline unsigned int probe_computed_limits(struct queue_limits *limits)
{
	return limits->max_hw_discard_sectors + limits->max_user_discard_sectors;
}
