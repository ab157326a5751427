/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reference counts for the blocks of a space (docs/format.md section 6).
 *
 * Counts changed in the open transaction live in memory (the *overlay*) and
 * are applied to the bitmaps in block order when the transaction closes, so n
 * adjacent blocks cost one bitmap update:
 *
 *   count(b) = bitmap/overflow count as of the last close + overlay(b)
 *
 * A block may be handed out iff it is free in the bitmaps, untouched in the
 * overlay, not among the blocks freed by the closing transaction and not held
 * (pd_sm_hold()).
 *
 * I1  Nothing freed since the last *completed* transaction is handed out.
 * I2  nr_free, none_free_before and nr_allocated on disk are hints when read
 *     (docs/format.md 13.4) and exact when written.
 *
 * Two kinds: the disk map (data blocks; index in a btree) and the metadata map
 * (the blocks of the metadata device, its own included; index in one block).
 * pd_tm_create() and pd_tm_open() make the latter.
 *
 * Context of all functions unless said otherwise: may sleep; metadata lock
 * held for writing, or for functions marked (R) at least for reading.
 */
#ifndef PD_SPACE_MAP_H
#define PD_SPACE_MAP_H

#include "pd-types.h"

struct pd_sm;
struct pd_tm;

/**
 * pd_sm_disk_create() - format an empty map of zero blocks
 * @tm: transaction manager
 * @result: the new map
 *
 * Allocates the empty index root and the empty overflow root, in this order.
 *
 * Return: 0 or any error of allocating.
 */
int __must_check pd_sm_disk_create(struct pd_tm *tm, struct pd_sm **result);

/**
 * pd_sm_disk_open() - open a committed disk map
 * @tm: transaction manager
 * @root: 32 bytes of the superblock
 * @result: the map
 *
 * Return: 0, -ENOMEM, -EIO, -EILSEQ, -ENOTBLK, -EINVAL damaged root.
 */
int __must_check pd_sm_disk_open(struct pd_tm *tm, const void *root,
				 struct pd_sm **result);

/** pd_sm_destroy() - free a disk map (the metadata map goes with its tm) */
void pd_sm_destroy(struct pd_sm *sm);

/** pd_sm_nr_blocks() - size of the space; (R) */
pd_block_t pd_sm_nr_blocks(const struct pd_sm *sm);

/** pd_sm_nr_allocated() - blocks with a working count of one or more; (R) */
pd_block_t pd_sm_nr_allocated(const struct pd_sm *sm);

/**
 * pd_sm_nr_allocatable() - blocks that could be handed out right now; (R)
 * @sm: space map
 *
 * Smaller than nr_blocks - nr_allocated while freed blocks wait for a commit
 * or are held.
 */
pd_block_t pd_sm_nr_allocatable(const struct pd_sm *sm);

/**
 * pd_sm_get_count() - working reference count; (R)
 * @sm: space map
 * @b: block
 * @count: result
 *
 * Return: 0, -EINVAL beyond the space, -EIO, -EILSEQ.
 */
int __must_check pd_sm_get_count(struct pd_sm *sm, pd_block_t b, u32 *count);

/**
 * pd_sm_get_small_count() - working count, if it is less than two; (R)
 * @sm: space map
 * @b: block
 * @count: result: 0 or 1; 2 stands for two or more
 *
 * Cheaper than pd_sm_get_count(), which looks large counts up.
 *
 * Return: as pd_sm_get_count().
 */
int __must_check pd_sm_get_small_count(struct pd_sm *sm, pd_block_t b,
				       u32 *count);

/**
 * pd_sm_is_shared() - is the working count two or more? (R)
 * @sm: space map
 * @b: block
 * @shared: result
 *
 * Return: as pd_sm_get_count().
 */
int __must_check pd_sm_is_shared(struct pd_sm *sm, pd_block_t b, bool *shared);

/**
 * pd_sm_count_is_stable_one() - is the count 1 now and in every transaction
 * a crash could bring back? (R)
 * @sm: space map
 * @b: block
 * @result: true iff the applied count is one and neither the open nor the
 *	closing transaction touched it
 *
 * Return: as pd_sm_get_count().
 */
int __must_check pd_sm_count_is_stable_one(struct pd_sm *sm, pd_block_t b,
					   bool *result);

/**
 * pd_sm_sharing_cached() - are blocks counted more than once? (R)
 * @sm: space map
 * @begin: first block
 * @end: one past the last block, > @begin
 * @shared: result: the working count of @begin is two or more
 * @nr: result: so many blocks from @begin on are like it, >= 1; there may be
 *	more, as only one bitmap is looked at
 * @missing: the first metadata block that is not cached, if -EAGAIN
 *
 * Reads nothing from the device.
 *
 * Return: as pd_sm_get_count(), -EAGAIN.
 */
int __must_check pd_sm_sharing_cached(struct pd_sm *sm, pd_block_t begin,
				      pd_block_t end, bool *shared,
				      pd_block_t *nr, pd_block_t *missing);

/**
 * pd_sm_inc() - add a reference to each block of a range
 * @sm: space map
 * @begin: first block
 * @end: one past the last block
 *
 * Return: 0; -EINVAL beyond the space; -EOVERFLOW the count does not fit u32
 * (for counts of three or more only pd_sm_close() finds out); -ENOMEM, -EIO,
 * -EILSEQ.
 */
int __must_check pd_sm_inc(struct pd_sm *sm, pd_block_t begin, pd_block_t end);

/**
 * pd_sm_dec() - drop a reference to each block of a range
 * @sm: space map
 * @begin: first block
 * @end: one past the last block
 *
 * Return: 0; -EINVAL beyond the space or a count already was zero (the map
 * does not match the trees: damaged metadata); -ENOMEM, -EIO, -EILSEQ.
 */
int __must_check pd_sm_dec(struct pd_sm *sm, pd_block_t begin, pd_block_t end);

/**
 * pd_sm_alloc() - take one free block, its count becomes one
 * @sm: space map
 * @b: the block
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EILSEQ.
 */
int __must_check pd_sm_alloc(struct pd_sm *sm, pd_block_t *b);

/**
 * pd_sm_find_run() - find and hold a run of free blocks
 * @sm: space map
 * @want: how many blocks would be best, >= 1
 * @begin: first block of the run found
 * @nr: its length, 1 .. @want
 *
 * Best effort: the first run of @want free blocks found by a bounded search
 * from the cursor, else the longest one seen; a run of one if nothing better
 * exists.  The blocks are held (pd_sm_hold()) with count zero: enter them with
 * pd_sm_inc() and drop the hold, or just drop the hold.  The cursor moves past
 * the run.
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EILSEQ.
 */
int __must_check pd_sm_find_run(struct pd_sm *sm, pd_block_t want,
				pd_block_t *begin, pd_block_t *nr);

/**
 * pd_sm_hold() - keep a range of blocks from being handed out
 * @sm: space map
 * @begin: first block
 * @end: one past the last block
 *
 * In memory only.  Holds do not nest.  They survive commits and are forgotten
 * with the map object.  On failure the first part of the range may be held.
 *
 * Return: 0, -ENOMEM, -EINVAL beyond the space, -EIO, -EILSEQ.
 */
int __must_check pd_sm_hold(struct pd_sm *sm, pd_block_t begin, pd_block_t end);

typedef void (*pd_sm_run_fn)(void *context, pd_block_t begin, pd_block_t end);

/**
 * pd_sm_hold_unused() - hold those blocks of a range whose count is zero
 * @sm: space map
 * @begin: first block
 * @end: one past the last block
 * @fn: called for each run of them that was not held before, in ascending
 *	order; must neither sleep nor use @sm
 * @context: for @fn
 *
 * Return: as pd_sm_hold().
 */
int __must_check pd_sm_hold_unused(struct pd_sm *sm, pd_block_t begin,
				   pd_block_t end, pd_sm_run_fn fn,
				   void *context);

/**
 * pd_sm_hold_free() - hold those blocks of a range that could be handed out
 * @sm: space map
 * @begin: first block; moves behind what was looked at
 * @end: one past the last block
 * @max: most blocks to hold
 * @fn: called for each run of them, in ascending order; must neither sleep nor
 *	use @sm
 * @context: for @fn
 *
 * Their count is zero in the open transaction and in whatever a crash can bring
 * back.
 *
 * Return: as pd_sm_hold().
 */
int __must_check pd_sm_hold_free(struct pd_sm *sm, pd_block_t *begin,
				 pd_block_t end, u64 max, pd_sm_run_fn fn,
				 void *context);

/**
 * pd_sm_unhold() - end holds
 * @sm: space map
 * @begin: first block; those not held are ignored
 * @end: one past the last block
 */
void pd_sm_unhold(struct pd_sm *sm, pd_block_t begin, pd_block_t end);

/**
 * pd_sm_extend() - make the space larger
 * @sm: space map
 * @nr_blocks: new size; larger than the present one
 *
 * For the metadata map all blocks this needs come from the new area (the
 * allocator may have nothing else left).  A partial last bitmap whose nr_free
 * was trimmed by old tools gets the right number.
 *
 * Return: 0, -EINVAL not larger or too large, -ENOSPC, -ENOMEM, -EIO, -EILSEQ;
 * after any error but the first the transaction must be aborted.
 */
int __must_check pd_sm_extend(struct pd_sm *sm, pd_block_t nr_blocks);

typedef void (*pd_sm_threshold_fn)(void *context);

/**
 * pd_sm_set_threshold() - be told when free blocks run low
 * @sm: space map
 * @threshold: blocks
 * @fn: called on the first allocation that leaves nr_allocatable at or below
 *	the threshold; again only after a *commit* left more than a quarter of
 *	@threshold, and more than 16 blocks, above the threshold, or after it was
 *	set anew with more free than that.  NULL switches it off.  Called under
 *	the metadata lock: must not sleep
 * @context: for @fn
 */
void pd_sm_set_threshold(struct pd_sm *sm, pd_block_t threshold,
			 pd_sm_threshold_fn fn, void *context);

/**
 * pd_sm_weight() - what closing the open transaction will cost; (R)
 * @sm: space map
 *
 * Return: an estimate, in units of what an overlay entry for up to 64
 * neighbouring blocks costs: 100 to 200 bytes, 100 to 200 ns to close it, and
 * as long to complete it.
 */
u64 pd_sm_weight(const struct pd_sm *sm);

/**
 * pd_sm_nr_dirty_bitmaps() - bitmaps the open transaction has touched; (R)
 * @sm: space map
 *
 * A close will write this many.  For the metadata map, add those that count
 * the blocks the close itself takes and gives up.
 */
u32 pd_sm_nr_dirty_bitmaps(const struct pd_sm *sm);

/**
 * pd_sm_nr_dirty_index() - index entries that changed; (R)
 * @sm: space map
 *
 * A close writes them, and those of the bitmaps it writes.
 */
u32 pd_sm_nr_dirty_index(const struct pd_sm *sm);

/**
 * struct pd_sm_overflow - counts of three or more, and what a close does there
 * @depth: of the tree that holds them
 * @nr_leaves: of that tree, at most
 * @nr_touched: leaves the open transaction's changes fall into, at most
 * @nr_moved: counts that enter or leave the tree, at most
 */
struct pd_sm_overflow {
	u32 depth;
	u64 nr_leaves;
	u64 nr_touched;
	u64 nr_moved;
};

/**
 * pd_sm_get_overflow() - how much of the overflow tree a close will change
 * @sm: space map
 * @o: result; as if the tree were small if it cannot be read at the moment
 */
void pd_sm_get_overflow(struct pd_sm *sm, struct pd_sm_overflow *o);

/**
 * pd_sm_close() - apply the overlay of a disk map to bitmaps and index
 * @sm: disk map
 * @root: 32 bytes for the superblock
 *
 * Called before pd_tm_close(), which does the same for the metadata map.
 *
 * Return: 0, or any error of shadowing: the transaction must be aborted.
 */
int __must_check pd_sm_close(struct pd_sm *sm, void *root);

/**
 * pd_sm_complete() - the closed transaction is durable: release what it freed
 * @sm: disk map
 */
void pd_sm_complete(struct pd_sm *sm);

#endif /* PD_SPACE_MAP_H */
