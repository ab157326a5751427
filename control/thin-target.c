// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The "thinx" target: a table line becomes a port of a volume.
 *
 * The pool is found through the dm device that the table names: opening it
 * keeps it in use, and the registry knows which pool belongs to it.
 */
#include "control/thin-target.h"

#include <linux/slab.h>

#include "control/pool.h"
#include "data-path/map.h"
#include "data-path/volume.h"
#include "data-path/zeroes.h"
#include "include/compat/dm-mode.h"
#include "include/compat/limits.h"
#include "include/thinx-log.h"

/* The largest discard taken, 16 GiB, in sectors: as dm-thin does on 6.1. */
#define MAX_DISCARD_SECTORS (1U << 25)

/* The largest request for zeros, 1 GiB: on 6.1 the size of a bio must hold it. */
#define MAX_ZEROES_SECTORS (1U << 21)

/**
 * struct thinx_thin - one thin table
 * @port: its volume
 * @pool: I; counted
 * @pool_dev: I; the pool's dm device
 * @origin_dev: I; external origin or NULL
 */
struct thinx_thin {
	struct thinx_port port;
	struct thinx_pool *pool;
	struct dm_dev *pool_dev;
	struct dm_dev *origin_dev;
};

/* ---- constructor, by phases ---- */

/*
 * Only read, but opened for writing if possible, like everything else in a
 * table: dm core replaces a device open for reading behind our back when
 * another target of the table wants it for writing.
 */
static int open_origin(struct thinx_thin *tc, const char *path)
{
	struct dm_target *ti = tc->port.ti;
	int r;

	r = dm_get_device(ti, path, dm_table_get_mode(ti->table),
			  &tc->origin_dev);
	if (r == -EACCES || r == -EROFS || r == -EPERM || r == -EBUSY)
		r = dm_get_device(ti, path, BLK_OPEN_READ, &tc->origin_dev);
	if (r)
		return r;
	tc->port.origin = tc->origin_dev->bdev;
	return 0;
}

static int open_devices(struct thinx_thin *tc,
			const struct thinx_thin_args *args, char **error)
{
	struct dm_target *ti = tc->port.ti;
	int r;

	r = dm_get_device(ti, args->pool, dm_table_get_mode(ti->table),
			  &tc->pool_dev);
	if (r) {
		*error = "Error opening pool device";
		return r;
	}
	if (!args->origin)
		return 0;
	r = open_origin(tc, args->origin);
	if (r) {
		*error = "Error opening origin device";
		dm_put_device(ti, tc->pool_dev);
	}
	return r;
}

static void close_devices(struct thinx_thin *tc)
{
	dm_put_device(tc->port.ti, tc->pool_dev);
	if (tc->origin_dev)
		dm_put_device(tc->port.ti, tc->origin_dev);
}

static int find_pool(struct thinx_thin *tc, char **error)
{
	struct mapped_device *dm;

	dm = dm_get_md(tc->pool_dev->bdev->bd_dev);
	if (!dm) {
		*error = "Couldn't get pool mapped device";
		return -EINVAL;
	}
	tc->pool = thinx_pool_get_by_dm(dm);
	dm_put(dm);
	if (!tc->pool) {
		*error = "Couldn't find pool object";
		return -EINVAL;
	}
	return 0;
}

static int open_volume(struct thinx_thin *tc, u32 id, char **error)
{
	struct thinx_pool *pool = tc->pool;
	int r;

	if (thinx_pool_mode(pool) == THINX_MODE_FAIL) {
		*error = "Couldn't open thin device, Pool is in fail mode";
		return -EINVAL;
	}
	r = -ELOOP;
	if (tc->port.origin != tc->pool_dev->bdev)
		r = thinx_port_open(&tc->port, &pool->plane, id);
	if (r == -ELOOP) {
		*error = "Error setting origin device";
		return -EINVAL;
	}
	if (r) {
		*error = "Couldn't open thin internal device";
		return r;
	}
	if (READ_ONCE(pool->suspended)) {
		*error = "Unable to activate thin device while pool is suspended";
		thinx_port_close(&tc->port);
		return -EINVAL;
	}
	return 0;
}

static void publish_target(struct thinx_thin *tc)
{
	struct dm_target *ti = tc->port.ti;

	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_write_zeroes_bios = 1;
	ti->accounts_remapped_io = true;
	ti->limit_swap_bios = true;
	ti->per_io_data_size = thinx_map_bio_size;
	tc->port.keeps_blocks = !tc->pool->discard;
	if (tc->pool->discard) {
		ti->num_discard_bios = 1;
		ti->discards_supported = true;
	}
	ti->private = tc;
}

static int thin_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct thinx_thin_args args;
	struct thinx_thin *tc;
	u32 id;
	int r;

	r = thinx_thin_args_parse(argc, argv, &args, &ti->error);
	if (r)
		return r;
	tc = kzalloc(sizeof(*tc), GFP_KERNEL);
	if (!tc) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	tc->port.ti = ti;
	r = open_devices(tc, &args, &ti->error);
	if (r)
		goto err_free;
	r = thinx_parse_device_id(args.id, &id);
	if (r) {
		ti->error = "Invalid device id";
		goto err_close_devices;
	}
	r = find_pool(tc, &ti->error);
	if (r)
		goto err_close_devices;
	r = open_volume(tc, id, &ti->error);
	if (r)
		goto err_put_pool;
	publish_target(tc);
	return 0;

err_put_pool:
	thinx_pool_put(tc->pool);
err_close_devices:
	close_devices(tc);
err_free:
	kfree(tc);
	return r;
}

static void thin_dtr(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;

	/* Volume before pool before device: each is used by the one before. */
	thinx_port_close(&tc->port);
	thinx_pool_put(tc->pool);
	close_devices(tc);
	kfree(tc);
}

/* ---- I/O ---- */

static int thin_map(struct dm_target *ti, struct bio *bio)
{
	struct thinx_thin *tc = ti->private;

	return thinx_map_bio(&tc->port, bio);
}

static int thin_end_io(struct dm_target *ti, struct bio *bio,
		       blk_status_t *error)
{
	struct thinx_thin *tc = ti->private;

	return thinx_map_end_io(&tc->port, bio, error);
}

/* ---- suspend and resume ---- */

/*
 * A new block in which the origin ends is filled by two requests, both of which
 * the data device must be able to do.
 */
static int check_origin_size(struct thinx_thin *tc, sector_t size)
{
	unsigned int sectors = READ_ONCE(tc->pool->plane.data_sector_size) >>
			       SECTOR_SHIFT;

	if (!(size & (sectors - 1)) ||
	    size >= tc->port.ti->len + tc->pool->block_sectors)
		return 0;
	pool_err(tc->pool, "external origin has %llu sectors, not a multiple of the data device's blocks of %u sectors",
		 size, sectors);
	return -EINVAL;
}

/*
 * None where a write to a part of a hole does not zero the rest: what was zeroed
 * must stay so.  The block layer writes pages then.
 */
static unsigned int max_zeroes(struct thinx_thin *tc)
{
	u32 block = tc->pool->block_sectors;

	if (!thinx_zeroes_are_taken(&tc->port))
		return 0;
	return max(block, rounddown(MAX_ZEROES_SECTORS, block));
}

/*
 * dm core lets requests for zeros through only if all devices of a table can do
 * them.  A volume needs nothing of its data device to leave a hole, and writes
 * pages of zeros if it must, so it can always; io_hints come too early to say so.
 * Next to other targets dm core's word stands.
 */
static void allow_write_zeroes(struct thinx_thin *tc)
{
	struct dm_target *ti = tc->port.ti;
	struct mapped_device *dm = dm_table_get_md(ti->table);
	int r;

	if (ti->len != dm_table_get_size(ti->table))
		return;
	r = thinx_set_write_zeroes_limit(dm_disk(dm)->queue, max_zeroes(tc),
					 !tc->port.keeps_blocks);
	if (r)
		pool_warn(tc->pool, "thin device %u: no write-zeroes: error = %d",
			  tc->port.volume->id, r);
}

static int thin_preresume(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;
	sector_t size;
	int r;

	allow_write_zeroes(tc);
	if (!tc->origin_dev)
		return 0;
	size = bdev_nr_sectors(tc->port.origin);
	r = check_origin_size(tc, size);
	if (!r)
		WRITE_ONCE(tc->port.origin_sectors, size);
	return r;
}

static void thin_presuspend(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;

	if (dm_noflush_suspending(ti))
		thinx_port_requeue(&tc->port, true);
}

/*
 * All bios are out now.  On some kernels dm core has forgotten by now that the
 * suspend was a noflush one, so this always runs.
 */
static void thin_stop_requeue(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;

	thinx_port_requeue(&tc->port, false);
}

static void thin_postsuspend(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;

	thin_stop_requeue(ti);
	/* No resume follows if it was dm core that suspended for itself. */
	if (dm_suspended(ti))
		thinx_port_set_live(&tc->port, false);
}

static void thin_resume(struct dm_target *ti)
{
	struct thinx_thin *tc = ti->private;

	thinx_port_set_live(&tc->port, true);
}

/* ---- status ---- */

static unsigned int emit_info(struct thinx_thin *tc, char *result,
			      unsigned int maxlen)
{
	struct thinx_md_dev *dev = tc->port.volume->dev;
	u64 block_sectors = tc->pool->block_sectors;
	thinx_vblock_t highest;
	unsigned int sz = 0;
	int r;

	if (thinx_pool_mode(tc->pool) == THINX_MODE_FAIL) {
		DMEMIT("Fail");
		return sz;
	}
	r = thinx_md_dev_highest_mapped(dev, &highest);
	if (r && r != -ENODATA) {
		DMEMIT("Error");
		return sz;
	}
	DMEMIT("%llu ",
	       (unsigned long long)(thinx_md_dev_mapped_blocks(dev) *
				    block_sectors));
	if (r)
		DMEMIT("-");
	else
		DMEMIT("%llu",
		       (unsigned long long)((highest + 1) * block_sectors - 1));
	return sz;
}

static void thin_status(struct dm_target *ti, status_type_t type,
			unsigned int flags, char *result, unsigned int maxlen)
{
	struct thinx_thin *tc = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		emit_info(tc, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %u", tc->pool_dev->name, tc->port.volume->id);
		if (tc->origin_dev)
			DMEMIT(" %s", tc->origin_dev->name);
		break;
	default:
		*result = '\0';
		break;
	}
}

/* ---- limits ---- */

static int thin_iterate_devices(struct dm_target *ti,
				iterate_devices_callout_fn fn, void *data)
{
	struct thinx_thin *tc = ti->private;
	sector_t blocks = READ_ONCE(tc->pool->table_sectors);

	sector_div(blocks, tc->pool->block_sectors);
	if (!blocks)
		return 0;
	return fn(ti, tc->pool_dev, 0, blocks * tc->pool->block_sectors, data);
}

/* Reads go to the origin too, so it must be able to do them. */
static void stack_origin(struct queue_limits *limits,
			 struct block_device *origin)
{
	limits->logical_block_size = max_t(unsigned int,
					   limits->logical_block_size,
					   bdev_logical_block_size(origin));
	limits->physical_block_size = max(limits->physical_block_size,
					  limits->logical_block_size);
	limits->io_min = max(limits->io_min, limits->physical_block_size);
	limits->dma_alignment = max_t(unsigned int, limits->dma_alignment,
				      bdev_dma_alignment(origin));
}

/*
 * The block layer rounds as if this granularity were a power of two.  With any
 * other block size it would cut discards where no block ends, and blocks that
 * are then not covered whole would stay.
 */
static unsigned int discard_granularity(u32 block)
{
	return (block & -block) << SECTOR_SHIFT;
}

static void thin_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct thinx_thin *tc = ti->private;
	u32 block = tc->pool->block_sectors;

	if (tc->port.origin)
		stack_origin(limits, tc->port.origin);
	thinx_cap_write_zeroes(limits, max_zeroes(tc));
	if (!tc->pool->discard)
		return;
	limits->discard_granularity = discard_granularity(block);
	thinx_set_discard_limit(limits, max(block, rounddown(MAX_DISCARD_SECTORS,
							     block)));
}

static struct target_type thin_target = {
	.name = "thinx",
	.version = { 1, 23, 0 },
	.module = THIS_MODULE,
	.features = DM_TARGET_NOWAIT,
	.ctr = thin_ctr,
	.dtr = thin_dtr,
	.map = thin_map,
	.end_io = thin_end_io,
	.presuspend = thin_presuspend,
	.presuspend_undo = thin_stop_requeue,
	.postsuspend = thin_postsuspend,
	.preresume = thin_preresume,
	.resume = thin_resume,
	.status = thin_status,
	.iterate_devices = thin_iterate_devices,
	.io_hints = thin_io_hints,
};

static struct target_type stock_thin_target;

int thinx_thin_target_register(void)
{
	/* Copy it before it is registered, which links it into a list. */
	stock_thin_target = thin_target;
	stock_thin_target.name = "thin";
	return dm_register_target(&thin_target);
}

void thinx_thin_target_unregister(void)
{
	dm_unregister_target(&thin_target);
}

int thinx_thin_target_register_stock(struct module *owner)
{
	int r;

	stock_thin_target.module = owner;
	r = dm_register_target(&stock_thin_target);
	if (r == -EEXIST || r == -EBUSY)
		DMERR("drop-in: \"thin\" is registered already: dm-thin must not be loaded");
	return r;
}

void thinx_thin_target_unregister_stock(void)
{
	dm_unregister_target(&stock_thin_target);
}
