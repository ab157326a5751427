// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Applies the overlay to the bitmaps when a transaction closes.
 *
 *   open overlay, block order ──► bitmap i: shadow, set entries, hints
 *                                    └─ counts of three or more ─► overflow
 *   then: open overlay ──► closed overlay ──complete──► forgotten
 *
 * The metadata map counts its own blocks: shadowing a bitmap or an overflow
 * node makes new entries in the very overlay that is being applied.  So this
 * goes in rounds until no entry is pending.  It terminates: each block is
 * shadowed at most once in a transaction.
 *
 * I1  At any moment working count = entry in the bitmap + delta: an entry's
 *     bits and its APPLIED flag change together, with no allocation between.
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

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

/* ---- one entry ---- */

/* Take @b from @before to @after references in the overflow tree. */
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
		sm_err(sm, "block %llu: impossible count %lld", b, count);
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

	/* After shadowing, which may have made entries for this bitmap. */
	bitmap->pending = false;
	bitmap->blocknr = blk.nr;
	r = apply_entries(sm, i, blk.data);
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
	u64 nr_rounds = 0;
	bool again = true;
	u32 i;
	int r;

	sm->closing = true;
	while (again) {
		if (nr_rounds++ > max_rounds(sm)) {
			sm_err(sm, "closing the transaction does not end");
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
