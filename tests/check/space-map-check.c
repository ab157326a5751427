// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Verify bitmaps, index and overflow tree of a space map, and its counts in
 * memory, against each other.
 *
 * Context: metadata lock held for reading; sleeps long.
 */
#include "tests/check/space-map-check.h"

#include <asm/byteorder.h>
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "persistent-data/block-manager.h"
#include "persistent-data/space-map-bitmap.h"
#include "persistent-data/space-map-counts.h"
#include "persistent-data/space-map-metadata.h"
#include "persistent-data/transaction.h"
#include "tests/check/btree-check.h"
#include "include/thinx-log.h"

struct index_check {
	struct pd_sm *sm;
	int (*reached)(void *context, pd_block_t b);
	void *context;
	u64 nr_entries;
};

static int index_node(void *context, pd_block_t b, bool *descend)
{
	struct index_check *c = context;

	return c->reached ? c->reached(c->context, b) : 0;
}

static int index_leaf(void *context, const u64 *upper_keys, const __le64 *keys,
		      const void *values, u32 nr)
{
	struct index_check *c = context;
	u32 i;

	for (i = 0; i < nr; i++, c->nr_entries++) {
		if (le64_to_cpu(keys[i]) == c->nr_entries)
			continue;
		DMERR("%s: %s: index has %llu instead of %llu",
		      pd_sm_device(c->sm), c->sm->name, le64_to_cpu(keys[i]),
		      c->nr_entries);
		return -EILSEQ;
	}
	return 0;
}

static int check_index_tree(struct pd_sm *sm,
			    int (*reached)(void *context, pd_block_t b),
			    void *context)
{
	struct pd_btree t = {
		.bm = sm->bm,
		.tm = sm->tm,
		.levels = 1,
		.value.size = sizeof(struct pd_disk_index_entry),
		.name = "data index",
	};
	struct index_check c = {
		.sm = sm, .reached = reached, .context = context,
	};
	struct pd_btree_visitor v = {
		.node = index_node, .leaf = index_leaf, .context = &c,
	};

	return pd_btree_check(&t, sm->index_root, &v);
}

static int check_index_block(struct pd_sm *sm,
			     int (*reached)(void *context, pd_block_t b),
			     void *context)
{
	struct pd_block blk;
	int r;

	r = pd_bm_read(sm->bm, sm->index_root, &pd_sm_index_validator, &blk);
	if (r)
		return r;

	pd_bm_release(sm->bm, &blk);
	return reached ? reached(context, sm->index_root) : 0;
}

/*
 * What a check has found so far.
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
		DMERR("%s: %s: bitmap %u has counts past the end",
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
	/* The bitmaps have this number unless there are changes in memory. */
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

	r = sm == pd_tm_sm(sm->tm) ?
		check_index_block(sm, reached, context) :
		check_index_tree(sm, reached, context);
	if (!r)
		r = check_bitmaps(&c, many);
	if (!r)
		r = pd_btree_check(&sm->overflow, sm->overflow_root, &v);
	if (!r)
		r = check_numbers(&c);
	bitmap_free(many);
	return r;
}
