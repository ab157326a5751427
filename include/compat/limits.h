/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Queue limits that changed between Linux 6.1 and now.
 */
#ifndef THINX_COMPAT_LIMITS_H
#define THINX_COMPAT_LIMITS_H

#include <linux/blkdev.h>

#include "compat-probed.h"

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
#if !THINX_HAVE_COMPUTED_LIMITS
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
#if THINX_HAVE_COMPUTED_LIMITS
	limits->max_hw_sectors = max_sectors;
#endif
}

/**
 * thinx_set_write_zeroes_limit() - the largest request for zeros, of a live queue
 * @q: queue of a suspended mapped device
 * @max_sectors: sectors
 * @unmaps: such a request may take blocks away
 *
 * Since Linux 6.11 limits of a live queue are changed as a whole; since 6.17 they
 * say whether zeros unmap.
 *
 * Context: May sleep.
 * Return: 0 or what the block layer returns.
 */
static inline int thinx_set_write_zeroes_limit(struct request_queue *q,
					       unsigned int max_sectors,
					       bool unmaps)
{
#if !THINX_HAVE_LIMITS_UPDATE
	q->limits.max_write_zeroes_sectors = max_sectors;
	return 0;
#else
	struct queue_limits limits = queue_limits_start_update(q);
	bool same = limits.max_write_zeroes_sectors == max_sectors;

	limits.max_write_zeroes_sectors = max_sectors;
#if THINX_HAVE_WZEROES_UNMAP
	unmaps = unmaps && max_sectors;
	same = same && unmaps == !!limits.max_hw_wzeroes_unmap_sectors;
	limits.max_hw_wzeroes_unmap_sectors = unmaps ? max_sectors : 0;
#endif
	/* A commit sets other things anew, too, such as the read-ahead. */
	if (same) {
		queue_limits_cancel_update(q);
		return 0;
	}
	return queue_limits_commit_update(q, &limits);
#endif
}

/**
 * thinx_cap_write_zeroes() - the largest request for zeros, for io_hints
 * @limits: limits of the target, those of its devices so far
 * @max_sectors: sectors
 */
static inline void thinx_cap_write_zeroes(struct queue_limits *limits,
					  unsigned int max_sectors)
{
	limits->max_write_zeroes_sectors = min(limits->max_write_zeroes_sectors,
					       max_sectors);
#if THINX_HAVE_WZEROES_UNMAP
	limits->max_hw_wzeroes_unmap_sectors = 0;
#endif
}

#endif /* THINX_COMPAT_LIMITS_H */
