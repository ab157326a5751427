// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reference counts: what the bitmaps say plus what the open transaction did.
 *
 *   pd_sm_inc()/dec() ──► overlay: block → delta, flags
 *                              │ close (space-map-apply.c)
 *                              ▼
 *   pd_sm_get_count() = bitmap (≥ 3: overflow tree) + delta
 *
 * I1  An entry, once made, stays until the transaction that made it has
 *     completed, even if its delta is zero again.
 * I2  A working count is never negative: pd_sm_dec() refuses.
 * I3  For entries of "many" (three or more) the exact count is looked up only
 *     where it matters: the overflow tree is not touched while the transaction
 *     is open.
 * I4  Changes of counts of three or more are noted by window: the windows bound
 *     how many overflow leaves the close will copy, which is otherwise unknown.
 *
 * Context: metadata lock, for writing where anything changes.
 * Crash: nothing here is on disk before the transaction closes.
 */
#include "space-map-counts.h"

#include "block-manager.h"
#include "space-map-bitmap.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
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
static bool is_new_unapplied(const struct pd_sm *sm, const void *entry)
{
	return entry && !sm->closing &&
	       pd_sm_entry_flags(entry) & PD_SM_NEW;
}

int pd_sm_get_count(struct pd_sm *sm, pd_block_t b, u32 *count)
{
	void *entry;
	u32 base = 0;
	s64 sum;
	int r;

	r = check_range(sm, b, b + 1);
	if (r)
		return r;

	entry = xa_load(pd_sm_open_overlay(sm), b);
	if (!is_new_unapplied(sm, entry)) {
		r = read_base(sm, b, &base);
		if (r)
			return r;
	}

	sum = base + (entry ? pd_sm_entry_delta(entry) : 0);
	if (sum < 0 || sum > U32_MAX) {
		sm_err_limit(sm, "block %llu: impossible count %lld", b, sum);
		return -EILSEQ;
	}
	*count = sum;
	return 0;
}

int pd_sm_count_is_stable_one(struct pd_sm *sm, pd_block_t b, bool *result)
{
	unsigned int value;
	int r;

	r = check_range(sm, b, b + 1);
	if (r)
		return r;

	*result = false;
	if (xa_load(pd_sm_open_overlay(sm), b) ||
	    xa_load(pd_sm_closed_overlay(sm), b))
		return 0;

	r = read_entry(sm, b, &value);
	if (!r)
		*result = value == 1;
	return r;
}

bool pd_sm_is_new(struct pd_sm *sm, pd_block_t b)
{
	void *entry = xa_load(pd_sm_open_overlay(sm), b);

	return entry && pd_sm_entry_flags(entry) & PD_SM_NEW;
}

/* ---- what a close will do to the overflow tree ---- */

void pd_sm_forget_overflow(struct pd_sm *sm)
{
	pd_sm_empty(&sm->windows);
	sm->nr_windows = 0;
	sm->nr_window_runs = 0;
	sm->nr_moved = 0;
	sm->overflow_known = false;
}

/* Does the count enter the tree, or might it leave it? */
static bool is_moved(unsigned int value, s64 delta)
{
	return value == PD_BITMAP_MANY ? delta < 0 :
					 value + delta >= PD_BITMAP_MANY;
}

static int note_window(struct pd_sm *sm, pd_block_t b)
{
	pd_block_t w = div_u64(b, PD_SM_WINDOW);
	int r;

	if (xa_load(&sm->windows, w))
		return 0;
	r = xa_err(xa_store(&sm->windows, w, xa_mk_value(1), GFP_NOIO));
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

/* Keeps I4. */
static int note_overflow(struct pd_sm *sm, pd_block_t b, unsigned int value,
			 s64 before, s64 after)
{
	if (value != PD_BITMAP_MANY && !is_moved(value, after) &&
	    !is_moved(value, before))
		return 0;
	sm->nr_moved += is_moved(value, after);
	sm->nr_moved -= is_moved(value, before);
	return note_window(sm, b);
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

/* Put an entry into the open overlay. */
static int store_entry(struct pd_sm *sm, pd_block_t b, s64 delta,
		       unsigned int flags)
{
	u32 e, i = pd_sm_index_of(b, &e);
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	struct pd_sm_slot *slot;
	void *old;

	old = xa_store(pd_sm_open_overlay(sm), b, pd_sm_mk_entry(delta, flags),
		       GFP_NOIO);
	if (xa_is_err(old))
		return xa_err(old);
	if (!old)
		sm->nr_entries++;

	bitmap->pending = true;
	if (!(bitmap->touched & BIT(sm->open))) {
		bitmap->touched |= BIT(sm->open);
		sm->nr_dirty++;
	}

	slot = pd_sm_slot_of(sm, i);
	if (slot)
		__set_bit(e, slot->busy);
	return 0;
}

int pd_sm_take(struct pd_sm *sm, pd_block_t b)
{
	int r;

	r = store_entry(sm, b, 1, PD_SM_NEW);
	if (r)
		return r;

	sm->nr_allocated++;
	pd_sm_lose_allocatable(sm, 1);
	return 0;
}

/* @b gained reason O on top of what it had: keep I1 and I2 of the header. */
static void account_touch(struct pd_sm *sm, pd_block_t b, const void *old,
			  bool base_is_zero)
{
	const void *c;

	if (old) {
		/* Applied by this very close, and now changed again. */
		if (pd_sm_entry_flags(old) & PD_SM_ZERO &&
		    !pd_sm_is_held(sm, b))
			sm->nr_freed--;
		return;
	}

	if (!base_is_zero || pd_sm_is_held(sm, b))
		return;

	c = xa_load(pd_sm_closed_overlay(sm), b);
	if (!c)
		pd_sm_lose_allocatable(sm, 1);
	else if (pd_sm_entry_flags(c) & PD_SM_ZERO)
		sm->nr_freed--;
}

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

/* Add @step, 1 or -1, to the count of @b; the bitmap says @value. */
static int change_count(struct pd_sm *sm, pd_block_t b, unsigned int value,
			int step)
{
	void *old = xa_load(pd_sm_open_overlay(sm), b);
	s64 delta = old ? pd_sm_entry_delta(old) : 0;
	unsigned int keep = old ? pd_sm_entry_flags(old) & PD_SM_NEW : 0;
	s64 count;
	int r;

	r = lower_bound_of(sm, b, value, delta, &count);
	if (r)
		return r;

	if (count + step < 0) {
		sm_err_limit(sm, "block %llu: released, but its count is %lld",
			     b, count);
		return -EINVAL;
	}
	if (count + step > U32_MAX) {
		sm_err_limit(sm, "block %llu: too many references", b);
		return -EOVERFLOW;
	}

	r = store_entry(sm, b, delta + step, keep);
	if (!r)
		r = note_overflow(sm, b, value, delta, delta + step);
	if (r)
		return r;

	account_touch(sm, b, old, !value);
	if (!count)
		sm->nr_allocated++;
	else if (!(count + step) && sm->nr_allocated)
		sm->nr_allocated--;
	return 0;
}

static int change_in_bitmap(struct pd_sm *sm, u32 i, pd_block_t begin,
			    pd_block_t end, int step)
{
	pd_block_t first = pd_sm_first_block(i), b;
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	for (b = begin; b < end && !r; b++)
		r = change_count(sm, b, pd_bitmap_get(blk.data, b - first),
				 step);
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
		pd_block_t stop = min(end, pd_sm_first_block(i) +
					   PD_ENTRIES_PER_BITMAP);

		r = change_in_bitmap(sm, i, begin, stop, step);
		begin = stop;
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

void pd_sm_complete(struct pd_sm *sm)
{
	u8 closed = BIT(!sm->open);
	u32 i;

	for (i = 0; i < sm->nr_bitmaps; i++) {
		if (!(sm->bitmaps[i].touched & closed))
			continue;
		sm->bitmaps[i].touched &= ~closed;
		pd_sm_set_full(sm, i, false);
	}
	pd_sm_empty(pd_sm_closed_overlay(sm));
	pd_sm_invalidate_slots(sm);

	sm->nr_allocatable += sm->nr_freed;
	sm->nr_freed = 0;
	pd_sm_arm_threshold(sm);
}
