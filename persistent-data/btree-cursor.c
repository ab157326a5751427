// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walks a tree in key order.
 *
 *   root ─► .. ─► [parent of leaves] ─► leaf ── copied ──► cursor
 *                        └─► the next leaves: read ahead
 *
 * I1  The cursor keeps a copy of one leaf and holds no block between calls.
 * I2  The next leaf is found by starting over at the root, with the key after
 *     the last one this leaf covers: a few cached blocks per 252 entries.
 * I3  The copy has at least one entry, and the cursor stands on one, until
 *     pd_btree_cursor_next() returns -ENODATA.
 *
 * Context: metadata lock held for reading, without a break from begin to the
 * last next; may sleep.
 */
#include "btree-walk.h"

#include "include/thinx-memory.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

/* Leaves are read ahead in batches, up to two batches ahead. */
#define READ_AHEAD 8

struct pd_btree_cursor {
	struct pd_tree tree;
	pd_block_t root;	/* of the tree of the lowest level */
	bool prefetch;
	u32 leaf_depth;		/* 0: not known yet */
	struct pd_place place;
	u32 i;
	struct pd_disk_node *leaf;
};

static void prefetch_behind(const struct pd_btree_cursor *c,
			    const struct pd_disk_node *parent, u32 i)
{
	u32 end = min(i + 2 * READ_AHEAD, pd_node_nr(parent));

	if (i % READ_AHEAD)
		return;
	for (i++; i < end; i++)
		pd_bm_prefetch(c->tree.t->bm, pd_node_child(parent, i));
}

/* Copy the leaf that covers @key. */
static int load_leaf(struct pd_btree_cursor *c, u64 key)
{
	struct pd_bm *bm = c->tree.t->bm;
	pd_block_t b = c->root;
	struct pd_block blk;

	c->place = pd_place_root();
	for (;;) {
		const struct pd_disk_node *n;
		int r = pd_tree_read(&c->tree, b, &c->place, &blk);
		u32 i;

		if (r)
			return r;
		n = blk.data;
		if (pd_node_is_leaf(n))
			break;
		i = pd_tree_child_index(n, key);
		b = pd_node_child(n, i);
		c->place = pd_place_child(&c->place, n, i);
		if (c->prefetch && c->place.depth == c->leaf_depth)
			prefetch_behind(c, n, i);
		pd_bm_release(bm, &blk);
	}
	memcpy(c->leaf, blk.data, PD_BLOCK_SIZE);
	pd_bm_release(bm, &blk);
	c->leaf_depth = c->place.depth;
	c->i = pd_node_lower_bound(c->leaf, key);
	return 0;
}

/* Move to the first entry at or after @key. */
static int seek_entry(struct pd_btree_cursor *c, u64 key)
{
	for (;;) {
		int r = load_leaf(c, key);

		if (r)
			return r;
		if (c->i < pd_node_nr(c->leaf))
			return 0;
		if (c->place.last == U64_MAX)
			return -ENODATA;
		key = c->place.last + 1;
	}
}

int pd_btree_cursor_begin(const struct pd_btree *t, pd_block_t root,
			  const u64 *keys, bool prefetch,
			  struct pd_btree_cursor **result)
{
	struct pd_btree_cursor *c;
	int r;

	c = thinx_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->tree = pd_tree_lowest(t);
	c->prefetch = prefetch;
	c->leaf = thinx_alloc(PD_BLOCK_SIZE);
	if (!c->leaf) {
		r = -ENOMEM;
		goto err_free_cursor;
	}

	r = pd_tree_find_lower(t, root, keys, &c->root);
	if (!r)
		r = seek_entry(c, keys[t->levels - 1]);
	if (r)
		goto err_free_leaf;
	*result = c;
	return 0;

err_free_leaf:
	kfree(c->leaf);
err_free_cursor:
	kfree(c);
	return r;
}

void pd_btree_cursor_get(const struct pd_btree_cursor *c, u64 *key,
			 void *value)
{
	*key = pd_node_key(c->leaf, c->i);
	memcpy(value, pd_node_value(c->leaf, c->i), c->tree.value_size);
}

int pd_btree_cursor_next(struct pd_btree_cursor *c)
{
	if (c->i + 1 < pd_node_nr(c->leaf)) {
		c->i++;
		return 0;
	}
	if (c->place.last == U64_MAX)
		return -ENODATA;
	return seek_entry(c, c->place.last + 1);
}

void pd_btree_cursor_end(struct pd_btree_cursor *c)
{
	kfree(c->leaf);
	kfree(c);
}
