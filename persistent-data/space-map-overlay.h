/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * An overlay: what a transaction did to counts, 64 neighbouring blocks at a
 * time.
 *
 *   b / 64 ──► struct pd_sm_word    bit n is about block n of the 64
 *                touched, new, applied, zero
 *                delta[0], delta[1], delta[2]    a number of three bits
 *                wide ──► 64 numbers, once one does not fit
 *
 * With one bit of each delta in a word of its own, adding one to many deltas,
 * or adding deltas to counts, takes a few operations on whole words.
 *
 * I1  Only touched blocks have a delta other than zero or any other bit set.
 * I2  zero is set for applied blocks only, and an applied block's delta is
 *     zero.
 * I3  With wide, the words of delta mean nothing.
 *
 * Context: the caller's lock, for writing where anything changes.
 */
#ifndef PD_SPACE_MAP_OVERLAY_H
#define PD_SPACE_MAP_OVERLAY_H

#include "pd-types.h"

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/xarray.h>

struct pd_bitmap_word;

#define PD_SM_WORD_BLOCKS 64

/**
 * struct pd_sm_word - changed counts of 64 neighbours
 * @touched: the transaction changed the count, even if it is the same again
 * @new: allocated in this transaction, was free
 * @applied: in the bitmap already
 * @zero: applied, and the count is zero
 * @delta: bit by bit, what to add to the count in the bitmap: -4 to 3
 * @wide: if not NULL, used in place of @delta
 */
struct pd_sm_word {
	u64 touched;
	u64 new;
	u64 applied;
	u64 zero;
	u64 delta[3];
	s32 *wide;
};

/** pd_sm_word_of() - the entry that describes block @b; NULL: none */
static inline struct pd_sm_word *pd_sm_word_of(struct xarray *overlay,
					       pd_block_t b)
{
	return xa_load(overlay, b / PD_SM_WORD_BLOCKS);
}

/** pd_sm_word_bit() - the bit for block @b */
static inline u64 pd_sm_word_bit(pd_block_t b)
{
	return 1ULL << b % PD_SM_WORD_BLOCKS;
}

/** pd_sm_is_touched() - does the overlay have an entry for block @b? */
static inline bool pd_sm_is_touched(struct xarray *overlay, pd_block_t b)
{
	const struct pd_sm_word *w = pd_sm_word_of(overlay, b);

	return w && w->touched & pd_sm_word_bit(b);
}

/**
 * pd_sm_word_mask() - the next word of a range, and what of it
 * @begin: first entry of the range; moves to the end of the word or of the range
 * @end: one past the last entry; more than @begin
 * @n: number of the word
 *
 * Return: the bits of the entries in the word.
 */
static inline u64 pd_sm_word_mask(u32 *begin, u32 end, u32 *n)
{
	u32 first = *begin % PD_SM_WORD_BLOCKS, last;

	*n = *begin / PD_SM_WORD_BLOCKS;
	last = min_t(u32, end - 1 - *n * PD_SM_WORD_BLOCKS,
		     PD_SM_WORD_BLOCKS - 1);
	*begin = *n * PD_SM_WORD_BLOCKS + last + 1;
	return GENMASK_ULL(last, first);
}

/**
 * pd_sm_word_make() - find or make the entry that describes a block
 * @overlay: overlay
 * @b: block
 * @made: set to true if the entry is new
 *
 * Return: the entry; NULL out of memory.
 */
struct pd_sm_word *pd_sm_word_make(struct xarray *overlay, pd_block_t b,
				   bool *made);

/** pd_sm_word_delta() - delta of block @n */
s64 pd_sm_word_delta(const struct pd_sm_word *w, u32 n);

/** pd_sm_word_changed() - the blocks whose deltas are not zero */
u64 pd_sm_word_changed(const struct pd_sm_word *w);

/**
 * pd_sm_word_make_room() - make sure that adding to a delta will do
 * @w: entry
 * @n: which delta
 * @step: what will be added
 *
 * Return: 0, -ENOMEM, -EOVERFLOW.
 */
int __must_check pd_sm_word_make_room(struct pd_sm_word *w, u32 n, int step);

/**
 * pd_sm_word_add() - add to deltas
 * @w: entry
 * @mask: which ones; there is room
 * @step: 1 or -1
 */
void pd_sm_word_add(struct pd_sm_word *w, u64 mask, int step);

/** pd_sm_word_clear() - set deltas to zero */
void pd_sm_word_clear(struct pd_sm_word *w, u64 mask);

/**
 * pd_sm_word_sum() - add deltas to counts
 * @w: entry, not wide
 * @base: counts
 * @sum: the sums, modulo 8, bit by bit
 */
void pd_sm_word_sum(const struct pd_sm_word *w,
		    const struct pd_bitmap_word *base, u64 sum[3]);

/**
 * pd_sm_next_run() - take the lowest run of ones out of a mask
 * @mask: not zero; loses the run
 * @n: its lowest bit
 *
 * Return: its length.
 */
u32 pd_sm_next_run(u64 *mask, u32 *n);

/** pd_sm_word_forget() - take the entry of block @b out and free it */
void pd_sm_word_forget(struct xarray *overlay, pd_block_t b);

/**
 * pd_sm_overlay_empty() - forget all entries
 * @overlay: overlay, maybe with many entries
 *
 * One by one: xa_destroy() would free them all with interrupts off.
 */
void pd_sm_overlay_empty(struct xarray *overlay);

#endif /* PD_SPACE_MAP_OVERLAY_H */
