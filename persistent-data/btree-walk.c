// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a tree to read it: one block is held, and the number and place
 * of the next one are copied before it is released.
 *
 *   root ─► node ─► leaf
 *
 * I1  A node is used only after pd_tree_check_place(): right kind of values,
 *     keys within what the nodes above promise, not empty below the root, not
 *     deeper than PD_BTREE_MAX_DEPTH.  So a damaged tree can neither loop nor
 *     lead one walk to the same leaf twice.
 *
 * Context: metadata lock held for reading.
 */
#include "btree-walk.h"

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
	bm_err_limit(tree->t->bm, "%s: node %llu: %s: wanted %llu, got %llu",
		     tree->t->name, b, what, wanted, got);
	return -EILSEQ;
}

int pd_tree_check_place(const struct pd_tree *tree, const struct pd_block *blk,
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

int pd_tree_check_depth(const struct pd_tree *tree, pd_block_t b,
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
	int r = pd_tree_check_depth(tree, b, place);

	if (r)
		return r;
	if (tree->missing)
		r = pd_bm_read_cached(tree->t->bm, b, &pd_btree_node_validator,
				      blk);
	else
		r = pd_bm_read(tree->t->bm, b, &pd_btree_node_validator, blk);
	if (r == -EAGAIN)
		*tree->missing = b;
	if (r)
		return r;
	r = pd_tree_check_place(tree, blk, place);
	if (r)
		pd_bm_release(tree->t->bm, blk);
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
		pd_bm_release(tree->t->bm, leaf);
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
			pd_bm_release(tree->t->bm, &leaf);
			return 0;
		}
		pd_bm_release(tree->t->bm, &leaf);
		if (place.last == U64_MAX)
			return -ENODATA;
		*key = place.last + 1;
	}
}

int pd_tree_find_lower_from(const struct pd_tree *top, pd_block_t root,
			    const u64 *keys, pd_block_t *sub)
{
	struct pd_place place;
	struct pd_block leaf;
	u32 slot;
	int r;

	*sub = root;
	if (top->t->levels == 1)
		return 0;

	r = pd_tree_find_leaf(top, root, keys[0], &leaf, &place);
	if (r)
		return r;
	if (pd_node_has_key(leaf.data, keys[0], &slot))
		*sub = pd_node_child(leaf.data, slot);
	else
		r = -ENODATA;
	pd_bm_release(top->t->bm, &leaf);
	return r;
}

int pd_tree_find_lower(const struct pd_btree *t, pd_block_t root,
		       const u64 *keys, pd_block_t *sub)
{
	struct pd_tree top = pd_tree_top(t);

	return pd_tree_find_lower_from(&top, root, keys, sub);
}
