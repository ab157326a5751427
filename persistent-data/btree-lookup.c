// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Read-only queries of a btree.
 *
 *   keys[0] ─► top tree ─► root ─► tree of the lowest level ─► leaf ─► value
 *
 * I1  One block is held at a time, and none on return.
 * I2  A neighbouring leaf is found by walking down once more for the key right
 *     after the current leaf; every leaf but an empty root has entries, so
 *     one more walk is enough.
 *
 * Context: metadata lock held for reading; may sleep.
 */
#include "btree-walk.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>

/* Hold the lowest-level leaf that covers @key. */
static int find_lower_leaf(const struct pd_btree *t, pd_block_t root,
			   const u64 *keys, u64 key, struct pd_block *leaf,
			   struct pd_place *place)
{
	struct pd_tree tree = pd_tree_lowest(t);
	pd_block_t sub;
	int r = pd_tree_find_lower(t, root, keys, &sub);

	if (r)
		return r;
	return pd_tree_find_leaf(&tree, sub, key, leaf, place);
}

static void copy_entry(const struct pd_btree *t, const struct pd_block *leaf,
		       u32 i, u64 *key, void *value)
{
	*key = pd_node_key(leaf->data, i);
	memcpy(value, pd_node_value(leaf->data, i), t->value.size);
}

int pd_btree_lookup(const struct pd_btree *t, pd_block_t root, const u64 *keys,
		    void *value)
{
	u64 key = keys[t->levels - 1];
	struct pd_place place;
	struct pd_block leaf;
	u32 i;
	int r = find_lower_leaf(t, root, keys, key, &leaf, &place);

	if (r)
		return r;
	if (pd_node_has_key(leaf.data, key, &i))
		memcpy(value, pd_node_value(leaf.data, i), t->value.size);
	else
		r = -ENODATA;
	pd_bm_release(t->bm, &leaf);
	return r;
}

/* The first entry at or after @from. */
static int first_from(const struct pd_btree *t, pd_block_t root,
		      const u64 *keys, u64 from, u64 *key, void *value)
{
	for (;;) {
		struct pd_place place;
		struct pd_block leaf;
		u32 i;
		int r = find_lower_leaf(t, root, keys, from, &leaf, &place);

		if (r)
			return r;
		i = pd_node_lower_bound(leaf.data, from);
		if (i < pd_node_nr(leaf.data)) {
			copy_entry(t, &leaf, i, key, value);
			pd_bm_release(t->bm, &leaf);
			return 0;
		}
		pd_bm_release(t->bm, &leaf);
		if (place.last == U64_MAX)
			return -ENODATA;
		from = place.last + 1;
	}
}

int pd_btree_lookup_next(const struct pd_btree *t, pd_block_t root,
			 const u64 *keys, u64 *key, void *value)
{
	return first_from(t, root, keys, keys[t->levels - 1], key, value);
}

int pd_btree_lowest(const struct pd_btree *t, pd_block_t root, const u64 *keys,
		    u64 *key, void *value)
{
	return first_from(t, root, keys, 0, key, value);
}

int pd_btree_highest(const struct pd_btree *t, pd_block_t root,
		     const u64 *keys, u64 *key, void *value)
{
	struct pd_place place;
	struct pd_block leaf;
	u32 nr;
	int r = find_lower_leaf(t, root, keys, U64_MAX, &leaf, &place);

	if (r)
		return r;
	nr = pd_node_nr(leaf.data);
	if (nr)
		copy_entry(t, &leaf, nr - 1, key, value);
	else
		r = -ENODATA;
	pd_bm_release(t->bm, &leaf);
	return r;
}

static void show_leaf(const struct pd_btree *t, struct pd_block *leaf,
		      const struct pd_place *place, pd_btree_leaf_fn fn,
		      void *context)
{
	struct pd_btree_leaf l = {
		.begin = place->begin,
		.last = place->last,
		.nr = pd_node_nr(leaf->data),
		.keys = pd_node_keys(leaf->data),
		.values = pd_node_value(leaf->data, 0),
	};

	fn(context, &l);
	pd_bm_release(t->bm, leaf);
}

int pd_btree_lookup_leaf(const struct pd_btree *t, pd_block_t root,
			 const u64 *keys, pd_btree_leaf_fn fn, void *context)
{
	struct pd_place place;
	struct pd_block leaf;
	int r = find_lower_leaf(t, root, keys, keys[t->levels - 1], &leaf,
				&place);

	if (!r)
		show_leaf(t, &leaf, &place, fn, context);
	return r;
}

int pd_btree_lookup_leaf_cached(const struct pd_btree *t, pd_block_t root,
				const u64 *keys, pd_btree_leaf_fn fn,
				void *context, pd_block_t *missing)
{
	struct pd_tree top = pd_tree_top(t), tree = pd_tree_lowest(t);
	struct pd_place place;
	struct pd_block leaf;
	pd_block_t sub;
	int r;

	top.missing = missing;
	tree.missing = missing;
	r = pd_tree_find_lower_from(&top, root, keys, &sub);
	if (!r)
		r = pd_tree_find_leaf(&tree, sub, keys[t->levels - 1], &leaf,
				      &place);
	if (!r)
		show_leaf(t, &leaf, &place, fn, context);
	return r;
}

int pd_btree_extent(const struct pd_btree *t, pd_block_t root, u32 *depth,
		    u64 *nr_leaves)
{
	struct pd_tree tree = pd_tree_lowest(t);
	struct pd_place place = pd_place_root();
	pd_block_t b = root;

	*depth = 0;
	*nr_leaves = 1;
	for (;;) {
		const struct pd_disk_node *n;
		struct pd_block blk;
		int r = pd_tree_read(&tree, b, &place, &blk);

		if (r)
			return r;
		++*depth;
		n = blk.data;
		if (pd_node_is_leaf(n)) {
			pd_bm_release(t->bm, &blk);
			return 0;
		}
		/* Only for the root is the number of children known. */
		*nr_leaves *= *depth == 1 ? pd_node_nr(n) : pd_node_max(n);
		b = pd_node_child(n, 0);
		place = pd_place_child(&place, n, 0);
		pd_bm_release(t->bm, &blk);
	}
}
