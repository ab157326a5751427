// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Limits of a live queue are changed as a whole, or the change is cancelled:
 * Linux 6.11.
 */
#include <linux/blkdev.h>

static inline int probe_limits_update(struct request_queue *q, bool cancel)
{
	struct queue_limits limits = queue_limits_start_update(q);

	if (cancel) {
		queue_limits_cancel_update(q);
		return 0;
	}
	return queue_limits_commit_update(q, &limits);
}
