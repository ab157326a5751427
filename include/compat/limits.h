/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Queue limits that changed between Linux 6.1 and now.
 */
#ifndef THINX_COMPAT_LIMITS_H
#define THINX_COMPAT_LIMITS_H

#include <linux/blkdev.h>
#include <linux/version.h>

/**
 * thinx_set_discard_limit() - the largest discard, for io_hints
 * @limits: limits of the target
 * @max_sectors: sectors
 *
 * Since Linux 6.9 max_discard_sectors is computed from what the hardware and
 * the user allow.
 */
static inline void thinx_set_discard_limit(struct queue_limits *limits,
					   unsigned int max_sectors)
{
	limits->max_hw_discard_sectors = max_sectors;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	limits->max_discard_sectors = max_sectors;
#endif
}

/**
 * thinx_set_max_sectors() - the largest read or write, for io_hints
 * @limits: limits of the target
 * @max_sectors: sectors
 *
 * Since Linux 6.9 max_sectors is computed from what the hardware and the user
 * allow.
 */
static inline void thinx_set_max_sectors(struct queue_limits *limits,
					 unsigned int max_sectors)
{
	limits->max_sectors = max_sectors;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	limits->max_hw_sectors = max_sectors;
#endif
}

#endif /* THINX_COMPAT_LIMITS_H */
