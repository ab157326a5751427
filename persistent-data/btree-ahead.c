// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reads ahead what a change of a tree will read, so that the change, with the
 * metadata lock held for writing, does not wait for the device.
 *
 *   root ─► node ─► leaf ─► values ─► bitmaps that count data blocks
 *     └───────┴──────┴─────► bitmaps that count nodes
 *
 * I1  Nothing is read here: a block that is not cached is asked for, and the walk
 *     goes on where it is known how.  So all leaves below a node are asked for at
 *     once.
 * I2  It is a guess: what is wrong with it, or changes until the change is made,
 *     costs reads under the lock, nothing else.
 * I3  Copying a node that lives on elsewhere counts everything it refers to.
 *
 * Context: metadata lock held for reading.
 */
#include "btree-ahead.h"

#include "btree-walk.h"
#include "space-map-common.h"
#include "transaction-manager.h"

#include <linux/limits.h>
#include <linux/minmax.h>

static void is_missing(struct pd_bm *bm, pd_block_t b, struct pd_ahead *missing)
{
	pd_bm_prefetch(bm, b);
	missing->nr++;
	missing->last = b;
}

static void ask_for(struct pd_bm *bm, pd_block_t b,
		    const struct pd_validator *v, struct pd_ahead *missing)
{
	struct pd_block blk;
	int r = pd_bm_read_cached(bm, b, v, &blk);

	if (r == -EAGAIN)
		is_missing(bm, b, missing);
	else if (!r)
		pd_bm_release(bm, &blk);
}

void pd_sm_read_ahead(struct pd_sm *sm, pd_block_t begin, pd_block_t end,
		      struct pd_ahead *missing)
{
	u32 i, last, e;

	end = min(end, sm->nr_blocks);
	if (begin >= end)
		return;
	last = pd_sm_index_of(end - 1, &e);
	for (i = pd_sm_index_of(begin, &e); i <= last; i++)
		if (!pd_sm_is_marked(&sm->touched[sm->open], i))
			ask_for(sm->bm, sm->bitmaps[i].blocknr,
				&pd_sm_bitmap_validator, missing);
}

/* One walk down. */
struct walk {
	struct pd_btree_ahead *a;
	struct pd_tree tree;
	struct pd_block leaf;
	struct pd_place place;
	bool shared;		/* a node on the way lives on elsewhere */
	u64 next;		/* where to go on; 0: nowhere */
};

static struct pd_sm *nodes_of(const struct walk *w)
{
	return w->tree.t->tm->sm;
}

/* As far as it can be told from what is cached. */
static bool is_shared(struct walk *w, pd_block_t b)
{
	u32 nr = w->a->missing.nr;
	bool shared;

	pd_sm_read_ahead(nodes_of(w), b, b + 1, &w->a->missing);
	return w->a->missing.nr == nr &&
	       !pd_sm_is_shared(nodes_of(w), b, &shared) && shared;
}

/* What copying internal node @n counts, or dropping it reads. */
static void look_at_children(struct walk *w, const struct pd_disk_node *n)
{
	bool whole = w->tree.lowest && w->a->removal &&
		     w->place.first >= w->a->begin &&
		     w->place.last <= w->a->last;
	u32 i;

	for (i = 0; i < pd_node_nr(n); i++) {
		pd_block_t b = pd_node_child(n, i);

		pd_sm_read_ahead(nodes_of(w), b, b + 1, &w->a->missing);
		if (whole)
			ask_for(w->tree.t->bm, b, &pd_btree_node_validator,
				&w->a->missing);
	}
}

/* The child to go on with; -1 if there is none. */
static int choose_child(struct walk *w, const struct pd_disk_node *n, u64 key)
{
	u32 i = pd_tree_child_index(n, key);

	if (w->a->own_only && w->tree.lowest)
		while (i < pd_node_nr(n) && is_shared(w, pd_node_child(n, i)))
			i++;
	return i < pd_node_nr(n) ? i : -1;
}

/* Return: w->leaf is held and covers @key, or is the next one worth a look. */
static bool walk_down(struct walk *w, pd_block_t b, u64 key)
{
	w->place = pd_place_root();
	for (;;) {
		const struct pd_disk_node *n;
		pd_block_t missing;
		int r, i;

		w->next = w->place.last + 1;
		w->shared |= is_shared(w, b);
		w->tree.missing = &missing;
		r = pd_tree_read(&w->tree, b, &w->place, &w->leaf);
		if (r == -EAGAIN)
			is_missing(w->tree.t->bm, b, &w->a->missing);
		if (r)
			return false;
		n = w->leaf.data;
		if (pd_node_is_leaf(n))
			return true;
		if (w->shared && !w->a->own_only)
			look_at_children(w, n);
		i = choose_child(w, n, key);
		if (i >= 0) {
			b = pd_node_child(n, i);
			w->place = pd_place_child(&w->place, n, i);
		}
		pd_bm_release(w->tree.t->bm, &w->leaf);
		if (i < 0)
			return false;
	}
}

/* All values if the leaf will be copied and lives on; else those of the range. */
static void look_at_values(struct walk *w)
{
	const struct pd_disk_node *n = w->leaf.data;
	struct pd_btree_ahead *a = w->a;
	u32 begin = 0, end = pd_node_nr(n);

	if (!end)
		return;
	if (w->shared && a->removal && pd_node_key(n, 0) >= a->begin &&
	    pd_node_last_key(n) <= a->last)
		return;			/* it is dropped as it is */
	if (!w->shared) {
		begin = pd_node_lower_bound(n, a->begin);
		end = pd_node_find(n, a->last) + 1;
	}
	if (begin < end && a->values)
		a->values(a->context, pd_node_value(n, begin), end - begin,
			  &a->missing);
}

/* The root of the lowest-level tree. */
static bool find_root(struct pd_btree_ahead *a, const struct pd_btree *t,
		      pd_block_t *root, const u64 *keys, bool *shared)
{
	struct walk w = { .a = a, .tree = pd_tree_top(t) };
	bool found;
	u32 i;

	if (t->levels == 1)
		return true;
	if (!walk_down(&w, *root, keys[0]))
		return false;
	found = pd_node_has_key(w.leaf.data, keys[0], &i);
	if (found)
		*root = pd_node_child(w.leaf.data, i);
	if (w.shared)
		look_at_children(&w, w.leaf.data);
	pd_bm_release(t->bm, &w.leaf);
	*shared = w.shared;
	return found;
}

void pd_btree_read_ahead(const struct pd_btree *t, pd_block_t root,
			 const u64 *keys, struct pd_btree_ahead *a)
{
	struct walk w = { .a = a };
	bool shared = false;
	u64 key = a->begin, before = 0;
	u32 nr;

	a->missing.nr = 0;
	if (!find_root(a, t, &root, keys, &shared))
		return;
	for (nr = 0; nr < a->max_leaves; nr++) {
		w.tree = pd_tree_lowest(t);
		w.shared = shared;
		if (walk_down(&w, root, key)) {
			look_at_values(&w);
			if (!nr)
				before = w.place.begin;
			pd_bm_release(t->bm, &w.leaf);
		}
		/* With a removal, the leaf behind as well. */
		if (!w.next || key > a->last || (!a->removal && w.next > a->last))
			break;
		key = w.next;
	}
	w.shared = shared;
	if (a->removal && before && walk_down(&w, root, before - 1)) {
		look_at_values(&w);
		pd_bm_release(t->bm, &w.leaf);
	}
}
