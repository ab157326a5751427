// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The space map of another device, the data device: index in a btree, one
 * entry per bitmap.  The map's own blocks are counted by the metadata map.
 *
 *   superblock root ─► index btree: 0 → bitmap, 1 → bitmap, …
 *                  └─► overflow tree
 *
 * I1  The whole index is in core; the btree is read on open and written, dirty
 *     entries only, when the transaction closes.
 *
 * Context: metadata lock, for writing.
 * Crash: all writes go to blocks of the open transaction; the new root takes
 * effect with the superblock.
 */
#include "space-map-apply.h"

#include "block-manager.h"
#include "space-map-bitmap.h"
#include "transaction-manager.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/byteorder.h>

static struct pd_btree index_tree(struct pd_tm *tm)
{
	return (struct pd_btree){
		.bm = tm->bm,
		.tm = tm,
		.levels = 1,
		.value.size = sizeof(struct pd_disk_index_entry),
		.name = "data index",
	};
}

/* ---- index ---- */

static int read_entries(struct pd_sm *sm, struct pd_btree_cursor *c, u32 nr)
{
	struct pd_disk_index_entry e;
	u64 key;
	u32 i;
	int r;

	for (i = 0; i < nr; i++) {
		pd_btree_cursor_get(c, &key, &e);
		if (key != i) {
			sm_err(sm, "index has key %llu in place of %u", key, i);
			return -EILSEQ;
		}
		r = pd_sm_set_index_entry(sm, i, &e);
		if (r)
			return r;
		r = i + 1 < nr ? pd_btree_cursor_next(c) : 0;
		if (r == -ENODATA) {
			sm_err(sm, "index ends after %u of %u bitmaps", i + 1,
			       nr);
			return -EILSEQ;
		}
		if (r)
			return r;
	}
	return 0;
}

static int read_index(struct pd_sm *sm)
{
	struct pd_btree t = index_tree(sm->tm);
	struct pd_btree_cursor *c;
	u64 key = 0;
	int r;

	if (!sm->nr_bitmaps)
		return 0;

	r = pd_btree_cursor_begin(&t, sm->index_root, &key, true, &c);
	if (r == -ENODATA) {
		sm_err(sm, "index is empty, but there are %u bitmaps",
		       sm->nr_bitmaps);
		return -EILSEQ;
	}
	if (r)
		return r;

	r = read_entries(sm, c, sm->nr_bitmaps);
	pd_btree_cursor_end(c);
	return r;
}

static int write_index(struct pd_sm *sm)
{
	struct pd_sm_marks *dirty = &sm->index_dirty;
	struct pd_btree t = index_tree(sm->tm);
	struct pd_disk_index_entry e;
	u32 i;
	int r;

	for (i = pd_sm_next_marked(dirty, 0); i < dirty->end;
	     i = pd_sm_next_marked(dirty, i + 1)) {
		u64 key = i;

		pd_sm_get_index_entry(sm, i, &e);
		r = pd_btree_insert(&t, &sm->index_root, &key, &e, NULL);
		if (r)
			return r;
		pd_sm_unmark(dirty, i);
		cond_resched();
	}
	return 0;
}

/* ---- growing ---- */

static int add_bitmap(struct pd_sm *sm, u32 i)
{
	struct pd_block blk;
	int r;

	r = pd_tm_new_block(sm->tm, &pd_sm_bitmap_validator, &blk);
	if (r)
		return r;

	sm->bitmaps[i].blocknr = blk.nr;
	sm->bitmaps[i].nr_free = PD_ENTRIES_PER_BITMAP;
	sm->bitmaps[i].maybe_free = PD_ENTRIES_PER_BITMAP;
	pd_sm_mark(&sm->index_dirty, i);
	pd_bm_release(sm->bm, &blk);
	return 0;
}

static int extend_disk_map(struct pd_sm *sm, pd_block_t nr_blocks)
{
	u32 i, old_bitmaps = sm->nr_bitmaps;
	u64 nr_bitmaps = pd_sm_bitmaps_for(nr_blocks);
	int r;

	/* Each bitmap takes a metadata block. */
	if (nr_bitmaps > PD_MAX_METADATA_BLOCKS)
		return -EINVAL;

	r = pd_sm_grow_index(sm, nr_bitmaps);
	if (r)
		return r;

	for (i = old_bitmaps; i < nr_bitmaps; i++) {
		r = add_bitmap(sm, i);
		if (r)
			return r;
		cond_resched();
	}
	return pd_sm_set_size(sm, nr_blocks);
}

static const struct pd_sm_ops disk_ops = {
	.extend = extend_disk_map,
};

static struct pd_sm *init_disk_map(struct pd_tm *tm)
{
	return pd_sm_init(tm->bm, tm, &disk_ops, "data space map");
}

/* ---- life ---- */

int pd_sm_disk_create(struct pd_tm *tm, struct pd_sm **result)
{
	struct pd_btree t = index_tree(tm);
	struct pd_sm *sm;
	int r;

	sm = init_disk_map(tm);
	if (!sm)
		return -ENOMEM;

	r = pd_btree_empty(&t, &sm->index_root);
	if (!r)
		r = pd_btree_empty(&sm->overflow, &sm->overflow_root);
	if (r) {
		pd_sm_destroy(sm);
		return r;
	}

	*result = sm;
	return 0;
}

int pd_sm_disk_open(struct pd_tm *tm, const void *root, struct pd_sm **result)
{
	struct pd_disk_sm_root disk;
	struct pd_sm *sm;
	u64 nr_bitmaps;
	int r;

	memcpy(&disk, root, sizeof(disk));
	sm = init_disk_map(tm);
	if (!sm)
		return -ENOMEM;

	sm->nr_blocks = le64_to_cpu(disk.nr_blocks);
	sm->nr_allocated = min(le64_to_cpu(disk.nr_allocated), sm->nr_blocks);
	sm->nr_allocatable = sm->nr_blocks - sm->nr_allocated;
	sm->index_root = le64_to_cpu(disk.bitmap_root);
	sm->overflow_root = le64_to_cpu(disk.ref_count_root);

	/* Each bitmap takes a metadata block: more means a damaged root. */
	nr_bitmaps = pd_sm_bitmaps_for(sm->nr_blocks);
	if (nr_bitmaps > min_t(u64, pd_bm_nr_blocks(tm->bm),
			       PD_MAX_METADATA_BLOCKS)) {
		sm_err(sm, "impossible size %llu", sm->nr_blocks);
		r = -EINVAL;
		goto err_destroy;
	}

	r = pd_sm_grow_index(sm, nr_bitmaps);
	if (r)
		goto err_destroy;
	sm->nr_bitmaps = nr_bitmaps;

	r = read_index(sm);
	if (r)
		goto err_destroy;

	*result = sm;
	return 0;

err_destroy:
	pd_sm_destroy(sm);
	return r;
}

int pd_sm_close(struct pd_sm *sm, void *root)
{
	int r;

	r = pd_sm_apply(sm);
	if (!r)
		r = write_index(sm);
	if (r)
		return r;

	pd_sm_switch_overlays(sm);
	pd_sm_pack_root(sm, root);
	return 0;
}
