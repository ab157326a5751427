// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The space map of the metadata device itself: index in one block of 255
 * entries, and its own blocks are among those it counts.
 *
 *   superblock root ─► index block ─► bitmap 0 … bitmap 254
 *                  └─► overflow tree
 *
 * I1  Formatting and growing take blocks one after another, starting with the
 *     first one never used, so both work when nothing else is free and the
 *     layout of a new device is that of docs/format.md 10.3.
 * I2  The index block is shadowed before the overlay is applied, since that is
 *     an allocation too; it is filled in last.
 * I3  nr_allocated is counted from the bitmaps on open (docs/format.md 13.4):
 *     255 blocks at most.
 *
 * Context: metadata lock, for writing.
 * Crash: all writes go to blocks of the open transaction; the new root takes
 * effect with the superblock.
 */
#include "space-map-metadata.h"

#include "block-manager.h"
#include "space-map-apply.h"
#include "space-map-bitmap.h"
#include "space-map-counts.h"
#include "transaction-manager.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define INDEX_BLOCK	1	/* when formatting */
#define FIRST_BITMAP	3

const struct pd_validator pd_sm_index_validator = {
	.name = "metadata index block",
	.csum_xor = PD_INDEX_CSUM_XOR,
};

/* Make bitmap number @i, all zeros, at block @b, known to be free. */
static int add_bitmap(struct pd_sm *sm, u32 i, pd_block_t b)
{
	struct pd_sm_bitmap *bitmap = &sm->bitmaps[i];
	struct pd_block blk;
	int r;

	r = pd_bm_write_zero(sm->bm, b, &pd_sm_bitmap_validator,
			     &blk);
	if (r)
		return r;

	pd_bm_release(sm->bm, &blk);
	memset(bitmap, 0, sizeof(*bitmap));
	bitmap->blocknr = b;
	bitmap->nr_free = PD_ENTRIES_PER_BITMAP;
	bitmap->maybe_free = PD_ENTRIES_PER_BITMAP;
	pd_sm_mark(&sm->index_dirty, i);
	return 0;
}

/* ---- index ---- */

static int read_index(struct pd_sm *sm)
{
	const struct pd_disk_metadata_index *disk;
	struct pd_block blk;
	u32 i;
	int r;

	r = pd_bm_read(sm->bm, sm->index_root, &pd_sm_index_validator, &blk);
	if (r)
		return r;

	disk = blk.data;
	for (i = 0; i < sm->nr_bitmaps && !r; i++)
		r = pd_sm_set_index_entry(sm, i, &disk->index[i]);
	pd_bm_release(sm->bm, &blk);
	return r;
}

/* Move the index block out of the committed transaction (I2). */
static int shadow_index(struct pd_sm *sm)
{
	struct pd_block blk;
	bool inc_children;
	int r;

	r = pd_tm_shadow(sm->tm, sm->index_root, &pd_sm_index_validator, &blk,
			 &inc_children);
	if (r)
		return r;

	sm->index_root = blk.nr;
	pd_bm_release(sm->bm, &blk);
	return 0;
}

static int write_index(struct pd_sm *sm)
{
	struct pd_disk_metadata_index *disk;
	struct pd_block blk;
	u32 i;
	int r;

	r = pd_bm_write(sm->bm, sm->index_root, &pd_sm_index_validator,
			&blk);
	if (r)
		return r;

	disk = blk.data;
	for (i = 0; i < sm->nr_bitmaps; i++) {
		pd_sm_get_index_entry(sm, i, &disk->index[i]);
		pd_sm_unmark(&sm->index_dirty, i);
	}
	pd_bm_release(sm->bm, &blk);
	return 0;
}

/* ---- growing ---- */

/* The new bitmaps are the first blocks of the new area (I1). */
static int take_bitmaps(struct pd_sm *sm, pd_block_t begin, pd_block_t end)
{
	pd_block_t b;
	int r;

	for (b = begin; b < end; b++) {
		r = pd_sm_take(sm, b);
		if (r)
			return r;
	}
	sm->cursor = b;		/* all later blocks come after them, too */
	return 0;
}

static int extend_metadata_map(struct pd_sm *sm, pd_block_t nr_blocks)
{
	pd_block_t old_blocks = sm->nr_blocks;
	u64 nr_bitmaps = pd_sm_bitmaps_for(nr_blocks);
	u32 i, nr_new, old_bitmaps = sm->nr_bitmaps;
	int r;

	if (nr_blocks > PD_MAX_METADATA_BLOCKS ||
	    nr_blocks > pd_bm_nr_blocks(sm->bm)) {
		sm_err(sm, "impossible new size %llu", nr_blocks);
		return -EINVAL;
	}
	nr_new = nr_bitmaps - old_bitmaps;
	if (nr_blocks - old_blocks < nr_new)
		return -ENOSPC;

	r = pd_sm_grow_index(sm, nr_bitmaps);
	for (i = 0; i < nr_new && !r; i++)
		r = add_bitmap(sm, old_bitmaps + i, old_blocks + i);
	if (!r)
		r = pd_sm_set_size(sm, nr_blocks);
	if (r)
		return r;

	return take_bitmaps(sm, old_blocks, old_blocks + nr_new);
}

static const struct pd_sm_ops metadata_ops = {
	.extend = extend_metadata_map,
};

static struct pd_sm *init_metadata_map(struct pd_tm *tm)
{
	struct pd_sm *sm = pd_sm_init(tm->bm, tm, &metadata_ops,
				      "metadata space map");

	if (sm)
		sm->first_usable = 1;
	return sm;
}

/* ---- life ---- */

/* All bitmaps exist, everything is free: enter the first blocks (I1). */
static int enter_first_blocks(struct pd_sm *sm)
{
	pd_block_t b;
	int r;

	for (b = 0; b <= INDEX_BLOCK; b++) {
		r = pd_sm_take(sm, b);
		if (r)
			return r;
	}

	sm->cursor = b;
	r = pd_btree_empty(&sm->overflow, &sm->overflow_root);
	if (r)
		return r;

	for (b = FIRST_BITMAP; b < FIRST_BITMAP + sm->nr_bitmaps; b++) {
		r = pd_sm_take(sm, b);
		if (r)
			return r;
	}
	sm->cursor = b;
	return 0;
}

int pd_sm_metadata_create(struct pd_tm *tm, struct pd_sm **result)
{
	struct pd_bm *bm = tm->bm;
	pd_block_t nr_blocks = min_t(u64, pd_bm_nr_blocks(bm),
				     PD_MAX_METADATA_BLOCKS);
	u32 i, nr_bitmaps = pd_sm_bitmaps_for(nr_blocks);
	struct pd_block blk;
	struct pd_sm *sm;
	int r;

	*result = NULL;
	if (nr_blocks < FIRST_BITMAP + nr_bitmaps) {
		bm_err(bm, "a device of %llu blocks is too small", nr_blocks);
		return -ENOSPC;
	}

	sm = init_metadata_map(tm);
	if (!sm)
		return -ENOMEM;
	*result = sm;

	r = pd_sm_grow_index(sm, nr_bitmaps);
	for (i = 0; i < nr_bitmaps && !r; i++)
		r = add_bitmap(sm, i, FIRST_BITMAP + i);
	if (r)
		return r;
	r = pd_sm_set_size(sm, nr_blocks);
	if (r)
		return r;

	r = pd_bm_write_zero(bm, INDEX_BLOCK, &pd_sm_index_validator, &blk);
	if (r)
		return r;
	pd_bm_release(bm, &blk);
	sm->index_root = INDEX_BLOCK;

	return enter_first_blocks(sm);
}

/* I3 */
static int count_allocated(struct pd_sm *sm)
{
	struct pd_block blk;
	u32 i;
	int r;

	sm->nr_allocated = 0;
	for (i = 0; i < sm->nr_bitmaps; i++) {
		r = pd_bm_read(sm->bm, sm->bitmaps[i].blocknr,
			       &pd_sm_bitmap_validator, &blk);
		if (r)
			return r;
		sm->nr_allocated += pd_bitmap_nr_used(blk.data,
						      pd_sm_nr_entries(sm, i));
		pd_bm_release(sm->bm, &blk);
	}
	sm->nr_allocatable = sm->nr_blocks - sm->nr_allocated;
	return 0;
}

int pd_sm_metadata_open(struct pd_tm *tm, const void *root,
			struct pd_sm **result)
{
	struct pd_bm *bm = tm->bm;
	struct pd_disk_sm_root disk;
	struct pd_sm *sm;
	int r;

	memcpy(&disk, root, sizeof(disk));
	sm = init_metadata_map(tm);
	*result = sm;
	if (!sm)
		return -ENOMEM;

	sm->nr_blocks = le64_to_cpu(disk.nr_blocks);
	sm->index_root = le64_to_cpu(disk.bitmap_root);
	sm->overflow_root = le64_to_cpu(disk.ref_count_root);
	if (!sm->nr_blocks || sm->nr_blocks > PD_MAX_METADATA_BLOCKS ||
	    sm->nr_blocks > pd_bm_nr_blocks(bm)) {
		sm_err(sm, "impossible size %llu: the device has %llu",
		       sm->nr_blocks, pd_bm_nr_blocks(bm));
		return -EINVAL;
	}

	r = pd_sm_grow_index(sm, pd_sm_bitmaps_for(sm->nr_blocks));
	if (r)
		return r;
	sm->nr_bitmaps = pd_sm_bitmaps_for(sm->nr_blocks);

	r = read_index(sm);
	if (!r)
		r = count_allocated(sm);
	return r;
}

int pd_sm_metadata_close(struct pd_sm *sm, void *root)
{
	int r = 0;

	/* If nothing changed, the index stays as it is. */
	if (sm->pending.nr || sm->index_dirty.nr) {
		r = shadow_index(sm);
		if (!r)
			r = pd_sm_apply(sm);
		if (!r)
			r = write_index(sm);
	}
	if (r)
		return r;

	pd_sm_switch_overlays(sm);
	pd_sm_pack_root(sm, root);
	return 0;
}
