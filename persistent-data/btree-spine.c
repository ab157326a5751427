// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The ways down a tree.
 *
 *   reading:   root ─► node ─► leaf      one block held, the next one's number
 *                                        and place copied before letting go
 *   changing:  root'─► node'─► leaf'     each node shadowed, then its number
 *                                        written into the shadow above it
 *
 * I1  A node is used only after check_place(): the right kind of values, keys
 *     inside what the nodes above promise, not empty below the root, not
 *     deeper than PD_BTREE_MAX_DEPTH.  So a damaged tree can neither loop nor
 *     lead one walk to the same leaf twice.
 * I2  Counts are exact for whatever a *shadowed* node refers to: shadowing a
 *     node that lives on elsewhere first counts its children once more.
 *
 * Context: metadata lock held; for writing where something is shadowed.
 * Crash: a shadow never overwrites what a committed tree reaches.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#define DM_MSG_PREFIX "thinx"
#include <linux/device-mapper.h>
#include <linux/errno.h>
#include <linux/limits.h>

struct pd_tree pd_tree_top(const struct pd_btree *t)
{
	return (struct pd_tree) {
		.t = t, .value_size = sizeof(__le64), .lowest = false,
	};
}

struct pd_tree pd_tree_lowest(const struct pd_btree *t)
{
	return (struct pd_tree) {
		.t = t, .value_size = t->value.size, .lowest = true,
	};
}

struct pd_place pd_place_root(void)
{
	return (struct pd_place) { .begin = 0, .last = U64_MAX };
}

struct pd_place pd_place_child(const struct pd_place *place,
			       const struct pd_disk_node *n, u32 i)
{
	u64 key = pd_node_key(n, i);

	return (struct pd_place) {
		.begin = i ? key : place->begin,
		.last = i + 1 < pd_node_nr(n) ? pd_node_key(n, i + 1) - 1 :
						place->last,
		.first = key,
		.depth = place->depth + 1,
	};
}

u32 pd_tree_child_index(const struct pd_disk_node *n, u64 key)
{
	int i = pd_node_find(n, key);

	return i < 0 ? 0 : i;
}

int pd_tree_damaged(const struct pd_tree *tree, pd_block_t b, const char *what,
		    u64 wanted, u64 got)
{
	DMERR_LIMIT("%s: %s: node %llu: %s: wanted %llu, got %llu",
		    pd_bm_name(pd_tm_bm(tree->t->tm)), tree->t->name,
		    (unsigned long long)b, what, (unsigned long long)wanted,
		    (unsigned long long)got);
	return -EILSEQ;
}

static int check_place(const struct pd_tree *tree, const struct pd_block *blk,
		       const struct pd_place *place)
{
	const struct pd_disk_node *n = blk->data;
	u32 nr = pd_node_nr(n);

	if (pd_node_is_leaf(n) && pd_node_value_size(n) != tree->value_size)
		return pd_tree_damaged(tree, blk->nr, "value size",
				       tree->value_size, pd_node_value_size(n));
	if (!nr) {
		if (pd_node_is_leaf(n) && !place->depth)
			return 0;
		return pd_tree_damaged(tree, blk->nr, "entries", 1, 0);
	}
	if (pd_node_key(n, 0) < place->first)
		return pd_tree_damaged(tree, blk->nr, "first key",
				       place->first, pd_node_key(n, 0));
	if (pd_node_last_key(n) > place->last)
		return pd_tree_damaged(tree, blk->nr, "last key",
				       place->last, pd_node_last_key(n));
	return 0;
}

static int check_depth(const struct pd_tree *tree, pd_block_t b,
		       const struct pd_place *place)
{
	if (place->depth < PD_BTREE_MAX_DEPTH)
		return 0;
	return pd_tree_damaged(tree, b, "depth", PD_BTREE_MAX_DEPTH - 1,
			       place->depth);
}

int pd_tree_read(const struct pd_tree *tree, pd_block_t b,
		 const struct pd_place *place, struct pd_block *blk)
{
	int r = check_depth(tree, b, place);

	if (r)
		return r;
	r = pd_tm_read(tree->t->tm, b, &pd_btree_node_validator, blk);
	if (r)
		return r;
	r = check_place(tree, blk, place);
	if (r)
		pd_tm_release(tree->t->tm, blk);
	return r;
}

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
	int r = check_depth(tree, b, place);

	if (r)
		return r;
	r = pd_tm_shadow(tree->t->tm, b, &pd_btree_node_validator, blk, &inc);
	if (r)
		return r;
	r = check_place(tree, blk, place);
	if (!r && inc)
		r = pd_tree_inc_children(tree, blk->data);
	if (r)
		pd_tm_release(tree->t->tm, blk);
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

u32 pd_tree_max_entries(const struct pd_tree *tree, u32 value_size)
{
	u32 fit = pd_node_capacity(value_size);
	u32 wanted = tree->t->max_entries;

	return wanted && wanted < fit ? wanted : fit;
}

int pd_tree_find_leaf(const struct pd_tree *tree, pd_block_t root, u64 key,
		      struct pd_block *leaf, struct pd_place *place)
{
	pd_block_t b = root;

	*place = pd_place_root();
	for (;;) {
		const struct pd_disk_node *n;
		int r = pd_tree_read(tree, b, place, leaf);
		u32 i;

		if (r)
			return r;
		n = leaf->data;
		if (pd_node_is_leaf(n))
			return 0;
		i = pd_tree_child_index(n, key);
		b = pd_node_child(n, i);
		*place = pd_place_child(place, n, i);
		pd_tm_release(tree->t->tm, leaf);
	}
}

int pd_tree_next_key(const struct pd_tree *tree, pd_block_t root, u64 *key)
{
	for (;;) {
		struct pd_place place;
		struct pd_block leaf;
		int r = pd_tree_find_leaf(tree, root, *key, &leaf, &place);
		u32 i;

		if (r)
			return r;
		i = pd_node_lower_bound(leaf.data, *key);
		if (i < pd_node_nr(leaf.data)) {
			*key = pd_node_key(leaf.data, i);
			pd_tm_release(tree->t->tm, &leaf);
			return 0;
		}
		pd_tm_release(tree->t->tm, &leaf);
		if (place.last == U64_MAX)
			return -ENODATA;
		*key = place.last + 1;
	}
}

int pd_tree_find_lower(const struct pd_btree *t, pd_block_t root,
		       const u64 *keys, pd_block_t *sub)
{
	struct pd_tree top = pd_tree_top(t);
	struct pd_place place;
	struct pd_block leaf;
	u32 slot;
	int r;

	*sub = root;
	if (t->levels == 1)
		return 0;

	r = pd_tree_find_leaf(&top, root, keys[0], &leaf, &place);
	if (r)
		return r;
	if (pd_node_has_key(leaf.data, keys[0], &slot))
		*sub = pd_node_child(leaf.data, slot);
	else
		r = -ENODATA;
	pd_tm_release(t->tm, &leaf);
	return r;
}

static int push(struct pd_spine *s, pd_block_t b, const struct pd_place *place)
{
	struct pd_step *step = &s->steps[s->nr];
	int r;

	/* pd_tree_shadow() refuses what does not fit steps[]. */
	if (s->nr >= PD_BTREE_MAX_DEPTH)
		return check_depth(s->tree, b, place);
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
	r = push(s, *root, &place);
	if (!r)
		*root = s->steps[0].blk.nr;
	return r;
}

int pd_spine_down(struct pd_spine *s, u32 i)
{
	struct pd_step *parent = pd_spine_last(s);
	struct pd_disk_node *n = pd_step_node(parent);
	struct pd_place place = pd_place_child(&parent->place, n, i);
	int r = push(s, pd_node_child(n, i), &place);

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
	pd_tm_release(s->tree->t->tm, &pd_spine_last(s)->blk);
	s->nr--;
}

void pd_spine_end(struct pd_spine *s)
{
	while (s->nr)
		pd_spine_up(s);
}

/* Shadow the top-level path; on success the leaf alone stays held. */
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
		pd_tm_release(l->t->tm, &cur);
		if (r)
			return r;
		cur = child;
	}
	if (!pd_node_has_key(cur.data, key, &l->slot)) {
		pd_tm_release(l->t->tm, &cur);
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

	/* Find out without changing anything whether it is there. */
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
	pd_tm_release(l->t->tm, &l->leaf);
}
