/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What each device may take of the pool's data space: reserves and limits.
 */
#ifndef THINX_QUOTA_H
#define THINX_QUOTA_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/* As a limit: none. */
#define THINX_NO_LIMIT U64_MAX

/**
 * struct thinx_quotas - reserves and limits of a pool's devices
 * @change: held by whoever changes any, around everything that belongs to it
 * @lock: nothing nests
 * @by_id: L:lock; struct quota
 * @nr: L:lock, read lock-free; how many
 * @reserved: L:lock; sum of all reserves, data blocks
 * @kept: L:lock; sum of what is left of them
 * @claimed: L:lock, read lock-free; data blocks that nobody counts as free, see
 *	thinx_quotas_claim()
 */
struct thinx_quotas {
	struct mutex change;
	spinlock_t lock;
	struct rb_root by_id;
	unsigned int nr;
	u64 reserved;
	u64 kept;
	u64 claimed;
};

/**
 * struct thinx_quota_view - what matters to one device
 * @reserve: data blocks reserved for it
 * @left: so many of them it has not used, or could have again
 * @limit: most blocks it may map, or THINX_NO_LIMIT
 * @available: data blocks it may take; U64_MAX: all there are
 */
struct thinx_quota_view {
	u64 reserve;
	u64 left;
	u64 limit;
	u64 available;
};

/** thinx_quotas_init() - nobody has any */
void thinx_quotas_init(struct thinx_quotas *q);

/** thinx_quotas_exit() - free everything */
void thinx_quotas_exit(struct thinx_quotas *q);

/**
 * thinx_quotas_view() - what matters to a device
 * @q: quotas
 * @id: device
 * @nr_free: data blocks that can be handed out; what is asked is what would be, if
 *	there were so many
 * @view: result
 *
 * Context: Process; costs nothing as long as no device has any.
 */
void thinx_quotas_view(struct thinx_quotas *q, u32 id, u64 nr_free,
		       struct thinx_quota_view *view);

/**
 * thinx_quotas_unreserved() - what those may take who have no reserve
 * @q: quotas
 * @nr_free: data blocks that can be handed out
 *
 * Context: Process.
 */
u64 thinx_quotas_unreserved(struct thinx_quotas *q, u64 nr_free);

/**
 * thinx_quotas_settle() - let reserves have what has come free
 * @q: quotas
 * @nr_free: data blocks that can be handed out
 *
 * Before any are taken, in the same section of the metadata lock.
 */
void thinx_quotas_settle(struct thinx_quotas *q, u64 nr_free);

/**
 * thinx_quotas_take() - note that a device has taken data blocks
 * @q: quotas
 * @id: device
 * @nr_free: data blocks that can be handed out after that
 *
 * No more than its thinx_quota_view.available, in the same section of the metadata
 * lock, after thinx_quotas_settle().
 */
void thinx_quotas_take(struct thinx_quotas *q, u32 id, u64 nr_free);

/**
 * thinx_quotas_claim() - set data blocks aside for one that will take them
 * @q: quotas
 * @id: device
 * @nr: how many
 * @nr_free: data blocks that can be handed out, those claimed included
 * @nr_left: result; how many it may have
 *
 * Until they are taken or the claim is given up, nobody counts them as free.
 *
 * Context: metadata lock.
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_quotas_claim(struct thinx_quotas *q, u32 id, u64 nr,
				    u64 nr_free, u64 *nr_left);

/** thinx_quotas_unclaim() - they are being taken, or given up; metadata lock */
void thinx_quotas_unclaim(struct thinx_quotas *q, u64 nr);

/**
 * thinx_quotas_next() - the first device from @id on that has any
 * @q: quotas
 * @id: where to begin; result: which
 * @nr_free: data blocks that can be handed out
 * @view: result
 *
 * Context: Process.
 * Return: false if there is none.
 */
bool thinx_quotas_next(struct thinx_quotas *q, u32 *id, u64 nr_free,
		       struct thinx_quota_view *view);

/**
 * thinx_quotas_prepare() - make sure that the next change finds memory
 * @q: quotas, @q->change held
 * @id: device
 *
 * Context: May sleep; thinx_quotas_tidy() follows whatever happens.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_quotas_prepare(struct thinx_quotas *q, u32 id);

/**
 * thinx_quotas_reserve() - set a device's reserve
 * @q: quotas, @q->change held
 * @id: device, prepared
 * @nr_blocks: data blocks, 0: none
 * @nr_free: data blocks that can be handed out, and are not until the return
 * @nr_left: result; how many of these are not reserved for others
 *
 * A reserve may always become smaller, and stay what it is.
 *
 * Context: metadata lock.
 * Return: 0, -ENOSPC: there is less.
 */
int __must_check thinx_quotas_reserve(struct thinx_quotas *q, u32 id,
				      u64 nr_blocks, u64 nr_free, u64 *nr_left);

/**
 * thinx_quotas_limit() - set a device's limit
 * @q: quotas, @q->change held
 * @id: device, prepared
 * @nr_blocks: blocks, or THINX_NO_LIMIT
 */
void thinx_quotas_limit(struct thinx_quotas *q, u32 id, u64 nr_blocks);

/** thinx_quotas_forget() - a device is gone; @q->change held */
void thinx_quotas_forget(struct thinx_quotas *q, u32 id);

/** thinx_quotas_has() - has a device a reserve or a limit? */
bool thinx_quotas_has(struct thinx_quotas *q, u32 id);

/** thinx_quotas_tidy() - keep nothing for a device that has neither; @q->change held */
void thinx_quotas_tidy(struct thinx_quotas *q, u32 id);

#endif /* THINX_QUOTA_H */
