/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The pool object: one for each metadata device in use, created by the first
 * pool table, shared by later tables of the same dm device and by all volumes.
 *
 *   thinx-pool table ──┐                       ┌─ thinx_md     metadata
 *   thinx-pool table ──┼─► thinx_pool ─────────┼─ thinx_plane  data path
 *   thinx tables ──────┘   (counted)           └─ mode
 */
#ifndef THINX_POOL_TYPES_H
#define THINX_POOL_TYPES_H

#include <linux/atomic.h>
#include <linux/device-mapper.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "include/thinx-log.h"
#include "control/arguments.h"
#include "data-path/plane-types.h"

struct dm_dev;
struct dm_target;
struct mapped_device;
struct thinx_pool_target;

/* Ordered: each allows no more than the one before. */
enum thinx_mode {
	THINX_MODE_WRITE,
	THINX_MODE_OUT_OF_DATA_SPACE,
	THINX_MODE_OUT_OF_METADATA_SPACE,
	THINX_MODE_READ_ONLY,
	THINX_MODE_FAIL,
};

/**
 * struct thinx_pool - a pool
 * @list: under thinx_pools_lock; in the registry
 * @refs: under thinx_pools_lock; tables of the pool and of volumes
 * @tables: the same; tables of the pool alone
 * @dm: under thinx_pools_lock; the dm device of its tables, NULL once the last is gone
 * @metadata_bdev: under thinx_pools_lock; NULL when abandoned
 * @data_bdev: the same
 * @block_sectors: I; data block size
 * @discard: I; volumes take discards
 * @name: I; of the dm device, for log lines
 * @md: I; metadata
 * @message_wq: I; messages are worked on there
 * @plane: I; data path
 * @nr_messages: A; messages in progress, of the current epoch and of the other
 * @message_epoch: A; index of the current one; a suspend begins another
 * @nr_fills: A; messages in progress that fill holes, see control/preallocate.c
 * @no_fills: A; they have to stop
 * @mode_lock: serialises mode changes and binding
 * @mode: L:mode_lock to write; see control/mode.c
 * @error_if_no_space: L:mode_lock; in effect now
 * @bound: L:mode_lock; the table in use, NULL before the first resume
 * @table_sectors: A; its length
 * @suspended: A; its dm device is suspended
 * @needs_check_unwritten: L:mode_lock; the flag is in force but not on disk
 * @needs_check: retries writing it
 * @no_space_until: L:mode_lock; when queueing for space ends, jiffies
 * @no_space: ends queueing for data space
 * @events: raises events for code that cannot sleep
 */
struct thinx_pool {
	struct list_head list;
	unsigned int refs;
	unsigned int tables;
	struct mapped_device *dm;
	struct block_device *metadata_bdev;
	struct block_device *data_bdev;
	u32 block_sectors;
	bool discard;
	const char *name;
	struct thinx_md *md;
	struct thinx_plane plane;
	struct workqueue_struct *message_wq;
	atomic_t nr_messages[2];
	unsigned int message_epoch;
	atomic_t nr_fills;
	bool no_fills;
	struct mutex mode_lock;
	enum thinx_mode mode;
	bool error_if_no_space;
	struct thinx_pool_target *bound;
	sector_t table_sectors;
	bool suspended;
	bool needs_check_unwritten;
	struct delayed_work needs_check;
	unsigned long no_space_until;
	struct delayed_work no_space;
	struct work_struct events;
};

/**
 * struct thinx_pool_target - one pool table
 * @ti: I; its target
 * @pool: I; counted
 * @metadata: I; device
 * @data: I; device
 * @low_water: I; data blocks
 * @requested: I; features as given in the table
 * @passdown: L:thinx_pool.mode_lock to write; discards are to be passed down, and
 *	when the table was resumed the data device took them
 * @mode: under thinx_pool.mode_lock; what a resume of this table asks for
 */
struct thinx_pool_target {
	struct dm_target *ti;
	struct thinx_pool *pool;
	struct dm_dev *metadata;
	struct dm_dev *data;
	u64 low_water;
	struct thinx_features requested;
	bool passdown;
	enum thinx_mode mode;
};

/** thinx_pool_mode() - the current mode */
static inline enum thinx_mode thinx_pool_mode(struct thinx_pool *pool)
{
	return READ_ONCE(pool->mode);
}

/**
 * thinx_pool_metadata_threshold() - low water mark of the metadata device
 * @pool: pool
 *
 * Return: metadata blocks, the reserve not subtracted.
 */
static inline u64 thinx_pool_metadata_threshold(struct thinx_pool *pool)
{
	return min_t(u64, 1024, thinx_md_device_blocks(pool->md) / 4);
}

/* Log messages prefixed with the name of the pool. */
#define pool_err(pool, fmt, ...) \
	DMERR("%s: " fmt, (pool)->name, ##__VA_ARGS__)
#define pool_err_limit(pool, fmt, ...) \
	DMERR_LIMIT("%s: " fmt, (pool)->name, ##__VA_ARGS__)
#define pool_warn(pool, fmt, ...) \
	DMWARN("%s: " fmt, (pool)->name, ##__VA_ARGS__)
#define pool_info(pool, fmt, ...) \
	DMINFO("%s: " fmt, (pool)->name, ##__VA_ARGS__)

#endif /* THINX_POOL_TYPES_H */
