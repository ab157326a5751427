// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reference counts: what the bitmaps say plus what the open transaction did.
 *
 *   pd_sm_inc()/dec() ──► overlay: 64 blocks → deltas, flags
 *                              │ close (space-map-apply.c)
 *                              ▼
 *   pd_sm_get_count() = bitmap (≥ 3: overflow tree) + delta
 *
 * I1  A touched block stays so until the transaction that touched it has
 *     completed, even if its delta is zero again.
 * I2  A working count is never negative: pd_sm_dec() refuses.
 * I3  For entries of "many" (three or more) the exact count is looked up only
 *     where it matters: the overflow tree is not touched while the transaction
 *     is open.
 * I4  Changes of counts of three or more are noted by window: the windows bound
 *     how many overflow leaves the close will copy, which is otherwise unknown.
 * I5  What needs memory comes before the change it is for: an error leaves the
 *     blocks at hand as they were.
 *
 * Context: metadata lock, for writing where anything changes.
 * Crash: nothing here is on disk before the transaction closes.
 */
#include "space-map-counts.h"

#include "block-manager.h"
#include "include/thinx-memory.h"
#include "space-map-bitmap.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <asm/byteorder.h>

/* ---- reading counts ---- */

static int check_range(const struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	if (begin <= end && end <= sm->nr_blocks)
		return 0;

	sm_err_limit(sm, "no such blocks [%llu, %llu): there are %llu", begin,
		     end, sm->nr_blocks);
	return -EINVAL;
}

int pd_sm_overflow_lookup(struct pd_sm *sm, pd_block_t b, u32 *count)
{
	__le32 value;
	int r;

	r = pd_btree_lookup(&sm->overflow, sm->overflow_root, &b, &value);
	if (r == -ENODATA) {
		sm_err_limit(sm, "block %llu has no overflow count", b);
		return -EILSEQ;
	}
	if (r)
		return r;

	*count = le32_to_cpu(value);
	return 0;
}

struct word_lookup {
	pd_block_t first;
	u64 mask;
	__le32 *counts;
};

/* First of @nr keys that is not below @key. */
static u32 lower_bound_key(const __le64 *keys, u32 nr, u64 key)
{
	u32 begin = 0, end = nr;

	while (begin < end) {
		u32 mid = begin + (end - begin) / 2;

		if (le64_to_cpu(keys[mid]) < key)
			begin = mid + 1;
		else
			end = mid;
	}
	return begin;
}

/* Take what the leaf has out of the mask. */
static void copy_counts(void *context, const struct pd_btree_leaf *l)
{
	struct word_lookup *lookup = context;
	const __le32 *values = l->values;
	u32 i;

	i = lower_bound_key(l->keys, l->nr,
			    lookup->first + __ffs64(lookup->mask));
	for (; i < l->nr; i++) {
		u64 n = le64_to_cpu(l->keys[i]) - lookup->first;

		if (n >= PD_SM_WORD_BLOCKS)
			break;
		if (!(lookup->mask & BIT_ULL(n)))
			continue;
		lookup->counts[n] = values[i];
		lookup->mask &= ~BIT_ULL(n);
	}
}

int pd_sm_overflow_lookup_word(struct pd_sm *sm, pd_block_t first, u64 mask,
			       __le32 *counts)
{
	struct word_lookup lookup = {
		.first = first, .mask = mask, .counts = counts,
	};

	while (lookup.mask) {
		u64 b = first + __ffs64(lookup.mask);
		int r = pd_btree_lookup_leaf(&sm->overflow, sm->overflow_root,
					     &b, copy_counts, &lookup);

		if (r)
			return r;
		/* The leaf covers this one, whatever it says of the others. */
		if (lookup.mask & pd_sm_word_bit(b)) {
			sm_err_limit(sm, "block %llu has no overflow count", b);
			return -EILSEQ;
		}
	}
	return 0;
}

/* What the bitmap says about @b: a count or PD_BITMAP_MANY. */
static int read_entry(struct pd_sm *sm, pd_block_t b, unsigned int *value)
{
	struct pd_block blk;
	u32 e, i = pd_sm_index_of(b, &e);
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	*value = pd_bitmap_get(blk.data, e);
	pd_bm_release(sm->bm, &blk);
	return 0;
}

/* Count as of the last close. */
static int read_base(struct pd_sm *sm, pd_block_t b, u32 *count)
{
	unsigned int value;
	int r;

	r = read_entry(sm, b, &value);
	if (r)
		return r;

	if (value == PD_BITMAP_MANY)
		return pd_sm_overflow_lookup(sm, b, count);

	*count = value;
	return 0;
}

/*
 * A block allocated in the open transaction had a count of zero at the last
 * close; no bitmap needs to be read unless closing has changed it since.
 */
static bool is_new_unapplied(const struct pd_sm *sm, const struct pd_sm_word *w,
			     pd_block_t b)
{
	return w && !sm->closing && w->new & pd_sm_word_bit(b);
}

int pd_sm_get_count(struct pd_sm *sm, pd_block_t b, u32 *count)
{
	const struct pd_sm_word *w;
	u32 base = 0;
	s64 sum;
	int r;

	r = check_range(sm, b, b + 1);
	if (r)
		return r;

	w = pd_sm_word_of(pd_sm_open_overlay(sm), b);
	if (!is_new_unapplied(sm, w, b)) {
		r = read_base(sm, b, &base);
		if (r)
			return r;
	}

	sum = base + (w ? pd_sm_word_delta(w, b % PD_SM_WORD_BLOCKS) : 0);
	if (sum < 0 || sum > U32_MAX) {
		sm_err_limit(sm, "block %llu: impossible count %lld", b, sum);
		return -EILSEQ;
	}
	*count = sum;
	return 0;
}

static int overflow_lookup_cached(struct pd_sm *sm, pd_block_t b, u32 *count,
				  pd_block_t *missing)
{
	__le32 counts[PD_SM_WORD_BLOCKS];
	struct word_lookup lookup = {
		.first = b - b % PD_SM_WORD_BLOCKS,
		.mask = pd_sm_word_bit(b),
		.counts = counts,
	};
	int r = pd_btree_lookup_leaf_cached(&sm->overflow, sm->overflow_root,
					    &b, copy_counts, &lookup, missing);

	if (r)
		return r;
	if (lookup.mask) {
		sm_err_limit(sm, "block %llu has no overflow count", b);
		return -EILSEQ;
	}
	*count = le32_to_cpu(counts[b % PD_SM_WORD_BLOCKS]);
	return 0;
}

/*
 * The count of @b as far as its entry, @value, tells: "three or more" is enough
 * unless the open transaction took two away or more.
 */
static bool is_count_known(const struct pd_sm_word *w, pd_block_t b,
			   unsigned int value, s64 *count)
{
	s64 delta = w ? pd_sm_word_delta(w, b % PD_SM_WORD_BLOCKS) : 0;

	*count = value + delta;
	return value != PD_BITMAP_MANY || delta > -2;
}

int pd_sm_sharing_cached(struct pd_sm *sm, pd_block_t begin, pd_block_t end,
			 bool *shared, pd_block_t *nr, pd_block_t *missing)
{
	const struct pd_sm_word *w = NULL;
	struct pd_block blk;
	bool known = true;
	pd_block_t b;
	s64 count = 0;
	u32 e, i, base;
	int r;

	r = check_range(sm, begin, end);
	if (r)
		return r;
	i = pd_sm_index_of(begin, &e);
	r = pd_bm_read_cached(sm->bm, sm->bitmaps[i].blocknr,
			      &pd_sm_bitmap_validator, &blk);
	if (r == -EAGAIN)
		*missing = sm->bitmaps[i].blocknr;
	if (r)
		return r;
	end = min(end, begin + PD_ENTRIES_PER_BITMAP - e);
	for (b = begin; b < end; b++, e++) {
		if (b == begin || !(b % PD_SM_WORD_BLOCKS))
			w = pd_sm_word_of(pd_sm_open_overlay(sm), b);
		known = is_count_known(w, b, pd_bitmap_get(blk.data, e),
				       &count);
		if (b == begin && known)
			*shared = count > 1;
		else if (!known || (count > 1) != *shared)
			break;
	}
	pd_bm_release(sm->bm, &blk);
	*nr = max(b - begin, 1ULL);
	if (b > begin || known)
		return 0;

	r = overflow_lookup_cached(sm, begin, &base, missing);
	if (!r)
		*shared = base + (count - PD_BITMAP_MANY) > 1;
	return r;
}

int pd_sm_count_is_stable_one(struct pd_sm *sm, pd_block_t b, bool *result)
{
	unsigned int value;
	int r;

	r = check_range(sm, b, b + 1);
	if (r)
		return r;

	*result = false;
	if (pd_sm_is_touched(pd_sm_open_overlay(sm), b) ||
	    pd_sm_is_touched(pd_sm_closed_overlay(sm), b))
		return 0;

	r = read_entry(sm, b, &value);
	if (!r)
		*result = value == 1;
	return r;
}

int pd_sm_unused_word(struct pd_sm *sm, pd_block_t first,
		      const struct pd_bitmap_word *base, u64 mask, u64 *unused)
{
	const struct pd_sm_word *w =
		pd_sm_word_of(pd_sm_open_overlay(sm), first);
	u64 many = base->low & base->high;
	u32 count;
	int r;

	*unused = mask & ~(base->low | base->high);
	if (!w)
		return 0;
	/* Zero plus a delta is not zero, nor is a count that has none. */
	*unused &= ~pd_sm_word_changed(w);
	mask &= (base->low | base->high) & pd_sm_word_changed(w);
	if (!w->wide) {
		u64 sum[3];

		pd_sm_word_sum(w, base, sum);
		*unused |= mask & ~many & ~(sum[0] | sum[1] | sum[2]);
		mask &= many & w->delta[2];
	}
	for (; mask; mask &= mask - 1) {
		r = pd_sm_get_count(sm, first + __ffs64(mask), &count);
		if (r)
			return r;
		if (!count)
			*unused |= mask & -mask;
	}
	return 0;
}

bool pd_sm_is_new(struct pd_sm *sm, pd_block_t b)
{
	const struct pd_sm_word *w = pd_sm_word_of(pd_sm_open_overlay(sm), b);

	return w && w->new & pd_sm_word_bit(b);
}

/* ---- what a close will do to the overflow tree ---- */

void pd_sm_forget_overflow(struct pd_sm *sm)
{
	pd_sm_empty(&sm->windows);
	sm->nr_windows = 0;
	sm->nr_window_runs = 0;
	sm->nr_moved = 0;
	sm->nr_large = 0;
	sm->overflow_known = false;
}

static int note_window(struct pd_sm *sm, pd_block_t w)
{
	int r;

	if (xa_load(&sm->windows, w))
		return 0;
	r = thinx_xa_store(&sm->windows, w, xa_mk_value(1));
	if (r)
		return r;
	sm->nr_windows++;
	sm->nr_window_runs++;
	if (w && xa_load(&sm->windows, w - 1))
		sm->nr_window_runs--;
	if (xa_load(&sm->windows, w + 1))
		sm->nr_window_runs--;
	return 0;
}

/* Keeps I4 for some of the 64 blocks from @first: two windows at most. */
static int note_windows(struct pd_sm *sm, pd_block_t first, u64 mask)
{
	pd_block_t low, high;
	int r;

	static_assert(PD_SM_WORD_BLOCKS <= PD_SM_WINDOW);
	if (!mask)
		return 0;
	low = div_u64(first + __ffs64(mask), PD_SM_WINDOW);
	high = div_u64(first + fls64(mask) - 1, PD_SM_WINDOW);
	r = note_window(sm, low);
	if (!r && high != low)
		r = note_window(sm, high);
	return r;
}

static void look_at_overflow(struct pd_sm *sm)
{
	sm->overflow_known = !pd_btree_extent(&sm->overflow, sm->overflow_root,
					      &sm->overflow_depth,
					      &sm->overflow_leaves);
	if (sm->overflow_known)
		return;
	/* Users of the tree will get the read error, not -ENOSPC. */
	sm->overflow_depth = 1;
	sm->overflow_leaves = 1;
}

void pd_sm_get_overflow(struct pd_sm *sm, struct pd_sm_overflow *o)
{
	if (!sm->overflow_known)
		look_at_overflow(sm);
	*o = (struct pd_sm_overflow){
		.depth = sm->overflow_depth,
		.nr_leaves = sm->overflow_leaves,
		.nr_touched = min(sm->overflow_leaves,
				  sm->nr_windows + sm->nr_window_runs),
		.nr_moved = sm->nr_moved,
	};
}

/* ---- changing counts ---- */

/*
 * Some of 64 neighbours whose counts are changed.
 * i, n: word n of bitmap i; w: their entry of the open overlay; base: what the
 * bitmap says; step: 1 or -1.
 */
struct change {
	struct pd_sm *sm;
	u32 i;
	u32 n;
	struct pd_sm_word *w;
	struct pd_bitmap_word base;
	int step;
};

static pd_block_t first_of(const struct change *c)
{
	return pd_sm_first_block(c->i) + c->n * PD_SM_WORD_BLOCKS;
}

static u64 many_of(const struct change *c)
{
	return c->base.low & c->base.high;
}

static int begin_word(struct change *c)
{
	bool made;

	c->w = pd_sm_word_make(pd_sm_open_overlay(c->sm), first_of(c), &made);
	if (!c->w)
		return -ENOMEM;
	c->sm->nr_words += made;
	return 0;
}

/*
 * Blocks of @mask gain reason O on top of what they have: keep I1 and I2 of the
 * header.
 */
static void touch(const struct change *c, u64 mask)
{
	struct pd_sm *sm = c->sm;
	struct pd_sm_word *w = c->w;
	const struct pd_sm_word *closed =
		pd_sm_word_of(pd_sm_closed_overlay(sm), first_of(c));
	struct pd_sm_slot *slot = pd_sm_slot_of(sm, c->i);
	u64 not_held = ~pd_sm_held_word(sm, c->i, c->n);
	u64 fresh = mask & ~w->touched & ~(c->base.low | c->base.high) &
		    not_held;

	/* Applied by this very close, and now changed again. */
	sm->nr_freed -= hweight64(mask & w->zero & not_held);
	if (closed) {
		sm->nr_freed -= hweight64(fresh & closed->zero);
		fresh &= ~closed->touched;
	}
	w->touched |= mask;
	w->applied &= ~mask;
	w->zero &= ~mask;

	pd_sm_mark(&sm->pending, c->i);
	pd_sm_mark(&sm->touched[sm->open], c->i);
	if (slot)
		slot->busy[c->n] |= mask;
	if (fresh)
		pd_sm_lose_allocatable(sm, hweight64(fresh));
}

int pd_sm_take(struct pd_sm *sm, pd_block_t b)
{
	struct change c = { .sm = sm, .step = 1 };
	u64 bit = pd_sm_word_bit(b);
	u32 e;
	int r;

	c.i = pd_sm_index_of(b, &e);
	c.n = e / PD_SM_WORD_BLOCKS;
	r = begin_word(&c);
	if (r)
		return r;

	touch(&c, bit);
	c.w->new |= bit;
	pd_sm_word_add(c.w, bit, 1);
	sm->nr_allocated++;
	return 0;
}

static void lose_allocated(struct pd_sm *sm, pd_block_t nr)
{
	/* nr_allocated of the root may have been too small: do not wrap. */
	sm->nr_allocated -= min(sm->nr_allocated, nr);
}

/* ---- many at once ---- */

/*
 * The counts that can be changed at once, given the sums of bitmap and delta,
 * "many" taken as 3: the deltas stay small, none that is zero is decreased, and
 * of "many" none that a single step could make zero or take from it.
 */
static u64 simple_ones(const struct change *c, const u64 *sum)
{
	const u64 *d = c->w->delta;
	u64 many = many_of(c), some = sum[0] | sum[1] | sum[2];
	u64 two_to_six = (sum[1] | sum[2]) & ~(sum[0] & sum[1] & sum[2]);

	if (c->w->wide)
		return 0;
	if (c->step > 0)
		return (~many | two_to_six) & ~(d[0] & d[1] & ~d[2]);
	return ((~many & some) | (many & two_to_six)) &
	       ~(d[2] & ~d[1] & ~d[0]);
}

/* Does the count enter the overflow tree, or might it leave it? */
static u64 moved_ones(const struct change *c)
{
	u64 many = many_of(c), sum[3];

	pd_sm_word_sum(c->w, &c->base, sum);
	return (many & c->w->delta[2]) |
	       (~many & (sum[2] | (sum[1] & sum[0])));
}

static int change_simple(const struct change *c, u64 mask, const u64 *sum)
{
	struct pd_sm *sm = c->sm;
	u64 many = many_of(c), high = sum[1] | sum[2];
	u64 large = mask & (many | (c->step > 0 ? high :
				    sum[2] | (sum[1] & sum[0])));
	u64 was_moved;
	int r;

	r = note_windows(sm, first_of(c), large);
	if (r)
		return r;

	if (c->step > 0)
		sm->nr_allocated += hweight64(mask & ~many & ~high & ~sum[0]);
	else
		lose_allocated(sm, hweight64(mask & ~many & ~high & sum[0]));
	was_moved = large ? moved_ones(c) : 0;
	sm->nr_large += hweight64(large & ~(c->w->touched & (many | was_moved)));
	touch(c, mask);
	pd_sm_word_add(c->w, mask, c->step);
	if (!large)
		return 0;
	sm->nr_moved -= hweight64(large & was_moved);
	sm->nr_moved += hweight64(large & moved_ones(c));
	return 0;
}

/* ---- one by one ---- */

/*
 * Smallest count @b can have at the moment: the exact one, except that "many"
 * stands for 3 as long as no single step can make it zero.
 */
static int lower_bound_of(struct pd_sm *sm, pd_block_t b, unsigned int value,
			  s64 delta, s64 *bound)
{
	u32 exact;
	int r;

	*bound = value + delta;
	if (value < PD_BITMAP_MANY || *bound > 1)
		return 0;

	r = pd_sm_overflow_lookup(sm, b, &exact);
	if (!r)
		*bound = exact + delta;
	return r;
}

/* Does the count enter the overflow tree, or might it leave it? */
static bool is_moved(unsigned int value, s64 delta)
{
	return value == PD_BITMAP_MANY ? delta < 0 :
					 value + delta >= PD_BITMAP_MANY;
}

int pd_sm_get_small_count(struct pd_sm *sm, pd_block_t b, u32 *count)
{
	const struct pd_sm_word *w;
	unsigned int value = 0;
	s64 delta = 0, bound;
	int r;

	r = check_range(sm, b, b + 1);
	if (r)
		return r;

	w = pd_sm_word_of(pd_sm_open_overlay(sm), b);
	if (w)
		delta = pd_sm_word_delta(w, b % PD_SM_WORD_BLOCKS);
	if (!is_new_unapplied(sm, w, b))
		r = read_entry(sm, b, &value);
	if (!r)
		r = lower_bound_of(sm, b, value, delta, &bound);
	if (!r)
		*count = clamp_t(s64, bound, 0, 2);
	return r;
}

int pd_sm_is_shared(struct pd_sm *sm, pd_block_t b, bool *shared)
{
	u32 count;
	int r = pd_sm_get_small_count(sm, b, &count);

	*shared = !r && count > 1;
	return r;
}

static int may_change(const struct change *c, pd_block_t b, s64 count)
{
	if (count + c->step < 0) {
		sm_err_limit(c->sm, "block %llu: released, but its count is %lld",
			     b, count);
		return -EINVAL;
	}
	if (count + c->step > U32_MAX) {
		sm_err_limit(c->sm, "block %llu: too many references", b);
		return -EOVERFLOW;
	}
	return 0;
}

/* Change the count of block @n of the 64. */
static int change_one(const struct change *c, u32 n)
{
	struct pd_sm *sm = c->sm;
	pd_block_t b = first_of(c) + n;
	unsigned int value = pd_bitmap_word_get(&c->base, n);
	s64 delta = pd_sm_word_delta(c->w, n), count;
	bool was_moved = is_moved(value, delta);
	bool is_moved_now = is_moved(value, delta + c->step);
	int r;

	r = lower_bound_of(sm, b, value, delta, &count);
	if (!r)
		r = may_change(c, b, count);
	if (!r)
		r = pd_sm_word_make_room(c->w, n, c->step);
	if (!r && (value == PD_BITMAP_MANY || was_moved || is_moved_now))
		r = note_windows(sm, first_of(c), BIT_ULL(n));
	if (r)
		return r;

	if (!(c->w->touched & BIT_ULL(n)))
		sm->nr_large++;
	touch(c, BIT_ULL(n));
	pd_sm_word_add(c->w, BIT_ULL(n), c->step);
	sm->nr_moved += is_moved_now;
	sm->nr_moved -= was_moved;
	if (!count)
		sm->nr_allocated++;
	else if (!(count + c->step))
		lose_allocated(sm, 1);
	return 0;
}

/* Add c->step to the counts of blocks @mask of the 64. */
static int change_word(struct change *c, u64 mask)
{
	u64 sum[3], simple;
	int r;

	r = begin_word(c);
	if (r)
		return r;

	pd_sm_word_sum(c->w, &c->base, sum);
	simple = mask & simple_ones(c, sum);
	if (simple)
		r = change_simple(c, simple, sum);
	for (mask &= ~simple; mask && !r; mask &= mask - 1)
		r = change_one(c, __ffs64(mask));
	return r;
}

static int change_in_bitmap(struct pd_sm *sm, u32 i, u32 begin, u32 end,
			    int step)
{
	struct change c = { .sm = sm, .i = i, .step = step };
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	while (begin < end && !r) {
		u64 mask = pd_sm_word_mask(&begin, end, &c.n);

		pd_bitmap_get_word(blk.data, c.n, &c.base);
		r = change_word(&c, mask);
	}
	pd_bm_release(sm->bm, &blk);
	return r;
}

static int change_range(struct pd_sm *sm, pd_block_t begin, pd_block_t end,
			int step)
{
	int r;

	r = check_range(sm, begin, end);

	while (!r && begin < end) {
		u32 e, i = pd_sm_index_of(begin, &e);
		u32 stop = min_t(u64, PD_ENTRIES_PER_BITMAP, e + (end - begin));

		r = change_in_bitmap(sm, i, e, stop, step);
		begin += stop - e;
	}
	return r;
}

int pd_sm_inc(struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	return change_range(sm, begin, end, 1);
}

int pd_sm_dec(struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	return change_range(sm, begin, end, -1);
}

/* ---- completion ---- */

/* Blocks of word @n lost reason C, their counts are zero. */
static void release_zero(struct pd_sm *sm, u32 i, u32 n, u64 mask)
{
	pd_block_t first = pd_sm_first_block(i) + n * PD_SM_WORD_BLOCKS;
	const struct pd_sm_word *open =
		pd_sm_word_of(pd_sm_open_overlay(sm), first);

	if (open)
		mask &= ~open->touched;
	mask &= ~pd_sm_held_word(sm, i, n);
	if (mask)
		pd_sm_clear_busy(sm, i, n, mask);
}

static void complete_bitmap(struct pd_sm *sm, u32 i)
{
	unsigned long begin = (unsigned long)i * PD_SM_BITMAP_LONGS, index;
	struct xarray *closed = pd_sm_closed_overlay(sm);
	const struct pd_sm_word *w;

	xa_for_each_range(closed, index, w, begin,
			  begin + PD_SM_BITMAP_LONGS - 1) {
		u64 zero = w->zero;

		pd_sm_word_forget(closed, (u64)index * PD_SM_WORD_BLOCKS);
		if (zero)
			release_zero(sm, i, index - begin, zero);
		cond_resched();
	}
}

void pd_sm_complete(struct pd_sm *sm)
{
	struct pd_sm_marks *closed = &sm->touched[!sm->open];
	u32 i;

	for (i = pd_sm_next_marked(closed, 0); i < closed->end;
	     i = pd_sm_next_marked(closed, i + 1)) {
		complete_bitmap(sm, i);
		pd_sm_unmark(closed, i);
	}

	sm->nr_allocatable += sm->nr_freed;
	sm->nr_freed = 0;
	pd_sm_arm_threshold(sm);
}
