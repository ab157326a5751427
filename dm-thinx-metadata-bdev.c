// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Metadata on a block device: the only link between the metadata and the
 * kernel's block layer.
 *
 * Context: may sleep.
 */
#include "dm-thinx-metadata.h"

#include <linux/blkdev.h>

#include "persistent-data/block-io.h"

int thinx_md_open_bdev(struct block_device *bdev, u32 data_block_sectors,
		       bool may_format, struct thinx_md **result)
{
	struct pd_block_io *io;
	int r;

	r = pd_block_io_bufio_create(bdev, &io);
	if (r)
		return r;
	return thinx_md_open(io, data_block_sectors, may_format,
			     bdev_read_only(bdev), result);
}
