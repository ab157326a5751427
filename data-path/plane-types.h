/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The data plane of one pool: the state all its volumes share, and what every
 * file of the data path may ask of it.
 *
 *   control plane ──set capabilities, attach, quiesce, abort──► thinx_plane
 *        ▲                                                        │ volumes
 *        └── struct thinx_plane_ops: "metadata failed",           ▼
 *            "no data space", "low water", "space" ◄──── thinx_volume
 *
 * The plane never decides about modes: it reports what it meets through the
 * operations, and obeys the capabilities the control plane gives it.
 */
#ifndef THINX_PLANE_TYPES_H
#define THINX_PLANE_TYPES_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "include/thinx-log.h"
#include "dm-thinx-metadata.h"
#include "data-path/quota.h"
#include "data-path/stats.h"

/* Pieces kept in reserve for when memory is short. */
#define THINX_MIN_PIECES 256

/* The tables in which volumes and their ports are looked up have 2^this slots. */
#define THINX_VOLUMES_BITS 9

struct dm_kcopyd_client;
struct thinx_plane;

/* What the pool's mode allows (thinx_plane.caps). */
#define THINX_CAN_MAP		(1U << 0)	/* any I/O at all */
#define THINX_CAN_CHANGE	(1U << 1)	/* discard, commit */
#define THINX_CAN_GROW		(1U << 2)	/* take new metadata blocks */
#define THINX_CAN_PROVISION	(1U << 3)	/* take new data blocks */
#define THINX_NO_SPACE_HOLD	(1U << 4)	/* hold writes that find none */
#define THINX_NO_SPACE_ERROR	(1U << 5)	/* fail them with ENOSPC */

/**
 * struct thinx_plane_ops - what the plane tells the control plane
 * @metadata_failed: a change or commit failed with @r; aborts and changes the
 *	mode.  May sleep; called without locks, outside any gate; ranges may be
 *	held
 * @no_data_space: no data block is free for those without a reserve, nor will
 *	one be after a commit; @sure:
 *	regardless of the counters
 * @no_metadata_space: no metadata block is free but the reserve
 * @low_water: free data blocks reached the low water mark
 * @space_changed: a commit or a passed-down discard completed; blocks may have
 *	become free
 * @metadata_low: metadata space is getting low; under the metadata lock, must
 *	not sleep
 *
 * All others may sleep.  @context is what the plane was created with.
 */
struct thinx_plane_ops {
	void (*metadata_failed)(void *context, const char *what, int r);
	void (*no_data_space)(void *context, bool sure);
	void (*no_metadata_space)(void *context);
	void (*low_water)(void *context);
	void (*space_changed)(void *context);
	void (*metadata_low)(void *context);
};

/**
 * struct thinx_commit - what waits for a commit
 * @lock: irq-safe
 * @waiters: L:lock; flushes and FUA writes, struct thinx_bio
 * @for_space: L:lock; volumes with starved writes want a commit
 * @for_discards: L:lock; likewise volumes with discards
 * @work: the one committer
 * @tick: commits a change a second later
 * @later: lets starved writes try again when a commit had nothing to do
 */
struct thinx_commit {
	spinlock_t lock;
	struct list_head waiters;
	bool for_space;
	bool for_discards;
	struct work_struct work;
	struct delayed_work tick;
	struct delayed_work later;
};

/**
 * struct thinx_passdown - freed runs whose discard goes to the data device
 * @lock: irq-safe
 * @queued: L:lock; runs that wait for the commit that frees them
 * @done: L:lock; runs whose discard has ended, still held
 * @nr: L:lock, read lock-free; runs queued, under way or done
 * @newest: L:lock, read lock-free; generation of the run queued last
 * @work: issues runs and ends those that are done
 * @wait: woken when @nr falls to zero
 */
struct thinx_passdown {
	spinlock_t lock;
	struct list_head queued;
	struct list_head done;
	unsigned int nr;
	u64 newest;
	struct work_struct work;
	wait_queue_head_t wait;
};

/**
 * struct thinx_plane - the pool-wide half of the data path
 * @md: I; metadata
 * @data_bdev: changes only while the plane is quiesced; not to be touched
 *	without THINX_CAN_MAP: it may be gone
 * @data_sector_size: A; bytes in a logical block of the data device, changes only
 *	while the plane is quiesced
 * @dev: I; number of the data device, for tracepoints
 * @block_sectors: I; data block size
 * @block_shift: I; log2 of it, or -1
 * @caps: A; THINX_CAN_*, written by the control plane only
 * @zero_new: A; clear what a write to a new block does not cover
 * @zeros_refused: A; since the last resume the data device refused to write zeros
 *	by itself
 * @pass_discards: A; pass discards on to the data device
 * @low_water: A; data blocks
 * @low_water_sent: A; told since the last resume
 * @name: I; for log lines
 * @wq: I; all slow-path work but the committer's
 * @commit_wq: I; the committer's, see data-path/commit.c
 * @volume_work: I; the slow path of a volume
 * @copier: I; kcopyd
 * @pieces: I; bios cut from others, struct thinx_bio in front
 * @nr_reserved: A; pieces that may have come from the reserve, on kernels where
 *	it has to be asked for
 * @bios: I; bios of our own to the data device
 * @groups: I; struct thinx_group for when memory is short
 * @volumes_lock: protects @volumes; no gate is drained under it, except by an
 *	abort
 * @volumes: L:volumes_lock; all volumes
 * @by_id: L:volumes_lock; the same by device id
 * @by_disk: L:volumes_lock; all ports by the disk they are part of
 * @by_origin: L:volumes_lock; those with an external origin by its disk
 * @stops: L:volumes_lock; struct thinx_stop
 * @unpinned: woken when the last pin of a volume is gone
 * @quiesced: L:volumes_lock; gates of all volumes are closed by us
 * @waiting_lock: irq-safe
 * @waiting: L:waiting_lock; volumes with starved writes, or with discards that
 *	wait; see thinx_volumes_retry_starved()
 * @nr_busy: A; groups under way and passes of workers, in all volumes
 * @idle: woken when @nr_busy falls to zero
 * @nr_aborts: A; changes at the end of an abort, with all gates still closed
 * @quotas: see data-path/quota.h
 * @reserve_starved: A; writes of a device with a reserve wait for space
 * @fruitless: A; passes in a row that found no data block although some were
 *	said to be free at that moment
 * @flush_bio: used by one commit at a time
 * @flushed: @flush_bio has ended
 * @commit: see struct thinx_commit
 * @passdown: see struct thinx_passdown
 * @nr_trimming: L:metadata lock, read lock-free; free data blocks held to be trimmed
 * @removal: L:metadata lock; scratch memory of a discard step
 * @stats: I; see data-path/stats.h
 * @flush_began: commit mutex; ns; when the data device began to flush for a commit
 * @flush_ns: commit mutex, once @flushed; how long that took
 * @ops: I; the control plane
 * @context: I; its argument
 */
struct thinx_plane {
	struct thinx_md *md;
	struct block_device *data_bdev;
	unsigned int data_sector_size;
	dev_t dev;
	u32 block_sectors;
	int block_shift;
	unsigned int caps;
	bool zero_new;
	bool zeros_refused;
	bool pass_discards;
	u64 low_water;
	bool low_water_sent;
	const char *name;
	struct workqueue_struct *wq;
	struct workqueue_struct *commit_wq;
	work_func_t volume_work;
	struct dm_kcopyd_client *copier;
	struct bio_set pieces;
	atomic_t nr_reserved;
	struct bio_set bios;
	mempool_t groups;
	struct mutex volumes_lock;
	struct list_head volumes;
	DECLARE_HASHTABLE(by_id, THINX_VOLUMES_BITS);
	DECLARE_HASHTABLE(by_disk, THINX_VOLUMES_BITS);
	DECLARE_HASHTABLE(by_origin, THINX_VOLUMES_BITS);
	struct list_head stops;
	wait_queue_head_t unpinned;
	bool quiesced;
	spinlock_t waiting_lock;
	struct list_head waiting;
	atomic_t nr_busy;
	wait_queue_head_t idle;
	unsigned int nr_aborts;
	struct thinx_quotas quotas;
	bool reserve_starved;
	atomic_t fruitless;
	struct bio flush_bio;
	struct completion flushed;
	struct thinx_commit commit;
	struct thinx_passdown passdown;
	u64 nr_trimming;
	struct thinx_md_removal *removal;
	struct thinx_stats __percpu *stats;
	u64 flush_began;
	u64 flush_ns;
	const struct thinx_plane_ops *ops;
	void *context;
};

/** thinx_plane_caps() - capabilities now */
static inline unsigned int thinx_plane_caps(const struct thinx_plane *plane)
{
	return READ_ONCE(plane->caps);
}

/**
 * thinx_plane_block() - the virtual block of a sector
 * @plane: plane
 * @sector: sector of a volume
 * @offset: sectors into the block
 */
static inline thinx_vblock_t thinx_plane_block(const struct thinx_plane *plane,
					       sector_t sector, u32 *offset)
{
	sector_t block = sector;

	if (likely(plane->block_shift >= 0)) {
		*offset = sector & (plane->block_sectors - 1);
		return sector >> plane->block_shift;
	}
	*offset = sector_div(block, plane->block_sectors);
	return block;
}

/** thinx_plane_sector() - first sector of a block, virtual or data */
static inline sector_t thinx_plane_sector(const struct thinx_plane *plane,
					  u64 block)
{
	return (sector_t)block * plane->block_sectors;
}

/** thinx_plane_busy() - a group or a worker's pass begins */
static inline void thinx_plane_busy(struct thinx_plane *plane)
{
	atomic_inc(&plane->nr_busy);
	/* Before looking at a gate; pairs with the drain in a quiesce. */
	smp_mb__after_atomic();
}

/** thinx_plane_idle() - a group or a pass ends */
static inline void thinx_plane_idle(struct thinx_plane *plane)
{
	if (atomic_dec_and_test(&plane->nr_busy))
		wake_up_all(&plane->idle);
}

/** thinx_plane_failed() - report a failed metadata operation; may sleep */
static inline void thinx_plane_failed(struct thinx_plane *plane,
				      const char *what, int r)
{
	plane->ops->metadata_failed(plane->context, what, r);
}

/* Messages that begin with the name of the pool. */
#define plane_warn_limit(plane, fmt, ...) \
	DMWARN_LIMIT("%s: " fmt, (plane)->name, ##__VA_ARGS__)
#define plane_err_limit(plane, fmt, ...) \
	DMERR_LIMIT("%s: " fmt, (plane)->name, ##__VA_ARGS__)

#endif /* THINX_PLANE_TYPES_H */
