// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a tree to change it: each node is shadowed, and then its new
 * number is written into the shadow above it.
 *
 *   root' ─► node' ─► leaf'
 *
 * I1  Counts are exact for whatever a *shadowed* node refers to: shadowing a
 *     node that lives on elsewhere first counts its children once more.
 *
 * Context: metadata lock held for writing.
 * Crash: a shadow never overwrites what a committed tree reaches.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#include <linux/errno.h>

int pd_tree_inc_children(const struct pd_tree *tree,
			 const struct pd_disk_node *n)
{
	const struct pd_btree_value_type *v = &tree->t->value;
	u32 i, nr = pd_node_nr(n);

	if (pd_node_is_leaf(n) && tree->lowest)
		return v->inc && nr ?
		       v->inc(v->context, pd_node_value(n, 0), nr) : 0;

	for (i = 0; i < nr; i++) {
		int r = pd_tm_inc(tree->t->tm, pd_node_child(n, i));

		if (r)
			return r;
	}
	return 0;
}

int pd_tree_shadow(const struct pd_tree *tree, pd_block_t b,
		   const struct pd_place *place, struct pd_block *blk,
		   bool *lives_on)
{
	bool inc = false;
	int r = pd_tree_check_depth(tree, b, place);

	if (r)
		return r;
	r = pd_tm_shadow(tree->t->tm, b, &pd_btree_node_validator, blk, &inc);
	if (r)
		return r;
	r = pd_tree_check_place(tree, blk, place);
	if (!r && inc)
		r = pd_tree_inc_children(tree, blk->data);
	if (r)
		pd_bm_release(tree->t->bm, blk);
	if (lives_on)
		*lives_on = inc;
	return r;
}

int pd_tree_shadow_child(const struct pd_tree *tree,
			 struct pd_disk_node *parent, u32 i,
			 const struct pd_place *place, struct pd_block *blk,
			 bool *lives_on)
{
	int r = pd_tree_shadow(tree, pd_node_child(parent, i), place, blk,
			       lives_on);

	if (!r)
		pd_node_set_child(parent, i, blk->nr);
	return r;
}

static int push_step(struct pd_spine *s, pd_block_t b, const struct pd_place *place)
{
	struct pd_step *step = &s->steps[s->nr];
	int r;

	/* What does not fit in steps[], pd_tree_shadow() would refuse. */
	if (s->nr >= PD_BTREE_MAX_DEPTH)
		return pd_tree_check_depth(s->tree, b, place);
	r = pd_tree_shadow(s->tree, b, place, &step->blk, &step->lives_on);
	if (r)
		return r;
	step->place = *place;
	s->nr++;
	return 0;
}

int pd_spine_begin(struct pd_spine *s, const struct pd_tree *tree,
		   pd_block_t *root)
{
	struct pd_place place = pd_place_root();
	int r;

	s->tree = tree;
	s->nr = 0;
	r = push_step(s, *root, &place);
	if (!r)
		*root = s->steps[0].blk.nr;
	return r;
}

int pd_spine_down(struct pd_spine *s, u32 i)
{
	struct pd_step *parent = pd_spine_last(s);
	struct pd_disk_node *n = pd_step_node(parent);
	struct pd_place place = pd_place_child(&parent->place, n, i);
	int r = push_step(s, pd_node_child(n, i), &place);

	if (r)
		return r;
	pd_node_set_child(n, i, pd_spine_last(s)->blk.nr);
	pd_spine_last(s)->index = i;
	return 0;
}

int pd_spine_to_leaf(struct pd_spine *s, u64 key)
{
	for (;;) {
		const struct pd_disk_node *n = pd_step_node(pd_spine_last(s));
		int r;

		if (pd_node_is_leaf(n))
			return 0;
		r = pd_spine_down(s, pd_tree_child_index(n, key));
		if (r)
			return r;
	}
}

void pd_spine_up(struct pd_spine *s)
{
	pd_bm_release(s->tree->t->bm, &pd_spine_last(s)->blk);
	s->nr--;
}

void pd_spine_end(struct pd_spine *s)
{
	while (s->nr)
		pd_spine_up(s);
}

/* Shadow the top-level path; on success only the leaf stays held. */
static int begin_below_top(struct pd_lower *l, pd_block_t *root, u64 key)
{
	struct pd_tree top = pd_tree_top(l->t);
	struct pd_place place = pd_place_root();
	struct pd_block cur, child;
	int r = pd_tree_shadow(&top, *root, &place, &cur, NULL);
	u32 i;

	if (r)
		return r;
	*root = cur.nr;

	while (!pd_node_is_leaf(cur.data)) {
		i = pd_tree_child_index(cur.data, key);
		place = pd_place_child(&place, cur.data, i);
		r = pd_tree_shadow_child(&top, cur.data, i, &place, &child,
					 NULL);
		pd_bm_release(l->t->bm, &cur);
		if (r)
			return r;
		cur = child;
	}
	if (!pd_node_has_key(cur.data, key, &l->slot)) {
		pd_bm_release(l->t->bm, &cur);
		return -ENODATA;
	}
	l->leaf = cur;
	l->sub = pd_node_child(cur.data, l->slot);
	return 0;
}

int pd_lower_begin(const struct pd_btree *t, pd_block_t *root, const u64 *keys,
		   struct pd_lower *l)
{
	pd_block_t sub;
	int r;

	l->t = t;
	l->tree = pd_tree_lowest(t);
	l->root = root;
	if (t->levels == 1)
		return 0;

	/* Check that it is there before changing anything. */
	r = pd_tree_find_lower(t, *root, keys, &sub);
	if (r)
		return r;
	l->root = &l->sub;
	return begin_below_top(l, root, keys[0]);
}

void pd_lower_end(struct pd_lower *l)
{
	if (l->t->levels == 1)
		return;
	pd_node_set_child(l->leaf.data, l->slot, l->sub);
	pd_bm_release(l->t->bm, &l->leaf);
}
