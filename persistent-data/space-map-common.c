// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every space map has: its size, its index entries in core, which blocks
 * are looked at and held, and what its owner wants to be told.
 *
 * Context: metadata lock, for writing where anything changes.
 */
#include "space-map-common.h"

#include "block-manager.h"
#include "space-map-bitmap.h"

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/byteorder.h>

const struct pd_validator pd_sm_bitmap_validator = {
	.name = "space map bitmap",
	.csum_xor = PD_BITMAP_CSUM_XOR,
};

/* ---- geometry ---- */

u64 pd_sm_bitmaps_for(pd_block_t nr_blocks)
{
	u32 rest;
	u64 nr = div_u64_rem(nr_blocks, PD_ENTRIES_PER_BITMAP, &rest);

	return nr + !!rest;
}

u32 pd_sm_index_of(pd_block_t b, u32 *entry)
{
	return div_u64_rem(b, PD_ENTRIES_PER_BITMAP, entry);
}

u32 pd_sm_nr_entries(const struct pd_sm *sm, u32 i)
{
	return min_t(u64, PD_ENTRIES_PER_BITMAP,
		     sm->nr_blocks - pd_sm_first_block(i));
}

/* ---- marks ---- */

void pd_sm_mark(struct pd_sm_marks *m, u32 i)
{
	if (pd_sm_is_marked(m, i))
		return;
	__set_bit(i, m->bits);
	m->begin = m->nr ? min(m->begin, i) : i;
	m->end = m->nr ? max(m->end, i + 1) : i + 1;
	m->nr++;
}

void pd_sm_unmark(struct pd_sm_marks *m, u32 i)
{
	if (!pd_sm_is_marked(m, i))
		return;
	__clear_bit(i, m->bits);
	m->nr--;
	if (!m->nr)
		m->end = 0;
}

u32 pd_sm_next_marked(const struct pd_sm_marks *m, u32 i)
{
	return find_next_bit(m->bits, m->end, max(i, m->begin));
}

/* ---- slots and holds ---- */

struct pd_sm_slot *pd_sm_slot_of(struct pd_sm *sm, u32 i)
{
	struct pd_sm_slot *slot = &sm->slots[i % PD_SM_NR_SLOTS];

	return slot->valid && slot->index == i ? slot : NULL;
}

void pd_sm_clear_busy(struct pd_sm *sm, u32 i, u32 n, u64 mask)
{
	struct pd_sm_slot *slot = pd_sm_slot_of(sm, i);

	if (slot)
		slot->busy[n] &= ~mask;
	/* Not below @first_usable, whatever its count. */
	if (slot && !i)
		bitmap_set(slot->busy, 0, sm->first_usable);
	sm->bitmaps[i].maybe_free = sm->bitmaps[i].nr_free;
	pd_sm_set_full(sm, i, false);
}

void pd_sm_set_full(struct pd_sm *sm, u32 i, bool full)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];

	if (bitmap->full == full)
		return;
	bitmap->full = full;
	if (full)
		sm->nr_full++;
	else
		sm->nr_full--;
}

struct pd_sm_held *pd_sm_held_of(struct pd_sm *sm, u32 i)
{
	return xa_load(&sm->held, i);
}

u64 pd_sm_held_word(struct pd_sm *sm, u32 i, u32 n)
{
	const struct pd_sm_held *held = pd_sm_held_of(sm, i);

	return held ? held->bits[n] : 0;
}

void pd_sm_free_holds(struct pd_sm *sm)
{
	struct pd_sm_held *held;
	unsigned long i;

	xa_for_each(&sm->held, i, held)
		kfree(held);
	xa_destroy(&sm->held);
}

/* ---- life ---- */

struct pd_sm *pd_sm_init(struct pd_bm *bm, struct pd_tm *tm,
			 const struct pd_sm_ops *ops, const char *name)
{
	struct pd_sm *sm = kzalloc(sizeof(*sm), GFP_NOIO);

	if (!sm)
		return NULL;

	sm->slots = kvcalloc(PD_SM_NR_SLOTS, sizeof(*sm->slots), GFP_NOIO);
	if (!sm->slots) {
		kfree(sm);
		return NULL;
	}

	sm->bm = bm;
	sm->tm = tm;
	sm->ops = ops;
	sm->name = name;
	sm->overflow.bm = bm;
	sm->overflow.tm = tm;
	sm->overflow.levels = 1;
	sm->overflow.value.size = sizeof(__le32);
	sm->overflow.name = "overflow counts";
	xa_init(&sm->overlays[0]);
	xa_init(&sm->overlays[1]);
	xa_init(&sm->windows);
	xa_init(&sm->held);
	return sm;
}

void pd_sm_empty(struct xarray *xa)
{
	unsigned long i;
	void *entry;

	xa_for_each(xa, i, entry) {
		xa_erase(xa, i);
		cond_resched();
	}
}

void pd_sm_destroy(struct pd_sm *sm)
{
	if (!sm)
		return;

	pd_sm_free_holds(sm);
	pd_sm_overlay_empty(&sm->overlays[0]);
	pd_sm_overlay_empty(&sm->overlays[1]);
	pd_sm_empty(&sm->windows);
	kvfree(sm->bitmaps);
	kvfree(sm->marks);
	kvfree(sm->slots);
	kfree(sm);
}

const char *pd_sm_device(const struct pd_sm *sm)
{
	return pd_bm_name(sm->bm);
}

/* ---- index entries ---- */

static int grow_marks(struct pd_sm *sm, u32 nr_bitmaps)
{
	struct pd_sm_marks *all[] = {
		&sm->pending, &sm->index_dirty, &sm->touched[0],
		&sm->touched[1],
	};
	size_t longs = BITS_TO_LONGS(max(nr_bitmaps, 1U)), k;
	unsigned long *bits;

	bits = kvcalloc(ARRAY_SIZE(all) * longs, sizeof(*bits), GFP_NOIO);
	if (!bits)
		return -ENOMEM;

	for (k = 0; k < ARRAY_SIZE(all); k++) {
		if (sm->nr_bitmaps)
			memcpy(bits + k * longs, all[k]->bits,
			       BITS_TO_LONGS(sm->nr_bitmaps) * sizeof(*bits));
		all[k]->bits = bits + k * longs;
	}
	kvfree(sm->marks);
	sm->marks = bits;
	return 0;
}

int pd_sm_grow_index(struct pd_sm *sm, u32 nr_bitmaps)
{
	struct pd_sm_bitmap *n;
	int r;

	r = grow_marks(sm, nr_bitmaps);
	if (r)
		return r;
	n = kvcalloc(max(nr_bitmaps, 1U), sizeof(*n), GFP_NOIO);
	if (!n)
		return -ENOMEM;

	if (sm->nr_bitmaps)
		memcpy(n, sm->bitmaps, sm->nr_bitmaps * sizeof(*n));
	kvfree(sm->bitmaps);
	sm->bitmaps = n;
	return 0;
}

/* Undo the trimming of nr_free: no longer the partial last bitmap. */
static int refresh_nr_free(struct pd_sm *sm, u32 i)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, bitmap->blocknr, &pd_sm_bitmap_validator, &blk);
	if (r)
		return r;

	bitmap->nr_free = PD_ENTRIES_PER_BITMAP -
			  pd_bitmap_nr_used(blk.data, PD_ENTRIES_PER_BITMAP);
	bitmap->maybe_free = bitmap->nr_free;
	pd_sm_mark(&sm->index_dirty, i);
	pd_bm_release(sm->bm, &blk);
	return 0;
}

int pd_sm_set_size(struct pd_sm *sm, pd_block_t nr_blocks)
{
	int r;

	if (sm->nr_bitmaps) {
		r = refresh_nr_free(sm, sm->nr_bitmaps - 1);
		if (r)
			return r;
		pd_sm_set_full(sm, sm->nr_bitmaps - 1, false);
	}

	sm->nr_allocatable += nr_blocks - sm->nr_blocks;
	sm->nr_blocks = nr_blocks;
	sm->nr_bitmaps = pd_sm_bitmaps_for(nr_blocks);
	return 0;
}

int pd_sm_set_index_entry(struct pd_sm *sm, u32 i,
			  const struct pd_disk_index_entry *e)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	pd_block_t b = le64_to_cpu(e->blocknr);

	if (!b || b >= pd_bm_nr_blocks(sm->bm)) {
		sm_err(sm, "index entry %u: no such block %llu", i, b);
		return -EILSEQ;
	}

	bitmap->blocknr = b;
	bitmap->nr_free = le32_to_cpu(e->nr_free);
	bitmap->maybe_free = bitmap->nr_free;
	bitmap->none_free_before = le32_to_cpu(e->none_free_before);
	return 0;
}

void pd_sm_get_index_entry(const struct pd_sm *sm, u32 i,
			   struct pd_disk_index_entry *e)
{
	const struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];

	e->blocknr = cpu_to_le64(bitmap->blocknr);
	e->nr_free = cpu_to_le32(bitmap->nr_free);
	e->none_free_before = cpu_to_le32(bitmap->none_free_before);
}

void pd_sm_pack_root(const struct pd_sm *sm, void *root)
{
	struct pd_disk_sm_root disk = {
		.nr_blocks = cpu_to_le64(sm->nr_blocks),
		.nr_allocated = cpu_to_le64(sm->nr_allocated),
		.bitmap_root = cpu_to_le64(sm->index_root),
		.ref_count_root = cpu_to_le64(sm->overflow_root),
	};

	memcpy(root, &disk, sizeof(disk));
}

/* ---- numbers ---- */

pd_block_t pd_sm_nr_blocks(const struct pd_sm *sm)
{
	return sm->nr_blocks;
}

pd_block_t pd_sm_nr_allocated(const struct pd_sm *sm)
{
	return sm->nr_allocated;
}

pd_block_t pd_sm_nr_allocatable(const struct pd_sm *sm)
{
	return sm->nr_allocatable;
}

/*
 * As measured by tests/bench/pd-bench, in overlay entries: a bitmap is copied
 * and counted; some neighbours in the overflow tree take two walks through it;
 * four of them are then written in the time of an entry.
 */
#define WEIGHT_OF_BITMAP	16
#define WEIGHT_OF_WINDOW	4
#define LARGE_COUNTS_PER_ENTRY	4

u64 pd_sm_weight(const struct pd_sm *sm)
{
	return sm->nr_words + sm->nr_windows * WEIGHT_OF_WINDOW +
	       (u64)sm->touched[sm->open].nr * WEIGHT_OF_BITMAP +
	       div_u64(sm->nr_large, LARGE_COUNTS_PER_ENTRY);
}

u32 pd_sm_nr_dirty_bitmaps(const struct pd_sm *sm)
{
	return sm->touched[sm->open].nr;
}

u32 pd_sm_nr_dirty_index(const struct pd_sm *sm)
{
	return sm->index_dirty.nr;
}

/*
 * A transaction takes a few more blocks than it keeps, for the copies of what
 * it changes.  With a smaller margin, each one close to the threshold would
 * cross it.
 */
void pd_sm_arm_threshold(struct pd_sm *sm)
{
	pd_block_t margin = max_t(pd_block_t, sm->threshold / 4, 16);

	if (sm->nr_allocatable > sm->threshold &&
	    sm->nr_allocatable - sm->threshold > margin)
		sm->threshold_armed = true;
}

void pd_sm_set_threshold(struct pd_sm *sm, pd_block_t threshold,
			 pd_sm_threshold_fn fn, void *context)
{
	/* Whoever asks for the first time has not been told. */
	if (!sm->threshold_fn || sm->nr_allocatable > threshold)
		sm->threshold_armed = true;
	sm->threshold = threshold;
	sm->threshold_fn = fn;
	sm->threshold_context = context;
}

void pd_sm_lose_allocatable(struct pd_sm *sm, pd_block_t nr)
{
	/* nr_allocated of the root may have been too large: do not wrap. */
	sm->nr_allocatable -= min(sm->nr_allocatable, nr);

	if (sm->threshold_armed && sm->nr_allocatable <= sm->threshold) {
		sm->threshold_armed = false;
		if (sm->threshold_fn)
			sm->threshold_fn(sm->threshold_context);
	}
}

/* ---- growing ---- */

int pd_sm_extend(struct pd_sm *sm, pd_block_t nr_blocks)
{
	if (nr_blocks <= sm->nr_blocks) {
		sm_err(sm, "cannot extend from %llu to %llu blocks",
		       sm->nr_blocks, nr_blocks);
		return -EINVAL;
	}

	return sm->ops->extend(sm, nr_blocks);
}
