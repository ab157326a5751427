// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Applies the overlay to the bitmaps when a transaction closes.
 *
 *   open overlay, 64 blocks at a time ──► bitmap i: shadow, set entries, hints
 *                                            └─ counts of three or more, run
 *                                               by run ─► overflow tree
 *   then: open overlay ──► closed overlay ──complete──► forgotten
 *
 * The metadata map counts its own blocks: shadowing a bitmap or an overflow
 * node makes new entries in the very overlay that is being applied.  So this
 * goes in rounds until no entry is pending.  It terminates: each block is
 * shadowed at most once in a transaction.
 *
 * I1  At any moment working count = entry in the bitmap + delta: the bits of
 *     an entry and its delta change together, with no allocation between.  Only
 *     then the overflow tree follows, whose change may touch blocks, even of
 *     the same 64; those are pending again.
 * I2  A block stays busy throughout (space-map-common.h, I3), so nothing freed
 *     here is handed out during the close.
 * I3  nr_free and none_free_before are recomputed from the bitmap each time it
 *     is written, never adjusted.
 *
 * Context: metadata lock, for writing.
 * Crash: only blocks of the open transaction are changed; nothing points to
 * them before the superblock does.
 */
#include "space-map-apply.h"

#include "block-manager.h"
#include "space-map-bitmap.h"
#include "space-map-counts.h"
#include "transaction-manager.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <asm/byteorder.h>

/*
 * Up to 64 neighbours whose changes are being applied.
 * i, n: word n of bitmap i; w: their entry of the overlay; base: what the
 * bitmap says, and shall say.
 */
struct word {
	struct pd_sm *sm;
	u32 i;
	u32 n;
	struct pd_disk_bitmap *disk;
	struct pd_sm_word *w;
	struct pd_bitmap_word base;
};

static pd_block_t first_of(const struct word *word)
{
	return pd_sm_first_block(word->i) + word->n * PD_SM_WORD_BLOCKS;
}

/* ---- overflow tree ---- */

static int insert_counts(struct pd_sm *sm, pd_block_t first, u64 mask,
			 const __le32 *counts)
{
	while (mask) {
		u32 n, nr = pd_sm_next_run(&mask, &n), unused;
		u64 key = first + n;
		int r = pd_btree_insert_run(&sm->overflow, &sm->overflow_root,
					    &key, counts + n, nr, &unused);

		if (r)
			return r;
	}
	return 0;
}

static int remove_run(struct pd_sm *sm, u64 begin, u64 end)
{
	struct pd_btree_range range = { .begin = begin, .end = end };
	int r;

	if (end - begin == 1)
		return pd_btree_remove(&sm->overflow, &sm->overflow_root,
				       &begin);
	do {
		r = pd_btree_remove_range(&sm->overflow, &sm->overflow_root,
					  &begin, &range, PD_SM_WORD_BLOCKS);
	} while (!r && !range.done);
	return r;
}

static int remove_counts(struct pd_sm *sm, pd_block_t first, u64 mask)
{
	int r = 0;

	while (mask && !r) {
		u32 n, nr = pd_sm_next_run(&mask, &n);

		r = remove_run(sm, first + n, first + n + nr);
	}
	return r;
}

/* ---- one word ---- */

/* Write the bitmap's entries, and flag those of @mask as applied: I1. */
static void set_applied(struct word *word, u64 mask)
{
	struct pd_sm *sm = word->sm;
	struct pd_sm_held *held = pd_sm_held_of(sm, word->i);
	u64 zero = mask & ~(word->base.low | word->base.high), kept = 0;

	pd_bitmap_set_word(word->disk, word->n, &word->base);
	pd_sm_word_clear(word->w, mask);
	word->w->applied |= mask;
	word->w->zero |= zero;

	if (held) {
		kept = held->bits[word->n];
		held->zero[word->n] &= ~mask;
		held->zero[word->n] |= zero & kept;
	}
	sm->nr_freed += hweight64(zero & ~kept);
}

/*
 * What needs no look at the overflow tree: counts below three, before and
 * after, and "many" that stays what it is.
 */
static u64 apply_small(struct word *word, u64 mask)
{
	u64 many = word->base.low & word->base.high, sum[3];

	if (word->w->wide)
		return 0;
	pd_sm_word_sum(word->w, &word->base, sum);
	mask &= (~many & ~sum[2] & ~(sum[1] & sum[0])) |
		(many & ~pd_sm_word_changed(word->w));
	many &= mask;
	word->base.low = (word->base.low & (~mask | many)) |
			 (sum[0] & mask & ~many);
	word->base.high = (word->base.high & (~mask | many)) |
			  (sum[1] & mask & ~many);
	set_applied(word, mask);
	return mask;
}

static int new_count(const struct word *word, u32 n, s64 before, u32 *after)
{
	s64 count = before + pd_sm_word_delta(word->w, n);

	if (count < 0 || count > U32_MAX) {
		sm_err(word->sm, "block %llu: impossible count %lld",
		       first_of(word) + n, count);
		return count < 0 ? -EINVAL : -EOVERFLOW;
	}
	*after = count;
	return 0;
}

static int apply_large(struct word *word, u64 mask)
{
	u64 many = word->base.low & word->base.high, todo, entered = 0;
	u64 changed = mask & pd_sm_word_changed(word->w);
	pd_block_t first = first_of(word);
	__le32 counts[PD_SM_WORD_BLOCKS];
	u32 after;
	int r;

	r = pd_sm_overflow_lookup_word(word->sm, first, changed & many, counts);
	if (r)
		return r;

	for (todo = changed; todo; todo &= todo - 1) {
		u32 n = __ffs64(todo);

		r = new_count(word, n, many & BIT_ULL(n) ?
			      le32_to_cpu(counts[n]) :
			      pd_bitmap_word_get(&word->base, n), &after);
		if (r)
			return r;
		counts[n] = cpu_to_le32(after);
		pd_bitmap_word_set(&word->base, n,
				   min_t(u32, after, PD_BITMAP_MANY));
		if (after >= PD_BITMAP_MANY)
			entered |= BIT_ULL(n);
	}
	set_applied(word, mask);

	r = insert_counts(word->sm, first, entered, counts);
	if (!r)
		r = remove_counts(word->sm, first, changed & many & ~entered);
	return r;
}

static int apply_word(struct word *word)
{
	u64 mask = word->w->touched & ~word->w->applied;

	if (!mask)
		return 0;
	pd_bitmap_get_word(word->disk, word->n, &word->base);
	mask &= ~apply_small(word, mask);
	return mask ? apply_large(word, mask) : 0;
}

/* ---- one bitmap ---- */

static void update_hints(struct pd_sm *sm, u32 i,
			 const struct pd_disk_bitmap *disk)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];

	bitmap->nr_free = PD_ENTRIES_PER_BITMAP -
			  pd_bitmap_nr_used(disk, PD_ENTRIES_PER_BITMAP);
	bitmap->none_free_before = pd_bitmap_first_free(disk);
	pd_sm_mark(&sm->index_dirty, i);
}

static int apply_words(struct pd_sm *sm, u32 i, struct pd_disk_bitmap *disk)
{
	unsigned long begin = (unsigned long)i * PD_SM_BITMAP_LONGS, index;
	struct word word = { .sm = sm, .i = i, .disk = disk };
	int r;

	xa_for_each_range(pd_sm_open_overlay(sm), index, word.w, begin,
			  begin + PD_SM_BITMAP_LONGS - 1) {
		word.n = index - begin;
		r = apply_word(&word);
		if (r)
			return r;
	}
	return 0;
}

static int apply_bitmap(struct pd_sm *sm, u32 i)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	struct pd_block blk;
	bool inc_children;
	int r;

	/* A bitmap refers to no blocks: there are no children to count. */
	r = pd_tm_shadow(sm->tm, bitmap->blocknr, &pd_sm_bitmap_validator, &blk,
			 &inc_children);
	if (r)
		return r;

	/* After shadowing, which may have touched blocks of this bitmap. */
	pd_sm_unmark(&sm->pending, i);
	bitmap->blocknr = blk.nr;
	r = apply_words(sm, i, blk.data);
	update_hints(sm, i, blk.data);
	pd_bm_release(sm->bm, &blk);
	return r;
}

/* Blocks of a map that can be shadowed and so may require another round. */
static u64 max_rounds(const struct pd_sm *sm)
{
	return 16 + (u64)sm->nr_bitmaps * 2;
}

int pd_sm_apply(struct pd_sm *sm)
{
	const struct pd_sm_marks *pending = &sm->pending;
	u64 nr_rounds = 0;
	u32 i;
	int r;

	sm->closing = true;
	while (pending->nr) {
		if (nr_rounds++ > max_rounds(sm)) {
			sm_err(sm, "closing the transaction does not end");
			return -EILSEQ;
		}
		for (i = pd_sm_next_marked(pending, 0); i < pending->end;
		     i = pd_sm_next_marked(pending, i + 1)) {
			r = apply_bitmap(sm, i);
			if (r)
				return r;
			cond_resched();
		}
	}
	sm->closing = false;
	return 0;
}

/* ---- transactions ---- */

void pd_sm_switch_overlays(struct pd_sm *sm)
{
	sm->open = !sm->open;
	sm->nr_words = 0;
	pd_sm_forget_overflow(sm);
}
