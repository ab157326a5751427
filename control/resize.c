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

/* May the metadata be changed for this?  Says why not. */
static bool can_grow(struct thinx_pool *pool, const char *what)
{
	if (thinx_md_needs_check(pool->md)) {
		pool_err(pool, "unable to grow the %s device until repaired.",
			 what);
		return false;
	}
	return thinx_pool_mode(pool) < THINX_MODE_READ_ONLY;
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

static int resize_data(struct thinx_pool *pool, u64 blocks)
{
	bool fits = fits_data_device(pool, blocks);
	struct thinx_md_space s;
	int r;

	thinx_md_get_space(pool->md, &s);
	if (blocks < s.data_total) {
		pool_err(pool, "pool target (%llu blocks) too small: expected %llu",
			 blocks, s.data_total);
		return -EINVAL;
	}
	if (blocks == s.data_total || !can_grow(pool, "data"))
		return 0;
	if (thinx_pool_mode(pool) == THINX_MODE_OUT_OF_METADATA_SPACE)
		return 0;
	if (!fits)
		return -EINVAL;
	if (s.data_total)
		pool_info(pool, "growing the data device from %llu to %llu blocks",
			  s.data_total, blocks);
	r = thinx_md_resize_data(pool->md, blocks);
	if (r)
		thinx_pool_metadata_failed(pool, "growing the data device", r);
	return r;
}

static int resize_metadata(struct thinx_pool *pool)
{
	u64 blocks = thinx_md_device_blocks(pool->md);
	struct thinx_md_space s;
	int r;

	thinx_md_get_space(pool->md, &s);
	if (blocks < s.meta_total) {
		pool_err(pool, "metadata device (%llu blocks) too small: expected %llu",
			 blocks, s.meta_total);
		return -EINVAL;
	}
	if (blocks == s.meta_total || !can_grow(pool, "metadata"))
		return 0;
	pool_info(pool, "growing the metadata device from %llu to %llu blocks",
		  s.meta_total, blocks);
	if (thinx_pool_mode(pool) == THINX_MODE_OUT_OF_METADATA_SPACE) {
		mutex_lock(&pool->mode_lock);
		thinx_pool_set_mode(pool, THINX_MODE_WRITE);
		mutex_unlock(&pool->mode_lock);
	}
	r = thinx_md_resize_metadata(pool->md, blocks);
	if (r)
		thinx_pool_metadata_failed(pool, "growing the metadata device",
					   r);
	return r;
}

int thinx_pool_resize(struct thinx_pool *pool, sector_t sectors)
{
	sector_t blocks = sectors;
	int r;

	sector_div(blocks, pool->block_sectors);
	/* Metadata first: the data space map may need it. */
	r = resize_metadata(pool);
	if (!r)
		r = resize_data(pool, blocks);
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
