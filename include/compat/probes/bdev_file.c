// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Block devices are opened as files: Linux 6.9.
 */
#include <linux/blkdev.h>

static inline struct file *probe_bdev_file(const char *path)
{
	return bdev_file_open_by_path(path, BLK_OPEN_READ, NULL, NULL);
}
