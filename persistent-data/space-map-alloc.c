// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Finds free blocks and keeps them from being found again.
 *
 *   cursor ─► bitmap i ─► slot i % 4: one busy bit per block
 *                 │          = bitmap ∪ open ∪ closed overlay ∪ held
 *                 └ full? skip        ─► next zero bits
 *
 * I1  The busy bits of a slot are right: whatever makes a block busy sets its
 *     bit, and completing a transaction or letting go of a hold clears it.
 * I2  A bitmap is skipped only if its slot was looked at (full), or, in a first
 *     round, if its maybe_free is zero and it is not the last one.  What the
 *     first round skipped is looked at in a second one, unless nr_allocatable
 *     is zero: a wrong hint costs time, not space.  If the second one finds
 *     nothing either, nr_allocatable is wrong and is corrected.
 * I3  An allocation costs a bit search; a bitmap is read when the cursor enters
 *     it.  When nothing is free every bitmap is marked full and no search
 *     happens.
 *
 * Context: metadata lock, for writing.
 * Crash: nothing here is on disk; holds are forgotten.
 * Rejected: searching the two-bit entries themselves: both overlays and the
 * holds would have to be looked up on the way.
 */
#include "space-map-counts.h"

#include "block-manager.h"
#include "include/thinx-memory.h"
#include "space-map-bitmap.h"

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

/* How far a search for a run goes on once it has found something. */
#define MAX_BITMAPS_LOOKED_AT	3
#define MAX_RUNS_LOOKED_AT	512

/* ---- slots ---- */

static void add_overlay(struct pd_sm_slot *slot, struct xarray *overlay)
{
	unsigned long begin = (unsigned long)slot->index * PD_SM_BITMAP_LONGS;
	const struct pd_sm_word *w;
	unsigned long index;

	xa_for_each_range(overlay, index, w, begin,
			  begin + PD_SM_BITMAP_LONGS - 1)
		slot->busy[index - begin] |= w->touched;
}

/*
 * Read the bitmap; correct nr_free in memory on the way, since old tools trim
 * it.  The index on disk gets it when the bitmap is changed: a mere search must
 * not make closing need more blocks.
 */
static int read_bitmap(struct pd_sm *sm, struct pd_sm_slot *slot, u32 i)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, bitmap->blocknr, &pd_sm_bitmap_validator, &blk);
	if (r)
		return r;

	pd_bitmap_used_bits(blk.data, slot->busy);
	bitmap->nr_free = PD_ENTRIES_PER_BITMAP -
			  pd_bitmap_nr_used(blk.data, PD_ENTRIES_PER_BITMAP);
	bitmap->maybe_free = bitmap->nr_free;
	pd_bm_release(sm->bm, &blk);
	return 0;
}

static int load_slot(struct pd_sm *sm, u32 i, struct pd_sm_slot **result)
{
	struct pd_sm_slot *slot = &sm->slots[i % PD_SM_NR_SLOTS];
	struct pd_sm_held *held;
	int r;

	*result = slot;
	if (slot->valid && slot->index == i)
		return 0;

	slot->valid = false;
	slot->index = i;
	r = read_bitmap(sm, slot, i);
	if (r)
		return r;

	add_overlay(slot, pd_sm_open_overlay(sm));
	add_overlay(slot, pd_sm_closed_overlay(sm));
	held = pd_sm_held_of(sm, i);
	if (held)
		bitmap_or(slot->busy, slot->busy, held->bits,
			  PD_ENTRIES_PER_BITMAP);
	if (!i)
		bitmap_set(slot->busy, 0, sm->first_usable);
	slot->valid = true;

	if (i + 1 < sm->nr_bitmaps)
		pd_bm_prefetch(sm->bm, sm->bitmaps[i + 1].blocknr);
	return 0;
}

/* ---- searching ---- */

/*
 * A search in progress.
 * want: blocks in a row; begin, nr: best so far; runs, bitmaps: looked at.
 */
struct search {
	u32 want;
	pd_block_t begin;
	u32 nr;
	u32 nr_runs;
	u32 nr_bitmaps;
};

static bool is_good_enough(const struct search *s)
{
	return s->nr == s->want ||
	       (s->nr && (s->nr_runs >= MAX_RUNS_LOOKED_AT ||
			  s->nr_bitmaps >= MAX_BITMAPS_LOOKED_AT));
}

/* Look at entries [@from, @end) of a loaded bitmap. */
static void search_slot(const struct pd_sm_slot *slot, u32 from, u32 end,
			struct search *s)
{
	while (from < end && !is_good_enough(s)) {
		u32 a, b, limit;

		a = find_next_zero_bit(slot->busy, end, from);
		if (a >= end)
			break;
		limit = min(end, a + s->want);
		b = find_next_bit(slot->busy, limit, a);
		if (b - a > s->nr) {
			s->begin = pd_sm_first_block(slot->index) + a;
			s->nr = b - a;
		}
		s->nr_runs++;
		from = b;
	}
	s->nr_bitmaps++;
}

/* May bitmap @i be skipped without a look?  See I2. */
static bool is_skipped(const struct pd_sm *sm, u32 i, bool trust_hints)
{
	const struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];

	return bitmap->full ||
	       (trust_hints && !bitmap->maybe_free && i != sm->nr_bitmaps - 1);
}

static int search_bitmap(struct pd_sm *sm, u32 i, u32 from, u32 end,
			 struct search *s)
{
	u32 nr_entries = pd_sm_nr_entries(sm, i), nr = s->nr;
	struct pd_sm_slot *slot;
	int r;

	r = load_slot(sm, i, &slot);
	if (r)
		return r;

	search_slot(slot, from, min(end, nr_entries), s);
	if (s->nr == nr &&
	    find_first_zero_bit(slot->busy, nr_entries) >= nr_entries)
		pd_sm_set_full(sm, i, true);
	return 0;
}

/* Once around from the cursor, whose own bitmap is visited in two parts. */
static int search_round(struct pd_sm *sm, bool trust_hints, struct search *s)
{
	u32 from, first = pd_sm_index_of(sm->cursor, &from), n;
	int r;

	for (n = 0; n <= sm->nr_bitmaps; n++) {
		u32 i = n < sm->nr_bitmaps - first ?
			first + n : n - (sm->nr_bitmaps - first);
		u32 begin = n ? 0 : from;
		u32 end = n == sm->nr_bitmaps ? from : PD_ENTRIES_PER_BITMAP;

		if (begin >= end || is_skipped(sm, i, trust_hints))
			continue;
		r = search_bitmap(sm, i, begin, end, s);
		if (r)
			return r;
		if (is_good_enough(s))
			break;
	}
	return 0;
}

/*
 * Nothing was found.  If every bitmap was looked at, nothing is free, whatever
 * the root on disk said.
 */
static void believe_bitmaps(struct pd_sm *sm)
{
	if (sm->nr_full < sm->nr_bitmaps || !sm->nr_allocatable)
		return;
	sm_warn(sm, "%llu blocks counted as free are not free",
		sm->nr_allocatable);
	sm->nr_allocated += sm->nr_allocatable;
	sm->nr_allocatable = 0;
}

/* Find up to @want free blocks in a row and move the cursor past them. */
static int search_run(struct pd_sm *sm, u32 want, pd_block_t *begin, u32 *nr)
{
	struct search s = { .want = want };
	int r;

	if (sm->nr_full == sm->nr_bitmaps)
		return -ENOSPC;

	if (sm->cursor >= sm->nr_blocks)
		sm->cursor = 0;
	r = search_round(sm, true, &s);
	if (!r && !s.nr && sm->nr_allocatable)
		r = search_round(sm, false, &s);
	if (r)
		return r;
	if (!s.nr) {
		believe_bitmaps(sm);
		return -ENOSPC;
	}

	sm->cursor = s.begin + s.nr;
	*begin = s.begin;
	*nr = s.nr;
	return 0;
}

int pd_sm_alloc(struct pd_sm *sm, pd_block_t *b)
{
	u32 nr;
	int r;

	r = search_run(sm, 1, b, &nr);
	if (r)
		return r;

	return pd_sm_take(sm, *b);
}

/* ---- holds ---- */

static int get_held(struct pd_sm *sm, u32 i, struct pd_sm_held **result)
{
	struct pd_sm_held *held = pd_sm_held_of(sm, i);
	int r;

	if (!held) {
		held = thinx_zalloc(sizeof(*held));
		if (!held)
			return -ENOMEM;
		r = thinx_xa_store(&sm->held, i, held);
		if (r) {
			kfree(held);
			return r;
		}
	}
	*result = held;
	return 0;
}

static void put_held(struct pd_sm *sm, u32 i, struct pd_sm_held *held)
{
	if (held->nr)
		return;
	xa_erase(&sm->held, i);
	kfree(held);
}

/*
 * Blocks gained reason H on top of what they had: keep I1 and I2 of the header.
 * Their counts in the bitmap are zero.  Returns how many were free.
 */
static u32 account_hold(struct pd_sm *sm, pd_block_t first, u64 mask)
{
	const struct pd_sm_word *open =
		pd_sm_word_of(pd_sm_open_overlay(sm), first);
	const struct pd_sm_word *closed =
		pd_sm_word_of(pd_sm_closed_overlay(sm), first);

	if (open)
		mask &= ~open->touched;
	if (closed) {
		sm->nr_freed -= hweight64(mask & closed->zero);
		mask &= ~closed->touched;
	}
	return hweight64(mask);
}

/* Hold blocks of word @n that are not held yet; returns how many were free. */
static u32 hold_word(struct pd_sm *sm, struct pd_sm_held *held, u32 i, u32 n,
		     u64 mask, const struct pd_bitmap_word *base)
{
	struct pd_sm_slot *slot = pd_sm_slot_of(sm, i);
	u64 zero = mask & ~(base->low | base->high);

	held->nr += hweight64(mask);
	held->bits[n] |= mask;
	held->zero[n] &= ~mask;
	held->zero[n] |= zero;
	if (slot)
		slot->busy[n] |= mask;
	return account_hold(sm, pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS,
			    zero);
}

static int hold_in_bitmap(struct pd_sm *sm, u32 i, u32 begin, u32 end)
{
	struct pd_sm_held *held;
	struct pd_block blk;
	u32 nr = 0;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	r = get_held(sm, i, &held);
	while (!r && begin < end) {
		struct pd_bitmap_word base;
		u32 n;
		u64 mask = pd_sm_word_mask(&begin, end, &n);

		pd_bitmap_get_word(blk.data, n, &base);
		nr += hold_word(sm, held, i, n, mask & ~held->bits[n], &base);
	}
	pd_bm_release(sm->bm, &blk);

	if (nr)
		pd_sm_lose_allocatable(sm, nr);
	return r;
}

/* Hold free blocks of one loaded bitmap. */
static int hold_free(struct pd_sm *sm, pd_block_t begin, u32 nr)
{
	u32 e, i = pd_sm_index_of(begin, &e);
	struct pd_sm_slot *slot = pd_sm_slot_of(sm, i);
	struct pd_sm_held *held;
	int r;

	r = get_held(sm, i, &held);
	if (r)
		return r;

	bitmap_set(held->bits, e, nr);
	bitmap_set(held->zero, e, nr);
	held->nr += nr;
	if (slot)
		bitmap_set(slot->busy, e, nr);
	pd_sm_lose_allocatable(sm, nr);
	return 0;
}

static void show_runs(pd_block_t first, u64 mask, pd_sm_run_fn fn,
		      void *context)
{
	while (mask) {
		u32 n, nr = pd_sm_next_run(&mask, &n);

		fn(context, first + n, first + n + nr);
	}
}

static int hold_unused_word(struct pd_sm *sm, u32 i, u32 n, u64 mask,
			    const struct pd_bitmap_word *base, u64 *unused)
{
	pd_block_t first = pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS;
	struct pd_sm_held *held;
	u32 nr;
	int r;

	r = pd_sm_unused_word(sm, first, base,
			      mask & ~pd_sm_held_word(sm, i, n), unused);
	if (r || !*unused)
		return r;
	r = get_held(sm, i, &held);
	if (r)
		return r;
	nr = hold_word(sm, held, i, n, *unused, base);
	if (nr)
		pd_sm_lose_allocatable(sm, nr);
	return 0;
}

static int hold_unused_in_bitmap(struct pd_sm *sm, u32 i, u32 begin, u32 end,
				 pd_sm_run_fn fn, void *context)
{
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	while (!r && begin < end) {
		struct pd_bitmap_word base;
		u32 n;
		u64 mask = pd_sm_word_mask(&begin, end, &n), unused;

		pd_bitmap_get_word(blk.data, n, &base);
		r = hold_unused_word(sm, i, n, mask, &base, &unused);
		if (!r)
			show_runs(pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS,
				  unused, fn, context);
	}
	pd_bm_release(sm->bm, &blk);
	return r;
}

/* Which of 64 neighbours, none of them held, have no other reason to be busy. */
static u64 free_word(struct pd_sm *sm, pd_block_t first, u64 mask,
		     const struct pd_bitmap_word *base)
{
	const struct pd_sm_word *open =
		pd_sm_word_of(pd_sm_open_overlay(sm), first);
	const struct pd_sm_word *closed =
		pd_sm_word_of(pd_sm_closed_overlay(sm), first);

	mask &= ~(base->low | base->high);
	if (open)
		mask &= ~open->touched;
	if (closed)
		mask &= ~closed->touched;
	return mask;
}

/* The lowest @nr ones of @mask. */
static u64 lowest_ones(u64 mask, u64 nr)
{
	u64 rest = mask;

	if (hweight64(mask) <= nr)
		return mask;
	while (nr--)
		rest &= rest - 1;
	return mask & ~rest;
}

static int hold_free_in_bitmap(struct pd_sm *sm, u32 i, u32 *begin, u32 end,
			       u64 *max, pd_sm_run_fn fn, void *context)
{
	struct pd_sm_held *held;
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	while (!r && *begin < end && *max) {
		struct pd_bitmap_word base;
		pd_block_t first;
		u64 mask, taken;
		u32 n;

		mask = pd_sm_word_mask(begin, end, &n);
		first = pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS;
		pd_bitmap_get_word(blk.data, n, &base);
		mask = free_word(sm, first, mask & ~pd_sm_held_word(sm, i, n),
				 &base);
		if (!mask)
			continue;
		r = get_held(sm, i, &held);
		if (r)
			break;
		taken = lowest_ones(mask, *max);
		pd_sm_lose_allocatable(sm, hold_word(sm, held, i, n, taken,
						     &base));
		*max -= hweight64(taken);
		if (taken != mask)
			*begin = n * PD_SM_WORD_BLOCKS + __ffs64(mask & ~taken);
		show_runs(first, taken, fn, context);
	}
	pd_bm_release(sm->bm, &blk);
	return r;
}

static void unhold_word(struct pd_sm *sm, struct pd_sm_held *held, u32 i, u32 n,
			u64 mask)
{
	pd_block_t first = pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS;
	const struct pd_sm_word *w;

	held->bits[n] &= ~mask;
	held->nr -= hweight64(mask);

	mask &= held->zero[n];
	w = pd_sm_word_of(pd_sm_open_overlay(sm), first);
	if (w)
		mask &= ~w->touched;
	w = pd_sm_word_of(pd_sm_closed_overlay(sm), first);
	if (w) {
		sm->nr_freed += hweight64(mask & w->touched);
		mask &= ~w->touched;
	}
	if (!mask)
		return;
	sm->nr_allocatable += hweight64(mask);
	pd_sm_clear_busy(sm, i, n, mask);
}

static void unhold_in_bitmap(struct pd_sm *sm, u32 i, u32 begin, u32 end)
{
	struct pd_sm_held *held = pd_sm_held_of(sm, i);

	if (!held)
		return;
	while (begin < end) {
		u32 n;
		u64 mask = pd_sm_word_mask(&begin, end, &n);

		mask &= held->bits[n];
		if (mask)
			unhold_word(sm, held, i, n, mask);
	}
	put_held(sm, i, held);
}

int pd_sm_hold(struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	int r = 0;

	if (begin > end || end > sm->nr_blocks)
		return -EINVAL;

	while (begin < end && !r) {
		u32 e, i = pd_sm_index_of(begin, &e);
		u32 stop = min_t(u64, PD_ENTRIES_PER_BITMAP, e + (end - begin));

		r = hold_in_bitmap(sm, i, e, stop);
		begin += stop - e;
	}
	return r;
}

int pd_sm_hold_unused(struct pd_sm *sm, pd_block_t begin, pd_block_t end,
		      pd_sm_run_fn fn, void *context)
{
	int r = 0;

	if (begin > end || end > sm->nr_blocks)
		return -EINVAL;

	while (begin < end && !r) {
		u32 e, i = pd_sm_index_of(begin, &e);
		u32 stop = min_t(u64, PD_ENTRIES_PER_BITMAP, e + (end - begin));

		r = hold_unused_in_bitmap(sm, i, e, stop, fn, context);
		begin += stop - e;
	}
	return r;
}

int pd_sm_hold_free(struct pd_sm *sm, pd_block_t *begin, pd_block_t end,
		    u64 max, pd_sm_run_fn fn, void *context)
{
	int r = 0;

	if (*begin > end || end > sm->nr_blocks)
		return -EINVAL;

	*begin = min(max(*begin, sm->first_usable), end);
	while (*begin < end && max && !r) {
		u32 e, i = pd_sm_index_of(*begin, &e);
		u32 stop = min_t(u64, PD_ENTRIES_PER_BITMAP, e + (end - *begin));

		if (sm->bitmaps[i].full)
			e = stop;
		else
			r = hold_free_in_bitmap(sm, i, &e, stop, &max, fn,
						context);
		*begin = pd_sm_first_block(i) + e;
	}
	return r;
}

void pd_sm_unhold(struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	end = min(end, sm->nr_blocks);
	while (begin < end) {
		u32 e, i = pd_sm_index_of(begin, &e);
		u32 stop = min_t(u64, PD_ENTRIES_PER_BITMAP, e + (end - begin));

		unhold_in_bitmap(sm, i, e, stop);
		begin += stop - e;
	}
}

int pd_sm_find_run(struct pd_sm *sm, pd_block_t want, pd_block_t *begin,
		   pd_block_t *nr)
{
	u32 found;
	int r;

	want = clamp_t(u64, want, 1, PD_ENTRIES_PER_BITMAP);
	r = search_run(sm, want, begin, &found);
	if (r)
		return r;

	*nr = found;
	return hold_free(sm, *begin, found);
}
