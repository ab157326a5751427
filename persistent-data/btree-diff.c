// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * How two trees of a kind differ, without looking into what they share.
 *
 *   left:   A ──┬─ B ─┬─ C          At key k: down both sides to nodes of equal
 *               │     └─ D          height.  The same node (D): both have what is
 *   right:  A'──┴─ B' ┬─ C'         below, up to where the first of them ends;
 *                     └─ D          neighbours that are the same, too (D ...).
 *                                   Different leaves (C, C'): compare entries.
 *
 * I1  All leaves of a tree have the same depth, and a node that two trees share
 *     is a whole subtree of both: it has the same height in both.  So it is
 *     enough to compare nodes of equal height; the higher tree goes down first.
 * I2  The nodes above may promise a shared node different keys.  What both
 *     promise is compared; what only one does is looked at in the step after
 *     that, in whatever the other has there.
 * I3  Each step ends behind the key it began with, so a comparison of damaged
 *     trees ends, too.
 * I4  Nothing is remembered between steps but the key.  So the trees may change,
 *     and cost nothing while nobody looks.
 *
 * Two nodes are held at once, one of each tree.
 *
 * Context: metadata lock held for reading.
 */
#include "btree-diff.h"

#include "btree-walk.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>

/**
 * struct side - a node of one tree
 * @tree: the tree
 * @b: the node
 * @place: its place
 * @height: 1 for a leaf
 * @blk: the node, held
 */
struct side {
	struct pd_tree tree;
	pd_block_t b;
	struct pd_place place;
	u32 height;
	struct pd_block blk;
};

struct diff {
	struct pd_btree_diff *d;
	struct side left, right;
	u64 end;
};

/* ---- a side ---- */

static int hold(struct diff *df, struct side *s)
{
	const struct pd_disk_node *n;
	int r;

	r = pd_tree_read(&s->tree, s->b, &s->place, &s->blk);
	if (r)
		return r;
	df->d->nr_nodes++;
	n = s->blk.data;
	if (s->height == 1 ? pd_node_is_leaf(n) : !pd_node_is_leaf(n))
		return 0;
	/* I1 does not hold for this tree. */
	pd_bm_release(s->tree.t->bm, &s->blk);
	return pd_tree_damaged(&s->tree, s->b, "height of a leaf", 1,
			       s->height);
}

static void release(struct side *s)
{
	pd_bm_release(s->tree.t->bm, &s->blk);
}

static void enter_child(struct side *s, u32 i)
{
	const struct pd_disk_node *n = s->blk.data;

	s->b = pd_node_child(n, i);
	s->place = pd_place_child(&s->place, n, i);
	s->height--;
}

static u64 last_of_child(const struct side *s, u32 i)
{
	return pd_place_child(&s->place, s->blk.data, i).last;
}

static int go_down(struct diff *df, struct side *s, u64 key)
{
	int r = hold(df, s);

	if (r)
		return r;
	enter_child(s, pd_tree_child_index(s->blk.data, key));
	release(s);
	return 0;
}

/* Down the last path: how high is the tree, and where does it end? */
static int begin_side(struct diff *df, struct side *s,
		      const struct pd_btree *t, pd_block_t root, u64 *end)
{
	struct pd_place place = pd_place_root();
	pd_block_t b = root;
	u32 height = 0;

	s->tree = pd_tree_lowest(t);
	s->tree.missing = &df->d->missing;
	for (;;) {
		const struct pd_disk_node *n;
		struct pd_block blk;
		int r = pd_tree_read(&s->tree, b, &place, &blk);
		u32 nr;

		if (r)
			return r;
		df->d->nr_nodes++;
		height++;
		n = blk.data;
		nr = pd_node_nr(n);
		if (pd_node_is_leaf(n)) {
			*end = nr ? min(pd_node_last_key(n), U64_MAX - 1) + 1 :
				    0;
			s->b = root;
			s->place = pd_place_root();
			s->height = height;
			pd_bm_release(t->bm, &blk);
			return 0;
		}
		b = pd_node_child(n, nr - 1);
		place = pd_place_child(&place, n, nr - 1);
		pd_bm_release(t->bm, &blk);
	}
}

/* ---- comparing ---- */

/* [from, last] is of this kind; false: there is no room for more. */
static bool tell(struct diff *df, enum pd_btree_diff_kind kind, u64 last)
{
	struct pd_btree_diff *d = df->d;
	u64 end = min(last, df->end - 1) + 1;

	if (!d->fn(d->context, kind, d->from, end))
		return false;
	d->from = end;
	return true;
}

static bool are_equal(const struct pd_btree *t, const void *a, const void *b)
{
	return t->value.equal ? t->value.equal(t->value.context, a, b) :
				!memcmp(a, b, t->value.size);
}

static bool compare_leaves(struct diff *df, u64 last)
{
	const struct pd_disk_node *l = df->left.blk.data;
	const struct pd_disk_node *r = df->right.blk.data;
	const struct pd_btree *t = df->left.tree.t;
	u64 *from = &df->d->from;
	u32 i = pd_node_lower_bound(l, *from), j = pd_node_lower_bound(r, *from);

	while (i < pd_node_nr(l) || j < pd_node_nr(r)) {
		bool has_l = i < pd_node_nr(l), has_r = j < pd_node_nr(r);
		u64 kl = has_l ? pd_node_key(l, i) : U64_MAX;
		u64 kr = has_r ? pd_node_key(r, j) : U64_MAX;
		u64 key = min(kl, kr);
		enum pd_btree_diff_kind kind = PD_BTREE_SAME;

		if (key > last || key >= df->end)
			break;
		if (key > *from && !tell(df, PD_BTREE_SAME, key - 1))
			return false;
		if (kl != kr)
			kind = kl < kr ? PD_BTREE_LEFT_ONLY :
					 PD_BTREE_RIGHT_ONLY;
		else if (!are_equal(t, pd_node_value(l, i), pd_node_value(r, j)))
			kind = PD_BTREE_DIFFERENT;
		if (!tell(df, kind, key))
			return false;
		i += kl == key;
		j += kr == key;
	}
	return *from > last || *from >= df->end || tell(df, PD_BTREE_SAME, last);
}

/* One child further on the side, or the sides, whose child ends first. */
static u64 next_pair(const struct diff *df, u32 *i, u32 *j)
{
	u64 last_l = last_of_child(&df->left, *i);
	u64 last_r = last_of_child(&df->right, *j);
	u64 last = min(last_l, last_r);

	*i += last_l == last;
	*j += last_r == last;
	return last;
}

static bool is_pair(const struct diff *df, u32 i, u32 j)
{
	return i < pd_node_nr(df->left.blk.data) &&
	       j < pd_node_nr(df->right.blk.data);
}

static bool are_same_node(const struct diff *df, u32 i, u32 j)
{
	return pd_node_child(df->left.blk.data, i) ==
	       pd_node_child(df->right.blk.data, j);
}

static void read_ahead(const struct diff *df, u32 i, u32 j)
{
	struct pd_bm *bm = df->left.tree.t->bm;
	u32 nr = 0;

	while (nr < df->d->ahead && is_pair(df, i, j)) {
		if (!are_same_node(df, i, j)) {
			pd_bm_prefetch(bm, pd_node_child(df->left.blk.data, i));
			pd_bm_prefetch(bm, pd_node_child(df->right.blk.data, j));
			nr++;
		}
		next_pair(df, &i, &j);
	}
}

/* Over children that both have; if there is none, into one on each side. */
static bool skip_children(struct diff *df, bool *skipped)
{
	u32 i = pd_tree_child_index(df->left.blk.data, df->d->from);
	u32 j = pd_tree_child_index(df->right.blk.data, df->d->from);
	u64 last = 0;

	*skipped = false;
	while (is_pair(df, i, j) && are_same_node(df, i, j)) {
		last = next_pair(df, &i, &j);
		*skipped = true;
	}
	if (*skipped)
		return tell(df, PD_BTREE_SAME, last);
	if (df->d->ahead)
		read_ahead(df, i, j);
	enter_child(&df->left, i);
	enter_child(&df->right, j);
	return true;
}

static int hold_both(struct diff *df)
{
	int r = hold(df, &df->left);

	if (r)
		return r;
	r = hold(df, &df->right);
	if (r)
		release(&df->left);
	return r;
}

static void release_both(struct diff *df)
{
	release(&df->right);
	release(&df->left);
}

/* From the roots down to something that can be told about the next key. */
static int compare_next(struct diff *df, bool *room)
{
	struct side *l = &df->left, *r = &df->right;
	bool told = false;
	int err = 0;

	while (!err && !told) {
		if (l->height != r->height) {
			err = go_down(df, l->height > r->height ? l : r,
				      df->d->from);
			continue;
		}
		if (l->b == r->b) {
			*room = tell(df, PD_BTREE_SAME,
				     min(l->place.last, r->place.last));
			return 0;
		}
		err = hold_both(df);
		if (err)
			break;
		told = l->height == 1;
		if (told)
			*room = compare_leaves(df, min(l->place.last,
						       r->place.last));
		else
			*room = skip_children(df, &told);
		release_both(df);
	}
	return err;
}

int pd_btree_diff_cached(const struct pd_btree *t, pd_block_t left,
			 pd_block_t right, struct pd_btree_diff *d)
{
	struct diff df = { .d = d };
	struct side root_l, root_r;
	u64 end_l, end_r;
	bool room = true;
	u32 max_nodes;
	int r;

	r = begin_side(&df, &root_l, t, left, &end_l);
	if (!r)
		r = begin_side(&df, &root_r, t, right, &end_r);
	if (r)
		return r;
	df.end = max(end_l, end_r);
	max_nodes = d->nr_nodes + d->max_nodes;
	while (!r && room && d->from < df.end && d->nr_nodes < max_nodes) {
		df.left = root_l;
		df.right = root_r;
		r = compare_next(&df, &room);
	}
	d->done = d->from >= df.end;
	return r;
}
