// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * From the overlay into the bitmaps, when a transaction closes.
 *
 *   open overlay, block order ──► bitmap i: shadow, set entries, hints
 *                                    └─ counts of three and more ─► overflow
 *   then: open overlay ──► closed overlay ──complete──► forgotten
 *
 * The metadata map counts its own blocks: shadowing a bitmap or an overflow
 * node makes new entries in the very overlay that is being applied.  So rounds
 * are made until no entry is pending.  That ends: each block is shadowed at
 * most once in a transaction.
 *
 * I1  At any moment working count = entry in the bitmap + delta: an entry's
 *     bits and its APPLIED flag change together, nothing allocates between.
 * I2  A block stays busy throughout (space-map-common.h, I3), so nothing freed
 *     here is handed out while the close goes on.
 * I3  nr_free and none_free_before are computed from the bitmap whenever it was
 *     written, never adjusted.
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

#include <linux/bitmap.h>
#include <linux/device-mapper.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define DM_MSG_PREFIX "thinx"

/* ---- one entry ---- */

/* Bring the overflow tree from @before to @after references of @b. */
static int update_overflow(struct pd_sm *sm, pd_block_t b, u32 before,
			   u32 after)
{
	__le32 value = cpu_to_le32(after);

	if (after >= PD_BITMAP_MANY)
		return pd_btree_insert(&sm->overflow, &sm->overflow_root, &b,
				       &value, NULL);
	if (before >= PD_BITMAP_MANY)
		return pd_btree_remove(&sm->overflow, &sm->overflow_root, &b);
	return 0;
}

/* Flag the entry as applied; the block's count is now @count. */
static int mark_applied(struct pd_sm *sm, pd_block_t b, const void *entry,
			u32 count)
{
	unsigned int flags = pd_sm_entry_flags(entry) & PD_SM_NEW;
	u32 e, i = pd_sm_index_of(b, &e);
	struct pd_sm_held *held = pd_sm_held_of(sm, i);
	bool is_held = held && test_bit(e, held->bits);
	int r;

	flags |= PD_SM_APPLIED | (count ? 0 : PD_SM_ZERO);
	r = xa_err(xa_store(pd_sm_open_overlay(sm), b, pd_sm_mk_entry(0, flags),
			    GFP_NOIO));
	if (r)
		return r;

	if (is_held && count)
		__clear_bit(e, held->zero);
	else if (is_held)
		__set_bit(e, held->zero);
	else if (!count)
		sm->nr_freed++;
	return 0;
}

static int apply_entry(struct pd_sm *sm, struct pd_disk_bitmap *disk,
		       pd_block_t b, const void *entry)
{
	u32 e, before, after;
	s64 count;
	int r;

	pd_sm_index_of(b, &e);
	before = pd_bitmap_get(disk, e);
	if (before == PD_BITMAP_MANY && pd_sm_entry_delta(entry)) {
		r = pd_sm_overflow_lookup(sm, b, &before);
		if (r)
			return r;
	}

	count = before + pd_sm_entry_delta(entry);
	if (count < 0 || count > U32_MAX) {
		DMERR("%s: %s: block %llu: impossible count %lld",
		      pd_sm_device(sm), sm->name, b, count);
		return count < 0 ? -EINVAL : -EOVERFLOW;
	}
	after = count;

	pd_bitmap_set(disk, e, min_t(u32, after, PD_BITMAP_MANY));
	r = mark_applied(sm, b, entry, after);
	if (!r && before != after)
		r = update_overflow(sm, b, before, after);
	return r;
}

/* ---- one bitmap ---- */

static void update_hints(struct pd_sm *sm, u32 i,
			 const struct pd_disk_bitmap *disk)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];

	bitmap->nr_free = PD_ENTRIES_PER_BITMAP -
			  pd_bitmap_nr_used(disk, PD_ENTRIES_PER_BITMAP);
	bitmap->none_free_before = pd_bitmap_first_free(disk);
	pd_sm_mark_index_dirty(sm, i);
}

static int apply_entries(struct pd_sm *sm, u32 i, struct pd_disk_bitmap *disk)
{
	pd_block_t first = pd_sm_first_block(i);
	unsigned long b;
	void *entry;
	int r;

	xa_for_each_range(pd_sm_open_overlay(sm), b, entry, first,
			  first + PD_ENTRIES_PER_BITMAP - 1) {
		if (pd_sm_entry_flags(entry) & PD_SM_APPLIED)
			continue;
		r = apply_entry(sm, disk, b, entry);
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

	/* Behind the shadow, which may have made entries for this bitmap. */
	bitmap->pending = false;
	bitmap->blocknr = blk.nr;
	r = apply_entries(sm, i, blk.data);
	update_hints(sm, i, blk.data);
	pd_bm_release(sm->bm, &blk);
	return r;
}

/* Blocks of a map that can be shadowed and so may ask for another round. */
static u64 max_rounds(const struct pd_sm *sm)
{
	return 16 + (u64)sm->nr_bitmaps * 2;
}

int pd_sm_apply(struct pd_sm *sm)
{
	u64 nr_rounds = 0;
	bool again = true;
	u32 i;
	int r;

	sm->closing = true;
	while (again) {
		if (nr_rounds++ > max_rounds(sm)) {
			DMERR("%s: %s: closing does not end",
			      pd_sm_device(sm), sm->name);
			return -EILSEQ;
		}
		again = false;
		for (i = 0; i < sm->nr_bitmaps; i++) {
			if (!sm->bitmaps[i].pending)
				continue;
			r = apply_bitmap(sm, i);
			if (r)
				return r;
			again = true;
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
	sm->nr_entries = 0;
	sm->nr_dirty = 0;
	pd_sm_forget_overflow(sm);
}

/* ---- checking ---- */

/*
 * What a check found out so far.
 * nr_used: blocks with a count in the bitmaps; nr_many: entries of "many";
 * nr_overflow: entries of the overflow tree.
 */
struct check {
	struct pd_sm *sm;
	int (*reached)(void *context, pd_block_t b);
	void *context;
	u64 nr_used;
	u64 nr_many;
	u64 nr_overflow;
};

static int check_reached(struct check *c, pd_block_t b)
{
	return c->reached ? c->reached(c->context, b) : 0;
}

static int overflow_node(void *context, pd_block_t b, bool *descend)
{
	return check_reached(context, b);
}

static int overflow_leaf(void *context, const u64 *upper_keys,
			 const __le64 *keys, const void *values, u32 nr)
{
	struct check *c = context;
	const __le32 *counts = values;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (le32_to_cpu(counts[i]) >= PD_BITMAP_MANY)
			continue;
		DMERR("%s: %s: overflow count of block %llu is %u",
		      pd_sm_device(c->sm), c->sm->name, le64_to_cpu(keys[i]),
		      le32_to_cpu(counts[i]));
		return -EILSEQ;
	}
	c->nr_overflow += nr;
	return 0;
}

/* Collect the entries of "many" of bitmap @i in @many. */
static int check_bitmap(struct check *c, u32 i, unsigned long *many)
{
	struct pd_sm *sm = c->sm;
	u32 e, nr_entries = pd_sm_nr_entries(sm, i), nr_used;
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr, &pd_sm_bitmap_validator,
		       &blk);
	if (r)
		return r;

	nr_used = pd_bitmap_nr_used(blk.data, nr_entries);
	c->nr_used += nr_used;
	if (pd_bitmap_nr_used(blk.data, PD_ENTRIES_PER_BITMAP) != nr_used) {
		DMERR("%s: %s: bitmap %u has counts behind the end",
		      pd_sm_device(sm), sm->name, i);
		r = -EILSEQ;
	}
	for (e = 0; e < nr_entries; e++) {
		if (pd_bitmap_get(blk.data, e) == PD_BITMAP_MANY)
			__set_bit(e, many);
		else
			__clear_bit(e, many);
	}
	pd_bm_release(sm->bm, &blk);
	return r ? r : check_reached(c, sm->bitmaps[i].blocknr);
}

static int check_bitmaps(struct check *c, unsigned long *many)
{
	u32 i, e, count;
	int r;

	for (i = 0; i < c->sm->nr_bitmaps; i++) {
		u32 nr_entries = pd_sm_nr_entries(c->sm, i);

		r = check_bitmap(c, i, many);
		if (r)
			return r;
		for_each_set_bit(e, many, nr_entries) {
			r = pd_sm_overflow_lookup(c->sm,
						  pd_sm_first_block(i) + e,
						  &count);
			if (r)
				return r;
			c->nr_many++;
		}
		cond_resched();
	}
	return 0;
}

static int check_numbers(const struct check *c)
{
	const struct pd_sm *sm = c->sm;

	if (c->nr_many != c->nr_overflow) {
		DMERR("%s: %s: %llu overflow counts, bitmaps want %llu",
		      pd_sm_device(sm), sm->name, c->nr_overflow, c->nr_many);
		return -EILSEQ;
	}
	/* Only without changes in memory do the bitmaps tell the number. */
	if (xa_empty(&sm->overlays[sm->open]) &&
	    sm->nr_allocated != c->nr_used) {
		DMERR("%s: %s: %llu blocks allocated, bitmaps say %llu",
		      pd_sm_device(sm), sm->name, sm->nr_allocated,
		      c->nr_used);
		return -EILSEQ;
	}
	return 0;
}

int pd_sm_check(struct pd_sm *sm, int (*reached)(void *context, pd_block_t b),
		void *context)
{
	struct check c = { .sm = sm, .reached = reached, .context = context };
	struct pd_btree_visitor v = {
		.node = overflow_node, .leaf = overflow_leaf, .context = &c,
	};
	unsigned long *many;
	int r;

	many = bitmap_zalloc(PD_ENTRIES_PER_BITMAP, GFP_NOIO);
	if (!many)
		return -ENOMEM;

	r = sm->ops->check_index(sm, reached, context);
	if (!r)
		r = check_bitmaps(&c, many);
	if (!r)
		r = pd_btree_check(&sm->overflow, sm->overflow_root, &v);
	if (!r)
		r = check_numbers(&c);
	bitmap_free(many);
	return r;
}
