// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walks a whole tree and verifies its form; reports what it finds to a
 * visitor, which may count references.
 *
 *   top tree:     check_tree ─► nodes ─► leaf ─► for each root in it:
 *   lowest level:               check_tree ─► nodes ─► leaf ─► visitor
 *
 * What no single node can show is checked here, in addition to what is
 * checked whenever a node is used: minimum fill, capacity, equal depth.
 *
 * I1  One block is held at a time: each node on the path is copied.
 * I2  Depth is bounded by PD_BTREE_MAX_DEPTH per level of trees.
 *
 * Context: metadata lock held for reading; sleeps long.
 */
#include "tests/check/btree-check.h"

#include "persistent-data/btree-walk.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

struct check {
	struct pd_tree tree;
	const struct pd_btree_visitor *v;
	u64 upper_key;
	u32 leaf_depth;		/* U32_MAX: no leaf seen yet */
};

static int check_tree(const struct pd_btree *t, bool lowest, pd_block_t root,
		      u64 upper_key, const struct pd_btree_visitor *v);

/* Copy node @b: the caller frees @copy. */
static int copy_node(const struct check *c, pd_block_t b,
		     const struct pd_place *place, struct pd_disk_node **copy)
{
	struct pd_block blk;
	int r = pd_tree_read(&c->tree, b, place, &blk);

	if (r)
		return r;
	*copy = kmemdup(blk.data, PD_BLOCK_SIZE, GFP_NOIO);
	pd_bm_release(c->tree.t->bm, &blk);
	return *copy ? 0 : -ENOMEM;
}

static int check_form(struct check *c, pd_block_t b,
		      const struct pd_place *place,
		      const struct pd_disk_node *n)
{
	u32 max = pd_tree_max_entries(&c->tree, pd_node_value_size(n));

	if (pd_node_max(n) != max)
		return pd_tree_damaged(&c->tree, b, "max_entries", max,
				       pd_node_max(n));
	if (place->depth && pd_node_nr(n) < pd_node_min(n))
		return pd_tree_damaged(&c->tree, b, "too few entries",
				       pd_node_min(n), pd_node_nr(n));
	if (!pd_node_is_leaf(n))
		return 0;
	if (c->leaf_depth == U32_MAX)
		c->leaf_depth = place->depth;
	if (c->leaf_depth != place->depth)
		return pd_tree_damaged(&c->tree, b, "depth of leaf",
				       c->leaf_depth, place->depth);
	return 0;
}

static int check_leaf(const struct check *c, const struct pd_disk_node *n)
{
	u32 i;

	if (c->tree.lowest)
		return c->v && c->v->leaf ?
		       c->v->leaf(c->v->context, &c->upper_key,
				  pd_node_keys(n), pd_node_value(n, 0),
				  pd_node_nr(n)) : 0;

	for (i = 0; i < pd_node_nr(n); i++) {
		int r = check_tree(c->tree.t, true, pd_node_child(n, i),
				   pd_node_key(n, i), c->v);

		if (r)
			return r;
	}
	return 0;
}

static int check_node(struct check *c, pd_block_t b,
		      const struct pd_place *place)
{
	struct pd_disk_node *n = NULL;
	bool descend = true;
	u32 i;
	int r = 0;

	if (c->v && c->v->node)
		r = c->v->node(c->v->context, b, &descend);
	if (r || !descend)
		return r;

	r = copy_node(c, b, place, &n);
	if (r)
		return r;
	r = check_form(c, b, place, n);
	if (!r && pd_node_is_leaf(n)) {
		r = check_leaf(c, n);
		goto out_free;
	}
	for (i = 0; i < pd_node_nr(n) && !r; i++) {
		struct pd_place below = pd_place_child(place, n, i);

		r = check_node(c, pd_node_child(n, i), &below);
	}
out_free:
	kfree(n);
	return r;
}

static int check_tree(const struct pd_btree *t, bool lowest, pd_block_t root,
		      u64 upper_key, const struct pd_btree_visitor *v)
{
	struct pd_place place = pd_place_root();
	struct check c = {
		.tree = lowest ? pd_tree_lowest(t) : pd_tree_top(t),
		.v = v, .upper_key = upper_key, .leaf_depth = U32_MAX,
	};

	return check_node(&c, root, &place);
}

int pd_btree_check(const struct pd_btree *t, pd_block_t root,
		   const struct pd_btree_visitor *v)
{
	return check_tree(t, t->levels == 1, root, 0, v);
}
