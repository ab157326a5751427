// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Growth of a pool: data by a longer table, metadata by a larger device; both
 * take effect when the pool is resumed.  Nothing ever shrinks.
 *
 * Crash: growing is one transaction; before its commit the metadata has the old
 * size, and nothing beyond it is in use.
 */
#include "control/resize.h"

#include "control/mode.h"
#include "data-path/commit.h"

/* What can grow, and what messages call it. */
struct space {
	const char *what, *measured, *growing;
	bool cures_lack_of_metadata;
	int (*resize)(struct thinx_md *md, u64 nr_blocks);
};

static const struct space data_space = {
	.what = "data",
	.measured = "pool target",
	.growing = "growing the data device",
	.resize = thinx_md_resize_data,
};

static const struct space metadata_space = {
	.what = "metadata",
	.measured = "metadata device",
	.growing = "growing the metadata device",
	.cures_lack_of_metadata = true,
	.resize = thinx_md_resize_metadata,
};

/* May the metadata be changed for this?  Says why not. */
static bool can_grow(struct thinx_pool *pool, const struct space *s)
{
	enum thinx_mode mode = thinx_pool_mode(pool);

	if (thinx_md_needs_check(pool->md)) {
		pool_err(pool, "unable to grow the %s device until repaired.",
			 s->what);
		return false;
	}
	if (mode == THINX_MODE_OUT_OF_METADATA_SPACE)
		return s->cures_lack_of_metadata;
	return mode < THINX_MODE_READ_ONLY;
}

/* It may have shrunk since dm core looked, when the table became the live one. */
static bool fits_data_device(struct thinx_pool *pool, u64 blocks)
{
	struct block_device *data = pool->plane.data_bdev;

	if (thinx_plane_sector(&pool->plane, blocks) <= bdev_nr_sectors(data))
		return true;
	pool_err(pool, "data device (%pg) has %llu sectors, too few for %llu blocks",
		 data, bdev_nr_sectors(data), blocks);
	return false;
}

/* From @old to @blocks; @fits: the device is that large. */
static int resize(struct thinx_pool *pool, const struct space *s, u64 old,
		  u64 blocks, bool fits)
{
	int r;

	if (blocks < old) {
		pool_err(pool, "%s (%llu blocks) too small: expected %llu",
			 s->measured, blocks, old);
		return -EINVAL;
	}
	if (blocks == old || !can_grow(pool, s))
		return 0;
	if (!fits)
		return -EINVAL;
	if (old)
		pool_info(pool, "%s from %llu to %llu blocks", s->growing, old,
			  blocks);
	r = s->resize(pool->md, blocks);
	if (r)
		thinx_pool_metadata_failed(pool, s->growing, r);
	else if (s->cures_lack_of_metadata)
		thinx_pool_space_changed(pool);
	return r;
}

int thinx_pool_resize(struct thinx_pool *pool, sector_t sectors)
{
	sector_t blocks = sectors;
	struct thinx_md_space s;
	int r;

	sector_div(blocks, pool->block_sectors);
	thinx_md_get_space(pool->md, &s);
	/* Metadata first: the data space map may need it. */
	r = resize(pool, &metadata_space, s.meta_total,
		   thinx_md_device_blocks(pool->md), true);
	if (!r)
		r = resize(pool, &data_space, s.data_total, blocks,
			   fits_data_device(pool, blocks));
	/*
	 * A failed operation has changed the mode, and the pool keeps running;
	 * only a device that became smaller keeps it from resuming.
	 */
	if (r == -EINVAL && thinx_pool_mode(pool) < THINX_MODE_READ_ONLY)
		return r;
	if (thinx_md_is_dirty(pool->md))
		return thinx_commit_now(&pool->plane) == -EINVAL ? -EINVAL : 0;
	return r == -EINVAL ? r : 0;
}
