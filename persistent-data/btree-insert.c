// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Puts values into a btree: inserted, overwritten, or edited in place.
 *
 * One walk from the root to a leaf, everything on the way shadowed.  A full
 * node is dealt with *before* it is entered, while its parent, which is not
 * full, is still held:
 *
 *   (a) the left sibling is unshared and has room: entries go there
 *   (b) likewise with the right sibling
 *   (c) else the node is split in two and the parent gains an entry
 *   (d) a full root is split beneath itself: it keeps its block and becomes
 *       the parent of two new nodes
 *
 *     (a)  [A B . .][C D E F]  ->  [A B C .][D E F .]
 *     (c)  [C D E F]           ->  [C D . .][E F . .]
 *     (c') [C D E F] + G       ->  [C D E .][F . . .] + G
 *
 * Keys that arrive in order always find the last node of their range full, with
 * none of its keys after the new one.  Then (a) fills the sibling completely
 * and (c') splits as far right as the minimum allows, so that the nodes left
 * behind end up full.
 *
 * A full leaf is left as it is when the key is already in it.
 *
 * I1  A node entered has a free slot, unless it is a leaf with the key in it;
 *     so every split finds room in the parent.
 * I2  Both nodes of (a), (b) and (c) keep at least max_entries / 3 entries,
 *     and the one the key belongs in has a free slot.
 * I3  Parent keys stay lower bounds: a key below key 0 lowers it on descent.
 * I4  At most four blocks of a level are held: parent, node, sibling, and the
 *     new node.
 *
 * Context: metadata lock held for writing; may sleep.
 * Rejected: splitting bottom-up, which would hold the whole path.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

/* One walk down: where it has got to. */
struct descent {
	const struct pd_tree *tree;
	u64 key;
	struct pd_block parent;
	struct pd_place parent_place;
	struct pd_block node;		/* child @i of parent */
	struct pd_place place;
	u32 i;
};

static void release_node(const struct pd_tree *tree, struct pd_block *blk)
{
	pd_bm_release(tree->t->bm, blk);
}

static int new_node(const struct pd_tree *tree, u32 flags, u32 max_entries,
		    u32 value_size, struct pd_block *blk)
{
	int r = pd_tm_new_block(tree->t->tm, &pd_btree_node_validator, blk);

	if (!r)
		pd_node_init(blk->data, flags, max_entries, value_size);
	return r;
}

static int new_sibling(const struct pd_tree *tree, const struct pd_disk_node *n,
		       struct pd_block *blk)
{
	return new_node(tree, le32_to_cpu(n->header.flags), pd_node_max(n),
			pd_node_value_size(n), blk);
}

static int empty_tree(const struct pd_tree *tree, pd_block_t *root)
{
	struct pd_block blk;
	int r = new_node(tree, PD_NODE_LEAF,
			 pd_tree_max_entries(tree, tree->value_size),
			 tree->value_size, &blk);

	if (r)
		return r;
	*root = blk.nr;
	release_node(tree, &blk);
	return 0;
}

int pd_btree_empty(const struct pd_btree *t, pd_block_t *root)
{
	struct pd_tree tree = t->levels == 1 ? pd_tree_lowest(t) :
					       pd_tree_top(t);

	return empty_tree(&tree, root);
}

static bool needs_room(const struct pd_disk_node *n, u64 key)
{
	u32 i;

	return pd_node_is_full(n) &&
	       !(pd_node_is_leaf(n) && pd_node_has_key(n, key, &i));
}

/* Is @key after everything in the node? */
static bool is_append(const struct pd_disk_node *n, u64 key)
{
	return key > pd_node_last_key(n);
}

/* How many entries stay in the left part of a split (I2). */
static u32 split_point(const struct pd_disk_node *n, u64 key)
{
	u32 nr = pd_node_nr(n);

	return is_append(n, key) ? nr - pd_node_min(n) : nr / 2;
}

/* Fewest free slots that make a sibling worth changing. */
static u32 worthwhile(const struct pd_disk_node *n)
{
	return max_t(u32, 2, pd_node_max(n) / 32);
}

/*
 * Shadow sibling @j of the full node if it can take entries.
 * Return: 1 held, 0 of no use, or an error.
 */
static int open_sibling(struct descent *d, u32 j, struct pd_block *sibling)
{
	const struct pd_tree *tree = d->tree;
	struct pd_disk_node *parent = d->parent.data;
	struct pd_place place = pd_place_child(&d->parent_place, parent, j);
	pd_block_t b = pd_node_child(parent, j);
	bool fits;
	u32 count;
	int r = pd_tm_get_count(tree->t->tm, b, &count);

	if (r || count != 1)
		return r;

	r = pd_tree_read(tree, b, &place, sibling);
	if (r)
		return r;
	if (!pd_node_same_shape(d->node.data, sibling->data))
		r = pd_tree_damaged(tree, b, "max_entries of siblings",
				    pd_node_max(d->node.data),
				    pd_node_max(sibling->data));
	fits = pd_node_nr(sibling->data) + worthwhile(sibling->data) <=
	       pd_node_max(sibling->data);
	release_node(tree, sibling);
	if (r || !fits)
		return r;

	r = pd_tree_shadow_child(tree, parent, j, &place, sibling, NULL);
	return r ? r : 1;
}

/* Make @sibling, child @j, the node the walk continues with. */
static void switch_to(struct descent *d, u32 j, struct pd_block *sibling)
{
	release_node(d->tree, &d->node);
	d->node = *sibling;
	d->i = j;
}

/* Case (a).  Return: 1 done, 0 not possible, or an error. */
static int give_left(struct descent *d)
{
	struct pd_disk_node *n = d->node.data, *left;
	struct pd_block sibling;
	u32 nr;
	int r;

	if (!d->i)
		return 0;
	r = open_sibling(d, d->i - 1, &sibling);
	if (r <= 0)
		return r;

	left = sibling.data;
	nr = is_append(n, d->key) ?
		min(pd_node_max(left) - pd_node_nr(left),
		    pd_node_nr(n) - pd_node_min(n)) :
		(pd_node_nr(n) - pd_node_nr(left)) / 2;
	pd_node_shift_left(left, n, nr);
	pd_node_set_key(d->parent.data, d->i, pd_node_key(n, 0));

	if (d->key < pd_node_key(n, 0))
		switch_to(d, d->i - 1, &sibling);
	else
		release_node(d->tree, &sibling);
	return 1;
}

/* Case (b). */
static int give_right(struct descent *d)
{
	struct pd_disk_node *n = d->node.data, *right;
	struct pd_block sibling;
	int r;

	if (d->i + 1 >= pd_node_nr(d->parent.data))
		return 0;
	r = open_sibling(d, d->i + 1, &sibling);
	if (r <= 0)
		return r;

	right = sibling.data;
	pd_node_shift_right(n, right, (pd_node_nr(n) - pd_node_nr(right)) / 2);
	pd_node_set_key(d->parent.data, d->i + 1, pd_node_key(right, 0));

	if (d->key >= pd_node_key(right, 0))
		switch_to(d, d->i + 1, &sibling);
	else
		release_node(d->tree, &sibling);
	return 1;
}

/* Case (c); the parent has a free slot (I1). */
static int split_node(struct descent *d)
{
	struct pd_disk_node *n = d->node.data;
	u32 keep = split_point(n, d->key);
	struct pd_block sibling;
	u64 key;
	int r = new_sibling(d->tree, n, &sibling);

	if (r)
		return r;
	pd_node_shift_right(n, sibling.data, pd_node_nr(n) - keep);
	key = pd_node_key(sibling.data, 0);
	pd_node_put_child(d->parent.data, d->i + 1, key, sibling.nr);

	if (d->key >= key)
		switch_to(d, d->i + 1, &sibling);
	else
		release_node(d->tree, &sibling);
	return 0;
}

static int make_room(struct descent *d)
{
	int r = give_left(d);

	if (!r)
		r = give_right(d);
	if (!r)
		r = split_node(d);
	return r < 0 ? r : 0;
}

/* Case (d): d->node is the root. */
static int split_root(struct descent *d)
{
	const struct pd_tree *tree = d->tree;
	struct pd_disk_node *root = d->node.data;
	u32 keep = split_point(root, d->key);
	struct pd_block left, right;
	int r = new_sibling(tree, root, &left);

	if (r)
		return r;
	r = new_sibling(tree, root, &right);
	if (r)
		goto out_release_left;

	pd_node_shift_right(root, right.data, pd_node_nr(root) - keep);
	pd_node_shift_left(left.data, root, keep);
	pd_node_init(root, PD_NODE_INTERNAL,
		     pd_tree_max_entries(tree, sizeof(__le64)), sizeof(__le64));
	pd_node_put_child(root, 0, pd_node_key(left.data, 0), left.nr);
	pd_node_put_child(root, 1, pd_node_key(right.data, 0), right.nr);
	release_node(tree, &right);
out_release_left:
	release_node(tree, &left);
	return r;
}

/* From d->node, an internal node, to the child that covers d->key. */
static int step_down(struct descent *d)
{
	struct pd_disk_node *n = d->node.data;
	int r;

	if (d->key < pd_node_key(n, 0))
		pd_node_set_key(n, 0, d->key);	/* I3 */

	d->parent = d->node;
	d->parent_place = d->place;
	d->i = pd_tree_child_index(n, d->key);
	d->place = pd_place_child(&d->parent_place, n, d->i);
	r = pd_tree_shadow_child(d->tree, n, d->i, &d->place, &d->node, NULL);
	if (r)
		goto out_release_parent;

	if (needs_room(d->node.data, d->key)) {
		r = make_room(d);
		if (r)
			release_node(d->tree, &d->node);
		else
			d->place = pd_place_child(&d->parent_place, n, d->i);
	}
out_release_parent:
	release_node(d->tree, &d->parent);
	return r;
}

/*
 * Hold the leaf that covers @key, shadowed and, unless it has the key, with a
 * free slot.
 */
static int descend_to_leaf(const struct pd_tree *tree, pd_block_t *root, u64 key,
			   struct pd_block *leaf, struct pd_place *place)
{
	struct descent d = {
		.tree = tree, .key = key, .place = pd_place_root(),
	};
	int r = pd_tree_shadow(tree, *root, &d.place, &d.node, NULL);

	if (r)
		return r;
	*root = d.node.nr;

	if (needs_room(d.node.data, key)) {
		r = split_root(&d);
		if (r) {
			release_node(tree, &d.node);
			return r;
		}
	}
	while (!pd_node_is_leaf(d.node.data)) {
		r = step_down(&d);
		if (r)
			return r;
	}
	*leaf = d.node;
	*place = d.place;
	return 0;
}

/* A run of values being inserted. */
struct run {
	u64 key;		/* of the first */
	const void *values;
	u32 nr;
	u32 nr_inserted;
};

static const void *run_value(const struct run *run, u64 key, u32 value_size)
{
	return (const char *)run->values + (key - run->key) * value_size;
}

/* The run's values replace those of entries [begin, end) of @n. */
static int dec_replaced(const struct pd_tree *tree,
			const struct pd_disk_node *n, u32 begin, u32 end,
			const struct run *run)
{
	const struct pd_btree_value_type *v = &tree->t->value;
	u32 i, start = begin;
	int r = 0;

	if (!tree->lowest || !v->dec)
		return 0;

	for (i = begin; i < end && !r; i++) {
		const void *new = run_value(run, pd_node_key(n, i), v->size);

		if (!v->equal ||
		    !v->equal(v->context, pd_node_value(n, i), new))
			continue;
		if (start < i)
			r = v->dec(v->context, pd_node_value(n, start),
				   i - start);
		start = i + 1;
	}
	if (!r && start < end)
		r = v->dec(v->context, pd_node_value(n, start), end - start);
	return r;
}

/*
 * Put as much of the run into the leaf as belongs there and fits, at least one
 * value: the existing entries [begin, end) become @nr entries.
 */
static int put_run_in_leaf(const struct pd_tree *tree, struct pd_disk_node *n,
			   u64 last, struct run *run)
{
	u32 room = pd_node_max(n) - pd_node_nr(n);
	u32 begin = pd_node_lower_bound(n, run->key), end = begin;
	u32 i, nr, limit = run->nr;
	int r;

	if (limit - 1 > last - run->key)
		limit = last - run->key + 1;
	for (nr = 0; nr < limit; nr++) {
		if (end < pd_node_nr(n) &&
		    pd_node_key(n, end) == run->key + nr)
			end++;
		else if (room)
			room--;
		else
			break;
	}

	r = dec_replaced(tree, n, begin, end, run);
	if (r)
		return r;

	pd_node_open_gap(n, end, nr - (end - begin));
	for (i = 0; i < nr; i++)
		pd_node_set_key(n, begin + i, run->key + i);
	memcpy(pd_node_value(n, begin), run->values,
	       (size_t)nr * tree->value_size);

	run->nr_inserted += nr - (end - begin);
	run->values = run_value(run, run->key + nr, tree->value_size);
	run->key += nr;
	run->nr -= nr;
	return 0;
}

static int insert_run(const struct pd_tree *tree, pd_block_t *root,
		      struct run *run)
{
	while (run->nr) {
		struct pd_place place;
		struct pd_block leaf;
		int r = descend_to_leaf(tree, root, run->key, &leaf, &place);

		if (r)
			return r;
		r = put_run_in_leaf(tree, leaf.data, place.last, run);
		release_node(tree, &leaf);
		if (r)
			return r;
	}
	return 0;
}

/* Like pd_lower_begin(), but creates the tree if it is missing. */
static int create_lower(const struct pd_btree *t, pd_block_t *root,
			const u64 *keys, struct pd_lower *l)
{
	struct pd_tree top = pd_tree_top(t);
	struct pd_place place;
	struct pd_disk_node *n;
	u32 i;
	int r = descend_to_leaf(&top, root, keys[0], &l->leaf, &place);

	if (r)
		return r;
	n = l->leaf.data;
	if (pd_node_has_key(n, keys[0], &l->slot)) {
		l->sub = pd_node_child(n, l->slot);
		return 0;
	}

	r = empty_tree(&l->tree, &l->sub);
	if (r) {
		release_node(&top, &l->leaf);
		return r;
	}
	i = pd_node_lower_bound(n, keys[0]);
	pd_node_put_child(n, i, keys[0], l->sub);
	l->slot = i;
	return 0;
}

int pd_btree_insert_run(const struct pd_btree *t, pd_block_t *root,
			const u64 *keys, const void *values, u32 nr,
			u32 *nr_inserted)
{
	struct pd_lower l = {
		.t = t, .tree = pd_tree_lowest(t), .root = root,
	};
	struct run run = {
		.key = keys[t->levels - 1], .values = values, .nr = nr,
	};
	int r;

	*nr_inserted = 0;
	if (!nr || nr - 1 > U64_MAX - run.key)
		return -EINVAL;

	if (t->levels > 1) {
		r = create_lower(t, root, keys, &l);
		if (r)
			return r;
		l.root = &l.sub;
	}
	r = insert_run(&l.tree, l.root, &run);
	pd_lower_end(&l);
	*nr_inserted = run.nr_inserted;
	return r;
}

int pd_btree_insert(const struct pd_btree *t, pd_block_t *root,
		    const u64 *keys, const void *value, bool *inserted)
{
	u32 nr;
	int r = pd_btree_insert_run(t, root, keys, value, 1, &nr);

	if (inserted)
		*inserted = nr;
	return r;
}

/* Pass the entries of one leaf that lie in [key, last] to @fn. */
static int update_leaf(const struct pd_tree *tree, pd_block_t *root,
		       u64 *key, u64 last, pd_btree_update_fn fn, void *context)
{
	struct pd_spine s;
	struct pd_step *step;
	struct pd_disk_node *n;
	u32 i;
	int r = pd_spine_begin(&s, tree, root);

	if (r)
		return r;
	r = pd_spine_to_leaf(&s, *key);
	if (r)
		goto out_end_spine;

	step = pd_spine_last(&s);
	n = pd_step_node(step);
	for (i = pd_node_lower_bound(n, *key); i < pd_node_nr(n); i++) {
		if (pd_node_key(n, i) > last)
			break;
		r = fn(context, pd_node_key(n, i), pd_node_value(n, i));
		if (r < 0)
			goto out_end_spine;
	}
	r = 0;
	*key = step->place.last;
out_end_spine:
	pd_spine_end(&s);
	return r;
}

static int update_tree(const struct pd_tree *tree, pd_block_t *root, u64 key,
		       u64 last, pd_btree_update_fn fn, void *context)
{
	for (;;) {
		int r = update_leaf(tree, root, &key, last, fn, context);

		if (r || key >= last)
			return r;
		key++;
		r = pd_tree_next_key(tree, *root, &key);
		if (r || key > last)
			return r == -ENODATA ? 0 : r;
	}
}

int pd_btree_update(const struct pd_btree *t, pd_block_t *root,
		    const u64 *keys, u32 nr, pd_btree_update_fn fn,
		    void *context)
{
	u64 first = keys[t->levels - 1], last = first + nr - 1;
	struct pd_tree tree = pd_tree_lowest(t);
	struct pd_lower l;
	pd_block_t sub;
	int r;

	if (!nr || nr - 1 > U64_MAX - first)
		return -EINVAL;

	/* Nothing is shadowed if nothing is there. */
	r = pd_tree_find_lower(t, *root, keys, &sub);
	if (r)
		return r;
	r = pd_tree_next_key(&tree, sub, &first);
	if (r || first > last)
		return r == -ENODATA ? 0 : r;

	r = pd_lower_begin(t, root, keys, &l);
	if (r)
		return r;
	r = update_tree(&l.tree, l.root, first, last, fn, context);
	pd_lower_end(&l);
	return r;
}
