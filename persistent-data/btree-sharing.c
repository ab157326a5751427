// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a btree to read it, with an eye on who else refers to its nodes.
 *
 *   root (count 1) ─► node (count 1) ─► leaf (count 1) ─► values: see their counts
 *                └──► node (count 2) ─► all of this is shared, all counts are 1
 *
 * I1  A shared node counts once for its children, however many parents it has.
 *     So counts tell the truth only along a path without shared nodes, and below
 *     a shared node everything is shared.
 * I2  Nothing is read from the device.
 *
 * Context: metadata lock held for reading.
 */
#include "btree-sharing.h"

#include "btree-walk.h"
#include "space-map.h"

#include <linux/errno.h>
#include <linux/minmax.h>

/* Keeps I1. */
static int note_sharing(struct pd_btree_sharing *s, pd_block_t b, bool *shared)
{
	pd_block_t nr;

	if (*shared)
		return 0;
	return pd_sm_sharing_cached(s->sm, b, b + 1, shared, &nr, &s->missing);
}

/* A failure is reported when the node's turn comes. */
static void read_ahead(const struct pd_btree *t, struct pd_btree_sharing *s,
		       const struct pd_disk_node *n, u32 i)
{
	u32 end = min(pd_node_nr(n), i + s->ahead);

	for (; i < end; i++) {
		bool shared = s->shared;

		if (!s->into_shared &&
		    (note_sharing(s, pd_node_child(n, i), &shared) || shared))
			continue;
		pd_bm_prefetch(t->bm, pd_node_child(n, i));
	}
}

static void show_leaf(const struct pd_disk_node *n, const struct pd_place *place,
		      pd_btree_leaf_fn fn, void *context)
{
	struct pd_btree_leaf l = {
		.begin = place->begin,
		.last = place->last,
		.nr = pd_node_nr(n),
		.keys = pd_node_keys(n),
		.values = pd_node_value(n, 0),
	};

	fn(context, &l);
}

int pd_btree_sharing_cached(const struct pd_btree *t, pd_block_t root, u64 key,
			    struct pd_btree_sharing *s, pd_btree_leaf_fn fn,
			    void *context)
{
	struct pd_tree tree = pd_tree_lowest(t);
	struct pd_place place = pd_place_root();
	pd_block_t b = root;

	tree.missing = &s->missing;
	for (;;) {
		const struct pd_disk_node *n;
		struct pd_block blk;
		u32 i;
		int r;

		s->last = place.last;
		r = note_sharing(s, b, &s->shared);
		if (r || (s->shared && !s->into_shared))
			return r;
		r = pd_tree_read(&tree, b, &place, &blk);
		if (r)
			return r;
		s->nr_nodes++;
		n = blk.data;
		if (pd_node_is_leaf(n)) {
			show_leaf(n, &place, fn, context);
			pd_bm_release(t->bm, &blk);
			return 0;
		}
		i = pd_tree_child_index(n, key);
		if (s->ahead)
			read_ahead(t, s, n, i);
		b = pd_node_child(n, i);
		place = pd_place_child(&place, n, i);
		pd_bm_release(t->bm, &blk);
	}
}
