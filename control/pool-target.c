// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The "thinx-pool" target: a table line becomes a reference to a pool, and the
 * table that is resumed decides what the pool does.
 *
 *   load      parse, open devices, find or make the pool   (constructor)
 *   resume    bind: features, mode, what devices can do    (preresume)
 *             let I/O through                              (resume)
 *   suspend   hold I/O back                                (presuspend)
 *             commit, end discards                         (postsuspend)
 *
 * Volume managers load all tables first and resume from below, so when a table is
 * loaded its devices need not be yet what they will be: their size, their sectors,
 * whether they can be written and take discards is judged at each resume.  If a
 * table does not fit them then, dm core refuses it, and the old one can be resumed.
 * Only the first table is judged when it is loaded, too, before anything is written
 * (control/pool.c).
 *
 * I/O to the pool device itself goes straight to the data device.  It is there
 * for tools; volumes do not use it.
 */
#include "control/pool-target.h"

#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "control/message.h"
#include "control/mode.h"
#include "control/pool.h"
#include "control/preallocate.h"
#include "control/resize.h"
#include "control/status.h"
#include "data-path/commit.h"
#include "data-path/passdown.h"
#include "data-path/plane.h"
#include "include/compat/dm-mode.h"
#include "include/compat/limits.h"
#include "include/thinx-log.h"

/* ---- constructor, by phases ---- */

/*
 * The data device first, as it is wanted for writing: if both were the same
 * device, already opened for reading, dm core would replace what we got.
 */
static int open_devices(struct thinx_pool_target *pt,
			const struct thinx_pool_args *args, char **error)
{
	blk_mode_t mode = BLK_OPEN_READ;
	int r;

	r = dm_get_device(pt->ti, args->data, BLK_OPEN_READ | BLK_OPEN_WRITE,
			  &pt->data);
	if (r) {
		*error = "Error getting data device";
		return r;
	}
	if (!args->features.read_only)
		mode |= BLK_OPEN_WRITE;
	r = dm_get_device(pt->ti, args->metadata, mode, &pt->metadata);
	if (r) {
		*error = "Error opening metadata block device";
		goto err_put_data;
	}
	if (pt->metadata->bdev == pt->data->bdev) {
		*error = "Error setting metadata or data device";
		r = -EINVAL;
		goto err_put_metadata;
	}
	return 0;

err_put_metadata:
	dm_put_device(pt->ti, pt->metadata);
err_put_data:
	dm_put_device(pt->ti, pt->data);
	return r;
}

static void close_devices(struct thinx_pool_target *pt)
{
	dm_put_device(pt->ti, pt->data);
	dm_put_device(pt->ti, pt->metadata);
}

static int check_length(struct thinx_pool_target *pt, u32 block_sectors,
			char **error)
{
	sector_t blocks = pt->ti->len;

	sector_div(blocks, block_sectors);
	if (blocks > THINX_DATA_BLOCK_MAX) {
		*error = "Table has more data blocks than the format allows";
		return -EINVAL;
	}
	return 0;
}

static const char *why_no_passdown(struct thinx_pool_target *pt)
{
	unsigned int max = bdev_max_discard_sectors(pt->data->bdev);

	if (!max)
		return "discard unsupported";
	if (max < pt->pool->block_sectors)
		return "max discard sectors smaller than a block";
	return NULL;
}

static bool wants_passdown(const struct thinx_pool_target *pt)
{
	return pt->requested.discard && pt->requested.passdown;
}

static void decide_passdown(struct thinx_pool_target *pt)
{
	const char *why = wants_passdown(pt) ? why_no_passdown(pt) : NULL;

	lockdep_assert_held(&pt->pool->mode_lock);
	if (why)
		pool_warn(pt->pool, "Data device (%pg) %s: Disabling discard passdown.",
			  pt->data->bdev, why);
	WRITE_ONCE(pt->passdown, wants_passdown(pt) && !why);
}

static void publish_target(struct thinx_pool_target *pt)
{
	struct dm_target *ti = pt->ti;

	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_write_zeroes_bios = 1;
	pt->passdown = wants_passdown(pt);
	if (pt->passdown) {
		ti->num_discard_bios = 1;
		ti->discards_supported = true;
	}
	ti->private = pt;
}

static int pool_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct thinx_pool_args args = {};
	struct thinx_pool_target *pt;
	int r;

	r = thinx_pool_args_parse(argc, argv, &args, &ti->error);
	if (r)
		return r;
	pt = kzalloc(sizeof(*pt), GFP_KERNEL);
	if (!pt) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	pt->ti = ti;
	pt->requested = args.features;
	pt->mode = args.features.read_only ? THINX_MODE_READ_ONLY :
					     THINX_MODE_WRITE;
	r = open_devices(pt, &args, &ti->error);
	if (r)
		goto err_free;
	r = thinx_pool_args_parse_sizes(argv, &args, &ti->error);
	if (r)
		goto err_close_devices;
	pt->low_water = args.low_water;
	args.sectors = ti->len;

	r = check_length(pt, args.block_sectors, &ti->error);
	if (r)
		goto err_close_devices;
	r = thinx_pool_get_for_table(dm_table_get_md(ti->table),
				     pt->metadata->bdev, pt->data->bdev, &args,
				     &pt->pool, &ti->error);
	if (r)
		goto err_close_devices;
	publish_target(pt);
	return 0;

err_close_devices:
	close_devices(pt);
err_free:
	kfree(pt);
	return r;
}

/*
 * Removed by force while volumes use it: everything is committed, but the
 * devices go away, so the volumes must not touch them any more.
 */
static void abandon_pool(struct thinx_pool *pool)
{
	mutex_lock(&pool->mode_lock);
	thinx_pool_abandon(pool);
	mutex_unlock(&pool->mode_lock);
	/* Metadata may still be read for a volume's table, or ahead of need. */
	thinx_md_detach(pool->md);
	thinx_plane_unquiesce(&pool->plane);
	thinx_pool_forget_devices(pool);
}

static void pool_dtr(struct dm_target *ti)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;

	mutex_lock(&pool->mode_lock);
	if (pool->bound == pt)
		pool->bound = NULL;
	mutex_unlock(&pool->mode_lock);
	if (thinx_pool_put_table(pool))
		abandon_pool(pool);
	/* The devices stay open until the pool has closed, if it does. */
	thinx_pool_put(pool);
	close_devices(pt);
	kfree(pt);
}

/* ---- resume and suspend ---- */

static void bind_features(struct thinx_pool_target *pt)
{
	struct thinx_pool *pool = pt->pool;
	struct thinx_plane *plane = &pool->plane;

	lockdep_assert_held(&pool->mode_lock);
	pool->bound = pt;
	decide_passdown(pt);
	thinx_plane_set_data_device(plane, pt->data->bdev);
	WRITE_ONCE(plane->zero_new, pt->requested.zero_new);
	WRITE_ONCE(plane->pass_discards, pt->passdown);
	WRITE_ONCE(plane->low_water, pt->low_water);
	WRITE_ONCE(pool->table_sectors, pt->ti->len);
}

/*
 * A table keeps the mode its pool had when the table was last in use; a new one
 * asks for write or read-only, and so gives a full pool another try.  Where the
 * metadata device cannot be written a pool can only be read.
 */
static enum thinx_mode mode_to_resume(struct thinx_pool_target *pt)
{
	struct block_device *metadata = pt->metadata->bdev;
	bool protected = bdev_read_only(metadata);
	int r;

	r = thinx_md_set_device_read_only(pt->pool->md, protected);
	if (!r && !protected)
		return pt->mode;
	if (protected && pt->mode < THINX_MODE_READ_ONLY)
		pool_err(pt->pool, "metadata device (%pg) is write-protected",
			 metadata);
	return max(pt->mode, THINX_MODE_READ_ONLY);
}

static int pool_preresume(struct dm_target *ti)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;
	enum thinx_mode mode;
	int r;

	mutex_lock(&pool->mode_lock);
	mode = mode_to_resume(pt);
	/* This also restores queueing that no_space_timeout ended. */
	pool->error_if_no_space = pt->requested.error_if_no_space;
	bind_features(pt);
	thinx_pool_write_needs_check(pool);
	thinx_pool_set_mode(pool, mode);
	mutex_unlock(&pool->mode_lock);

	r = thinx_pool_resize(pool, ti->len);
	/* Only now does the free space reflect the new size. */
	thinx_md_set_threshold(pool->md, thinx_pool_metadata_threshold(pool));
	return r;
}

static void pool_resume(struct dm_target *ti)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;

	WRITE_ONCE(pool->plane.low_water_sent, false);
	WRITE_ONCE(pool->suspended, false);
	thinx_plane_unquiesce(&pool->plane);
	thinx_preallocate_resume(pool);
	mutex_lock(&pool->mode_lock);
	thinx_pool_arm_no_space(pool);
	mutex_unlock(&pool->mode_lock);
}

/*
 * dm core waits for messages in progress only once the gates are closed; wait
 * for them here, while I/O still goes on.  Those that arrive meanwhile belong
 * to another epoch, so that the wait ends.
 */
static void wait_for_messages(struct thinx_pool *pool)
{
	unsigned int old = pool->message_epoch;
	atomic_t *nr = pool->nr_messages;

	wait_var_event(&nr[!old], !atomic_read(&nr[!old]));
	WRITE_ONCE(pool->message_epoch, !old);
	wait_var_event(&nr[old], !atomic_read(&nr[old]));
}

static void pool_presuspend(struct dm_target *ti)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;

	thinx_preallocate_pause(pool);
	wait_for_messages(pool);
	WRITE_ONCE(pool->suspended, true);
	thinx_plane_quiesce(&pool->plane);
}

static void pool_presuspend_undo(struct dm_target *ti)
{
	pool_resume(ti);
}

static void pool_postsuspend(struct dm_target *ti)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;

	thinx_commit_now(&pool->plane);
	thinx_passdown_flush(&pool->plane);
	/* Last: what the commit leaves may begin a wait for space. */
	cancel_delayed_work_sync(&pool->no_space);
}

/* ---- the rest ---- */

static int pool_map(struct dm_target *ti, struct bio *bio)
{
	struct thinx_pool_target *pt = ti->private;

	bio_set_dev(bio, pt->data->bdev);
	return DM_MAPIO_REMAPPED;
}

static int pool_iterate_devices(struct dm_target *ti,
				iterate_devices_callout_fn fn, void *data)
{
	struct thinx_pool_target *pt = ti->private;

	return fn(ti, pt->data, 0, ti->len, data);
}

/* The largest power of two that divides @n. */
static unsigned int power_of_two_part(unsigned int n)
{
	return n & -n;
}

static void pool_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct thinx_pool_target *pt = ti->private;
	unsigned int block = pt->pool->block_sectors;
	unsigned int max = limits->max_sectors;
	unsigned int io_opt_sectors = limits->io_opt >> SECTOR_SHIFT;

	if (max < block && block % max)
		thinx_set_max_sectors(limits, min_t(unsigned int,
						    power_of_two_part(block),
						    rounddown_pow_of_two(max)));
	if (!io_opt_sectors || io_opt_sectors % block) {
		if (limits->max_sectors < block)
			limits->io_min = limits->max_sectors << SECTOR_SHIFT;
		else
			limits->io_min = block << SECTOR_SHIFT;
		limits->io_opt = block << SECTOR_SHIFT;
	}
	if (!pt->requested.discard) {
		limits->discard_granularity = 0;
		thinx_set_discard_limit(limits, 0);
	}
}

static struct target_type pool_target = {
	.name = "thinx-pool",
	.version = { 1, 23, 0 },
	.module = THIS_MODULE,
	.features = DM_TARGET_SINGLETON | DM_TARGET_ALWAYS_WRITEABLE |
		    DM_TARGET_IMMUTABLE | DM_TARGET_NOWAIT,
	.ctr = pool_ctr,
	.dtr = pool_dtr,
	.map = pool_map,
	.presuspend = pool_presuspend,
	.presuspend_undo = pool_presuspend_undo,
	.postsuspend = pool_postsuspend,
	.preresume = pool_preresume,
	.resume = pool_resume,
	.message = thinx_pool_message,
	.status = thinx_pool_status,
	.iterate_devices = pool_iterate_devices,
	.io_hints = pool_io_hints,
};

static struct target_type stock_pool_target;

int thinx_pool_target_register(void)
{
	/* Copy it before it is registered, which links it into a list. */
	stock_pool_target = pool_target;
	stock_pool_target.name = "thin-pool";
	return dm_register_target(&pool_target);
}

void thinx_pool_target_unregister(void)
{
	dm_unregister_target(&pool_target);
}

int thinx_pool_target_register_stock(struct module *owner)
{
	int r;

	stock_pool_target.module = owner;
	r = dm_register_target(&stock_pool_target);
	if (r == -EEXIST || r == -EBUSY)
		DMERR("drop-in: \"thin-pool\" is registered already: dm-thin must not be loaded");
	return r;
}

void thinx_pool_target_unregister_stock(void)
{
	dm_unregister_target(&stock_pool_target);
}
