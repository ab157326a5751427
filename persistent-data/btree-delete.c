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
 * Two walks over the same nodes: the first counts, the second frees.  The second
 * one may be made in steps: all it has to know is up to which key everything is
 * dropped.
 *
 * I1  A node is entered only if its count is one and so are those of all nodes
 *     above it: these are the nodes to be freed.  Nobody else can reach them,
 *     so between two steps they stay as they are.
 * I2  Nothing is changed before the first walk has ended within bounds.
 * I3  The second walk drops a node after everything below it.
 *
 * Context: metadata lock held for writing; may sleep.  Holds the path, at most
 * PD_BTREE_MAX_DEPTH blocks.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>

/* A walk; the path is held for reading. */
struct walk {
	struct pd_tree tree;
	bool frees;		/* second walk */
	u32 budget;		/* nodes it may find, or references it may drop */
	u64 begin;		/* second walk: what lies below is dropped */
	u32 nr;			/* nodes on the path */
	struct {
		struct pd_block blk;
		struct pd_place place;
		u32 next;	/* child to look at next */
	} path[PD_BTREE_MAX_DEPTH];
};

/* Past the last child of a node this wraps, but then the node is left next. */
static int drop_reference(struct walk *w, pd_block_t b,
			  const struct pd_place *place)
{
	w->begin = place->last + 1;
	w->budget -= min(w->budget, 1U);
	return pd_tm_dec(w->tree.t->tm, b);
}

/* A reference to node @b: if it is the only one, enter the node. */
static int visit_node(struct walk *w, pd_block_t b, const struct pd_place *place)
{
	struct pd_tm *tm = w->tree.t->tm;
	const struct pd_disk_node *n;
	bool shared;
	int r = pd_tm_is_shared(tm, b, &shared);

	if (r)
		return r;
	if (shared)
		return w->frees ? drop_reference(w, b, place) : 0;

	if (!w->frees && !w->budget--)
		return -E2BIG;
	if (place->depth >= PD_BTREE_MAX_DEPTH)
		return pd_tree_damaged(&w->tree, b, "depth",
				       PD_BTREE_MAX_DEPTH - 1, place->depth);
	r = pd_tree_read(&w->tree, b, place, &w->path[w->nr].blk);
	if (r)
		return r;
	n = w->path[w->nr].blk.data;
	w->path[w->nr].place = *place;
	w->path[w->nr].next = pd_node_is_leaf(n) ? 0 :
			      pd_tree_child_index(n, w->begin);
	w->nr++;
	return 0;
}

/* Everything below the last node of the path has been visited. */
static int leave_node(struct walk *w)
{
	const struct pd_btree_value_type *v = &w->tree.t->value;
	struct pd_block *blk = &w->path[w->nr - 1].blk;
	const struct pd_disk_node *n = blk->data;
	u32 nr = pd_node_nr(n);
	int r = 0;

	if (w->frees && pd_node_is_leaf(n) && nr && v->dec) {
		r = v->dec(v->context, pd_node_value(n, 0), nr);
		w->budget -= min(w->budget, nr);
	}
	pd_bm_release(w->tree.t->bm, blk);
	w->nr--;
	if (!r && w->frees)
		r = drop_reference(w, blk->nr, &w->path[w->nr].place);
	return r;
}

/* Return: 0 done, 1 the second walk is out of budget, or an error. */
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
		/* Not before a node is left: see drop_reference(). */
		if (w->frees && !w->budget) {
			r = 1;
			break;
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
	u64 begin = 0;
	bool done = false;
	int r;

	if (t->levels != 1)
		return -EINVAL;

	r = walk_tree(&w, root);
	while (!r && !done)
		r = pd_btree_delete_step(t, root, &begin, U32_MAX, &done);
	return r;
}

int pd_btree_delete_step(const struct pd_btree *t, pd_block_t root, u64 *begin,
			 u32 max_refs, bool *done)
{
	struct walk w = {
		.tree = pd_tree_lowest(t), .frees = true, .budget = max_refs,
		.begin = *begin,
	};
	int r;

	if (t->levels != 1 || !max_refs)
		return -EINVAL;

	r = walk_tree(&w, root);
	*begin = w.begin;
	*done = !r;
	return r < 0 ? r : 0;
}
