/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The pool object: one for each metadata device in use, made by the first pool
 * table, shared by later tables of the same dm device and by all volumes.
 *
 *   thinx-pool table ──┐                       ┌─ thinx_md     metadata
 *   thinx-pool table ──┼─► thinx_pool ─────────┼─ thinx_plane  data path
 *   thinx tables ──────┘   (counted)           └─ mode
 */
#ifndef THINX_POOL_H
#define THINX_POOL_H

#include <linux/atomic.h>
#include <linux/device-mapper.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "control/arguments.h"
#include "data-path/plane.h"

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
 * @tables: the same; of the pool
 * @dm: I; the dm device of its tables
 * @metadata_bdev: under thinx_pools_lock; NULL when abandoned
 * @data_bdev: the same
 * @block_sectors: I; data block size
 * @discard: I; volumes take discards
 * @name: I; of the dm device, for log lines
 * @md: I; metadata
 * @plane: I; data path
 * @nr_messages: A; at work, those of this epoch and those of the other one
 * @message_epoch: A; index of this one; a suspend begins another
 * @mode_lock: serialises mode changes and binding
 * @mode: L:mode_lock to write; see control/mode.c
 * @error_if_no_space: L:mode_lock; in effect now
 * @bound: L:mode_lock; the table in use, NULL before the first resume
 * @table_sectors: A; its length
 * @suspended: A; by its dm device
 * @needs_check_unwritten: L:mode_lock; the flag is in force but not on disk
 * @needs_check: tries to write it again
 * @no_space_until: L:mode_lock; when the patience ends, jiffies
 * @no_space: ends the patience with full data devices
 * @events: raises events from where one cannot sleep
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
	atomic_t nr_messages[2];
	unsigned int message_epoch;
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
 * @requested: I; features as the table says
 * @passdown: I; discards are to be passed down, and the data device can
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

/**
 * thinx_pool_get_for_table() - find or make the pool of a pool table
 * @dm: dm device the table is for
 * @metadata: its metadata device
 * @data: its data device
 * @args: the table
 * @pool: counted result
 * @error: what is wrong, for the log
 *
 * Context: Constructor, may sleep.
 * Return: 0; -EBUSY a device belongs to another pool; -EINVAL the table does
 * not fit the pool of @dm; what thinx_md_open_bdev() says; -ENOMEM.
 */
int __must_check thinx_pool_get_for_table(struct mapped_device *dm,
					  struct block_device *metadata,
					  struct block_device *data,
					  const struct thinx_pool_args *args,
					  struct thinx_pool **pool,
					  char **error);

/**
 * thinx_pool_get_by_dm() - find the pool of a dm device
 * @dm: dm device
 *
 * Context: May sleep.
 * Return: counted pool or NULL.
 */
struct thinx_pool *thinx_pool_get_by_dm(struct mapped_device *dm);

/**
 * thinx_pool_put() - drop a reference; the last one commits and closes
 * @pool: pool
 *
 * Context: May sleep.
 */
void thinx_pool_put(struct thinx_pool *pool);

/**
 * thinx_pool_put_table() - a table of the pool goes, its reference follows
 * @pool: pool
 *
 * If it was the last one and no volume is there, no volume will find the pool
 * any more.
 *
 * Context: Destructor of a pool table, may sleep.
 * Return: it was the last one, but volumes use the pool: it is to be abandoned.
 */
bool __must_check thinx_pool_put_table(struct thinx_pool *pool);

/**
 * thinx_pool_forget_devices() - an abandoned pool keeps nobody from its devices
 * @pool: pool
 *
 * Context: Nothing touches them any more.  May sleep.
 */
void thinx_pool_forget_devices(struct thinx_pool *pool);

/* ---- control/mode.c ---- */

/** thinx_pool_mode_init() - a new pool: write mode, not announced */
void thinx_pool_mode_init(struct thinx_pool *pool);

/** thinx_pool_mode_exit() - stop timer and event work */
void thinx_pool_mode_exit(struct thinx_pool *pool);

/** thinx_pool_mode() - the mode now */
static inline enum thinx_mode thinx_pool_mode(struct thinx_pool *pool)
{
	return READ_ONCE(pool->mode);
}

/**
 * thinx_pool_set_mode() - the one place where the mode changes
 * @pool: pool
 * @mode: wanted; write becomes read-only while needs_check is set, and fail is
 *	for good
 *
 * Sets what the data path may do, logs, raises the event, starts and stops the
 * no-space timer.
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_set_mode(struct thinx_pool *pool, enum thinx_mode mode)
	__must_hold(&pool->mode_lock);

/**
 * thinx_pool_write_needs_check() - try again to put the flag on disk
 * @pool: pool; nothing happens if the flag is on disk
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_write_needs_check(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/**
 * thinx_pool_abandon() - the devices are about to go away
 * @pool: pool; volumes may still use it, but neither they nor anybody else
 *	touches the devices any more
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_abandon(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/** thinx_pool_metadata_failed() - for struct thinx_plane_ops and messages */
void thinx_pool_metadata_failed(void *context, const char *what, int r);

/** thinx_pool_plane_ops - what the data plane tells us */
extern const struct thinx_plane_ops thinx_pool_plane_ops;

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

/** thinx_pool_metadata_low() - from under the metadata lock: space gets low */
void thinx_pool_metadata_low(void *context);

/** thinx_pool_arm_no_space() - start or restart the timer if it is due */
void thinx_pool_arm_no_space(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/* ---- control/resize.c ---- */

/**
 * thinx_pool_resize() - make metadata as large as table and device are now
 * @pool: pool, bound and quiesced
 * @sectors: length of the pool table
 *
 * Context: preresume.
 * Return: 0; -EINVAL something became smaller.
 */
int __must_check thinx_pool_resize(struct thinx_pool *pool, sector_t sectors);

/* ---- control/message.c ---- */

/** thinx_pool_message() - dm's message operation */
int thinx_pool_message(struct dm_target *ti, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen);

/* ---- control/status.c ---- */

/** thinx_pool_status() - dm's status operation */
void thinx_pool_status(struct dm_target *ti, status_type_t type,
		       unsigned int flags, char *result, unsigned int maxlen);

#endif /* THINX_POOL_H */
