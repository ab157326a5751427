/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Locks on ranges of virtual blocks of one volume, for the slow path only.
 *
 * Nobody sleeps here: a caller that does not get a range queues a waiter, and
 * the holder gets the waiters on unlock and resubmits them.  A waiter has no
 * right to what it waits for: it tries again, and may find the range held by
 * somebody else.  One caller at a time may claim a range instead: it lets nobody
 * else in, and holds the range once those that hold parts of it have let go.
 */
#ifndef THINX_RANGE_LOCK_H
#define THINX_RANGE_LOCK_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct thinx_range_lock - the held ranges of one volume
 * @lock: protects @held and all that is linked to it.  A leaf lock, process
 *	context only.  The map cache takes it too, to fill only what is not held
 * @held: L:lock; struct thinx_range ordered by begin; no two overlap
 * @claim: L:lock; a range that is to be held next, or NULL
 */
struct thinx_range_lock {
	spinlock_t lock;
	struct rb_root held;
	struct thinx_range *claim;
};

/**
 * struct thinx_range - a held range, embedded by the holder
 * @node: L:lock; in thinx_range_lock.held
 * @begin: I while held; first block
 * @end: I while held; one past the last block
 * @waiters: L:lock; struct thinx_range_waiter in order of arrival
 */
struct thinx_range {
	struct rb_node node;
	u64 begin;
	u64 end;
	struct list_head waiters;
};

/**
 * struct thinx_range_waiter - a request that met a held range
 * @list: in thinx_range.waiters, then in the list thinx_range_unlock() filled
 * @begin: first block it wanted
 * @end: one past the last block it wanted
 */
struct thinx_range_waiter {
	struct list_head list;
	u64 begin;
	u64 end;
};

/**
 * thinx_range_lock_init() - no range is held
 * @rl: range lock of a volume
 */
void thinx_range_lock_init(struct thinx_range_lock *rl);

/**
 * thinx_range_lock_or_wait() - hold a range, or wait for one that is in the way
 * @rl: range lock of the volume
 * @r: becomes the held range; untouched if the result is false
 * @w: queued at the lowest held range in the way if the result is false, or at
 *	the claimed one, after those that wait there; else untouched.  NULL: do
 *	not queue
 * @begin: first block
 * @end: one past the last block, > @begin
 *
 * Once @w is queued it belongs to the holder of that range, which may already
 * be resubmitting it when this returns: do not touch it.
 *
 * Context: Process, never sleeps, takes @rl->lock.
 * Return: true if @r is held now.
 */
bool __must_check thinx_range_lock_or_wait(struct thinx_range_lock *rl,
					   struct thinx_range *r,
					   struct thinx_range_waiter *w,
					   u64 begin, u64 end);

/**
 * thinx_range_claim() - hold a range, or let nobody else in until it is held
 * @rl: range lock of the volume; no other range is claimed
 * @r: becomes the held or the claimed range; to be ended with
 *	thinx_range_unlock() in both cases
 * @begin: first block
 * @end: one past the last block, > @begin
 *
 * To be called again, with the same arguments, when ranges were let go.
 *
 * Context: Process, never sleeps, takes @rl->lock.
 * Return: true if @r is held now.
 */
bool __must_check thinx_range_claim(struct thinx_range_lock *rl,
				    struct thinx_range *r, u64 begin, u64 end);

/**
 * thinx_range_unlock() - release a range
 * @rl: range lock of the volume
 * @r: held or claimed range
 * @freed: its waiters are appended here, in order of arrival; the caller
 *	resubmits them
 *
 * Context: Process, never sleeps, takes @rl->lock.
 */
void thinx_range_unlock(struct thinx_range_lock *rl, struct thinx_range *r,
			struct list_head *freed);

/**
 * thinx_range_is_held() - is any block of this range held or claimed?
 * @rl: range lock of the volume
 * @begin: first block
 * @end: one past the last block
 *
 * Context: Process, never sleeps, takes @rl->lock.  The answer may be stale
 * at once; for a lasting one see thinx_range_first_held_locked().
 */
bool thinx_range_is_held(struct thinx_range_lock *rl, u64 begin, u64 end);

/**
 * thinx_range_first_held_locked() - lowest held range that overlaps this one
 * @rl: range lock of the volume
 * @begin: first block
 * @end: one past the last block
 *
 * Context: @rl->lock is held, and the answer is valid as long as it is.
 * Return: the held range or NULL.
 */
struct thinx_range *thinx_range_first_held_locked(struct thinx_range_lock *rl,
						  u64 begin, u64 end);

#endif /* THINX_RANGE_LOCK_H */
