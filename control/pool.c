// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Finds and creates pools.
 *
 * Rules of the registry:
 *  - a metadata device and a data device belong to one pool only;
 *  - a dm device has one pool as long as any of its tables exists, and tables
 *    that would change devices, block size or discard support are refused.
 *
 * Tear-down, and why each step is safe:
 *  1. The last reference is gone: no table, hence no bio and no volume.
 *  2. It leaves the registry under the lock: nothing can find it.
 *  3. Uncommitted changes are committed; this also passes down last discards.
 *  4. Timers, event work and data path stop; only then is the metadata closed,
 *     whose device is kept open by the table that drops this reference.
 */
#include "control/pool.h"

#include <linux/device-mapper.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "control/mode.h"
#include "control/preallocate.h"
#include "data-path/commit.h"
#include "data-path/plane.h"

static DEFINE_MUTEX(thinx_pools_lock);
static LIST_HEAD(pools);

static struct thinx_pool *find_by_dm(struct mapped_device *dm)
{
	struct thinx_pool *pool;

	lockdep_assert_held(&thinx_pools_lock);
	list_for_each_entry(pool, &pools, list)
		if (pool->dm == dm)
			return pool;
	return NULL;
}

static bool uses_device(struct thinx_pool *pool, struct block_device *bdev)
{
	return pool->metadata_bdev == bdev || pool->data_bdev == bdev;
}

/* Does a pool of another dm device use one of the devices? */
static int check_foreign_use(struct mapped_device *dm,
			     struct block_device *metadata,
			     struct block_device *data, char **error)
{
	struct thinx_pool *pool;

	list_for_each_entry(pool, &pools, list) {
		if (pool->dm == dm)
			continue;
		if (uses_device(pool, metadata)) {
			*error = "metadata device already in use by a pool";
			return -EBUSY;
		}
		if (uses_device(pool, data)) {
			*error = "data device already in use by a pool";
			return -EBUSY;
		}
	}
	return 0;
}

/* May this table replace the one the pool has? */
static int check_reload(struct thinx_pool *pool, struct block_device *metadata,
			struct block_device *data,
			const struct thinx_pool_args *args, char **error)
{
	if (pool->metadata_bdev && pool->metadata_bdev != metadata) {
		*error = "different pool cannot replace a pool";
		return -EINVAL;
	}
	if (pool->data_bdev && pool->data_bdev != data) {
		*error = "data device already in use by a pool";
		return -EBUSY;
	}
	if (pool->block_sectors != args->block_sectors) {
		*error = "Block size cannot be changed";
		return -EINVAL;
	}
	if (pool->discard != args->features.discard) {
		*error = "Discard support cannot be disabled once enabled";
		return -EINVAL;
	}
	if (thinx_pool_mode(pool) == THINX_MODE_FAIL) {
		*error = "Error registering metadata threshold";
		return -EINVAL;
	}
	return 0;
}

/*
 * dm core would refuse most of these too, but only after we have formatted; and
 * opening a write-protected device for writing does not fail.
 */
static int check_devices(struct block_device *metadata,
			 struct block_device *data,
			 const struct thinx_pool_args *args, char **error)
{
	u32 sector_size = bdev_logical_block_size(data);

	if (!args->features.read_only && bdev_read_only(metadata)) {
		*error = "Metadata device is write-protected";
		return -EROFS;
	}
	if (args->sectors > bdev_nr_sectors(data)) {
		*error = "Data device is smaller than the table";
		return -EINVAL;
	}
	if (args->sectors & ((sector_size >> SECTOR_SHIFT) - 1)) {
		*error = "Table is not aligned to the data device's sectors";
		return -EINVAL;
	}
	return 0;
}

static int create_pool(struct mapped_device *dm, struct block_device *metadata,
		       struct block_device *data,
		       const struct thinx_pool_args *args,
		       struct thinx_pool **result, char **error)
{
	struct thinx_pool *pool;
	int r;

	r = check_devices(metadata, data, args, error);
	if (r)
		return r;
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool) {
		*error = "Error allocating memory for pool";
		return -ENOMEM;
	}
	pool->dm = dm;
	pool->metadata_bdev = metadata;
	pool->data_bdev = data;
	pool->block_sectors = args->block_sectors;
	pool->discard = args->features.discard;
	pool->name = dm_device_name(dm);
	pool->refs = 1;
	pool->tables = 1;
	pool->suspended = true;
	thinx_preallocate_init(pool);

	r = thinx_md_open_bdev(metadata, args->block_sectors,
			       !args->features.read_only, &pool->md);
	if (r) {
		*error = "Error creating metadata object";
		goto err_free;
	}
	r = thinx_plane_init(&pool->plane, pool->md, data, args->block_sectors,
			     pool->name, &thinx_pool_plane_ops, pool);
	if (r) {
		*error = "Error creating pool's data path";
		goto err_close_metadata;
	}
	pool->message_wq = alloc_workqueue("thinxm/%s", WQ_UNBOUND, 0,
					   pool->name);
	if (!pool->message_wq) {
		*error = "Error creating pool's queue of messages";
		r = -ENOMEM;
		goto err_exit_plane;
	}
	thinx_pool_mode_init(pool);
	__module_get(THIS_MODULE);
	list_add_tail(&pool->list, &pools);
	*result = pool;
	return 0;

err_exit_plane:
	thinx_plane_exit(&pool->plane);
err_close_metadata:
	thinx_md_close(pool->md);
err_free:
	kfree(pool);
	return r;
}

int thinx_pool_get_for_table(struct mapped_device *dm,
			     struct block_device *metadata,
			     struct block_device *data,
			     const struct thinx_pool_args *args,
			     struct thinx_pool **result, char **error)
{
	struct thinx_pool *pool;
	int r;

	mutex_lock(&thinx_pools_lock);
	r = check_foreign_use(dm, metadata, data, error);
	if (r)
		goto out;
	pool = find_by_dm(dm);
	if (pool) {
		r = check_reload(pool, metadata, data, args, error);
		if (!r) {
			pool->refs++;
			pool->tables++;
			*result = pool;
		}
	} else {
		r = create_pool(dm, metadata, data, args, result, error);
	}
out:
	mutex_unlock(&thinx_pools_lock);
	return r;
}

struct thinx_pool *thinx_pool_get_by_dm(struct mapped_device *dm)
{
	struct thinx_pool *pool;

	mutex_lock(&thinx_pools_lock);
	pool = find_by_dm(dm);
	if (pool)
		pool->refs++;
	mutex_unlock(&thinx_pools_lock);
	return pool;
}

bool thinx_pool_put_table(struct thinx_pool *pool)
{
	bool orphaned = false;

	mutex_lock(&thinx_pools_lock);
	if (!--pool->tables) {
		orphaned = pool->refs > 1;
		/* No volume may find it before it is gone. */
		if (!orphaned)
			pool->dm = NULL;
	}
	mutex_unlock(&thinx_pools_lock);
	return orphaned;
}

void thinx_pool_forget_devices(struct thinx_pool *pool)
{
	mutex_lock(&thinx_pools_lock);
	pool->metadata_bdev = NULL;
	pool->data_bdev = NULL;
	mutex_unlock(&thinx_pools_lock);
}

static void destroy_pool(struct thinx_pool *pool)
{
	thinx_commit_now(&pool->plane);
	thinx_pool_mode_exit(pool);
	destroy_workqueue(pool->message_wq);
	thinx_plane_exit(&pool->plane);
	thinx_md_close(pool->md);
	kfree(pool);
	module_put(THIS_MODULE);
}

/*
 * Closing happens under the lock: another pool that wants the devices meanwhile
 * must find them either in use or closed.
 */
void thinx_pool_put(struct thinx_pool *pool)
{
	mutex_lock(&thinx_pools_lock);
	if (!--pool->refs) {
		list_del(&pool->list);
		destroy_pool(pool);
	}
	mutex_unlock(&thinx_pools_lock);
}
