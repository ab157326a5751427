// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Drops one reference to a whole tree and frees what nothing else refers to.
 *
 *   root 1 ─┬─ node 1 ─┬─ leaf 1     freed: root, node, and the leaves with
 *           │          └─ leaf 2     count 1 below them
 *           └─ node 2 ─── leaf 1     only loses a reference; the leaf below
 *                                    is still needed by node's other users
 *
 * Two walks over the same nodes: the first counts, the second frees.
 *
 * I1  A node is entered only if its count is one and so are those of all nodes
 *     above it: these are the nodes to be freed.
 * I2  Nothing is changed before the first walk has ended within bounds.
 * I3  The second walk drops a node after everything below it.
 *
 * Context: metadata lock held for writing; may sleep.  Holds the path, at most
 * PD_BTREE_MAX_DEPTH blocks.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#include <linux/errno.h>

/* A walk; the path is held for reading. */
struct walk {
	struct pd_tree tree;
	bool frees;		/* second walk */
	u32 budget;		/* first walk: nodes it may still find */
	u32 nr;			/* nodes on the path */
	struct {
		struct pd_block blk;
		struct pd_place place;
		u32 next;	/* child to look at next */
	} path[PD_BTREE_MAX_DEPTH];
};

/* A reference to node @b: if it is the only one, enter the node. */
static int visit_node(struct walk *w, pd_block_t b, const struct pd_place *place)
{
	struct pd_tm *tm = w->tree.t->tm;
	u32 count;
	int r = pd_tm_get_count(tm, b, &count);

	if (r)
		return r;
	if (count > 1)
		return w->frees ? pd_tm_dec(tm, b) : 0;

	if (!w->frees && !w->budget--)
		return -E2BIG;
	if (place->depth >= PD_BTREE_MAX_DEPTH)
		return pd_tree_damaged(&w->tree, b, "depth",
				       PD_BTREE_MAX_DEPTH - 1, place->depth);
	r = pd_tree_read(&w->tree, b, place, &w->path[w->nr].blk);
	if (r)
		return r;
	w->path[w->nr].place = *place;
	w->path[w->nr].next = 0;
	w->nr++;
	return 0;
}

/* Everything below the last node of the path has been visited. */
static int leave_node(struct walk *w)
{
	const struct pd_btree_value_type *v = &w->tree.t->value;
	struct pd_block *blk = &w->path[w->nr - 1].blk;
	const struct pd_disk_node *n = blk->data;
	struct pd_tm *tm = w->tree.t->tm;
	u32 nr = pd_node_nr(n);
	int r = 0;

	if (w->frees && pd_node_is_leaf(n) && nr && v->dec)
		r = v->dec(v->context, pd_node_value(n, 0), nr);
	pd_bm_release(w->tree.t->bm, blk);
	w->nr--;
	if (!r && w->frees)
		r = pd_tm_dec(tm, blk->nr);
	return r;
}

static int walk_tree(struct walk *w, pd_block_t root)
{
	struct pd_place place = pd_place_root();
	int r = visit_node(w, root, &place);

	while (!r && w->nr) {
		u32 top = w->nr - 1, i = w->path[top].next++;
		const struct pd_disk_node *n = w->path[top].blk.data;

		if (pd_node_is_leaf(n) || i == pd_node_nr(n)) {
			r = leave_node(w);
			continue;
		}
		place = pd_place_child(&w->path[top].place, n, i);
		r = visit_node(w, pd_node_child(n, i), &place);
	}
	while (w->nr)
		pd_bm_release(w->tree.t->bm, &w->path[--w->nr].blk);
	return r;
}

int pd_btree_delete(const struct pd_btree *t, pd_block_t root, u32 max_nodes)
{
	struct walk w = { .tree = pd_tree_lowest(t), .budget = max_nodes };
	int r;

	if (t->levels != 1)
		return -EINVAL;

	r = walk_tree(&w, root);
	if (r)
		return r;
	w.frees = true;
	return walk_tree(&w, root);
}
