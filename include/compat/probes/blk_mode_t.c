// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The mode in which devices are opened has a type of its own: Linux 6.5.
 */
#include <linux/blkdev.h>
#include <linux/device-mapper.h>

static inline bool probe_blk_mode_t(struct dm_target *ti)
{
	blk_mode_t mode = dm_table_get_mode(ti->table);

	return mode & (BLK_OPEN_READ | BLK_OPEN_WRITE);
}
