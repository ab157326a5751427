// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Removes entries from a btree: one, or a range in small steps.
 *
 * Every change happens at the end of a spine of shadowed nodes.  Afterwards
 * the spine is mended from the bottom up; at each node below the root:
 *
 *   (a) enough entries          stop, nothing above can have changed
 *   (b) none                    its entry leaves the parent, its block is freed
 *   (c) it and a neighbour fit  the neighbour's entries move over, the
 *       one node                neighbour's entry leaves the parent
 *   (d) they do not fit         both get half of the entries
 *
 *     (c)  [A][B C D . .]      ->  [A B C D .]
 *     (d)  [A][B C D E F]      ->  [A B C][D E F]
 *
 * and finally at the root, which keeps its block:
 *
 *   (e) internal, no entry      becomes an empty leaf
 *   (f) internal, one entry     takes over the child's content
 *
 * A neighbour is any sibling under the same parent, preferably one that lives
 * only in this tree.  (c) never copies it: its entries are read, and what they
 * refer to is counted once more if it lives on elsewhere.
 *
 * A step of a range removal finds the first entry left, walks down to it, and
 * does the largest of these as soon as it can:
 *
 *   (r) root is the leaf, or the leaf is only partly inside: cut a slice
 *   (s) leaves wholly inside: they leave their parent, a few at a time; one
 *       that lives on elsewhere is not even copied
 *   (t) parent of leaves, wholly inside, living on elsewhere: leaves its
 *       parent, after its leaves' entries are counted
 *
 *   spine:  root' ── node' ── parent'        [ l l|l l l l|l ]
 *                                                 '--(s)--'
 *
 * If only leaves of this tree alone are to go, a step looks for one of them by
 * counts, without reading what is shared, and then does (s).
 *
 * I1  Between steps every node but the root has max_entries / 3 entries.
 * I2  The last node of a spine may have any number of entries, down to none;
 *     its siblings, and those of all nodes above, obey I1.
 * I3  Counts are queried only below shadowed nodes, where they are exact.
 * I4  A parent keeps the keys of the children it keeps: after removals they
 *     may be lower than necessary, which is allowed.
 * I5  At most PD_BTREE_MAX_DEPTH + 3 blocks are held: the spine, a top-level
 *     leaf, and two neighbours.
 *
 * Context: metadata lock held for writing; may sleep.
 * Rejected: evening out three siblings at once, mending on the way down: both
 * copy nodes that need no change.
 */
#include "btree-spine.h"

#include "transaction-manager.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

static int dec_values(const struct pd_tree *tree, const struct pd_disk_node *n,
		      u32 i, u32 nr)
{
	const struct pd_btree_value_type *v = &tree->t->value;

	return v->dec && nr ? v->dec(v->context, pd_node_value(n, i), nr) : 0;
}

/* ---- mending ---- */

/* The node at the end of the spine, its parent, and one of its neighbours. */
struct pair {
	const struct pd_tree *tree;
	struct pd_step *up;
	struct pd_disk_node *parent;
	struct pd_disk_node *node;
	u32 i;			/* node's index in parent */
	u32 j;			/* the neighbour's, i - 1 or i + 1 */
	pd_block_t b;		/* the neighbour */
	struct pd_place place;	/* its place */
	bool shared;		/* it lives on elsewhere */
};

static int look_at_neighbour(struct pair *p, u32 j)
{
	p->j = j;
	p->b = pd_node_child(p->parent, j);
	p->place = pd_place_child(&p->up->place, p->parent, j);
	return pd_tm_is_shared(p->tree->t->tm, p->b, &p->shared);
}

/* The left one, unless only the right one is unshared or exists. */
static int choose_neighbour(struct pair *p)
{
	bool right = p->i + 1 < pd_node_nr(p->parent);
	int r;

	if (p->i) {
		r = look_at_neighbour(p, p->i - 1);
		if (r || !p->shared || !right)
			return r;
	}
	r = look_at_neighbour(p, p->i + 1);
	if (!r && p->shared && p->i)
		r = look_at_neighbour(p, p->i - 1);
	return r;
}

/* Case (c); @from is the neighbour, held for reading. */
static int merge_into(struct pair *p, const struct pd_disk_node *from)
{
	u32 nr = pd_node_nr(from), at = pd_node_nr(p->node);
	int r = p->shared ? pd_tree_inc_children(p->tree, from) : 0;

	if (r)
		return r;
	if (p->j < p->i) {
		pd_node_open_gap(p->node, 0, nr);
		pd_node_copy(p->node, 0, from, 0, nr);
		pd_node_set_child(p->parent, p->j,
				  pd_node_child(p->parent, p->i));
		pd_node_close_gap(p->parent, p->i, 1);
	} else {
		pd_node_copy(p->node, at, from, 0, nr);
		pd_node_set_nr(p->node, at + nr);
		pd_node_close_gap(p->parent, p->j, 1);
	}
	return 0;
}

/* Case (d). */
static int even_out(struct pair *p)
{
	struct pd_block neighbour;
	struct pd_disk_node *left, *right;
	u32 half;
	int r = pd_tree_shadow_child(p->tree, p->parent, p->j, &p->place,
				     &neighbour, NULL);

	if (r)
		return r;
	left = p->j < p->i ? neighbour.data : p->node;
	right = p->j < p->i ? p->node : neighbour.data;
	half = (pd_node_nr(left) + pd_node_nr(right)) / 2;

	if (half > pd_node_nr(left))
		pd_node_shift_left(left, right, half - pd_node_nr(left));
	else
		pd_node_shift_right(left, right, pd_node_nr(left) - half);
	pd_node_set_key(p->parent, max(p->i, p->j), pd_node_key(right, 0));
	pd_bm_release(p->tree->t->bm, &neighbour);
	return 0;
}

/* The last node of the spine has entries, but too few. */
static int mend_with_neighbour(struct pd_spine *s)
{
	struct pd_step *step = pd_spine_last(s), *up = step - 1;
	struct pair p = {
		.tree = s->tree, .up = up, .parent = pd_step_node(up),
		.node = pd_step_node(step), .i = step->index,
	};
	struct pd_tm *tm = s->tree->t->tm;
	struct pd_block neighbour;
	bool merged = false;
	int r;

	if (pd_node_nr(p.parent) < 2) {
		/* A root: left to (f).  Other nodes have a neighbour. */
		if (s->nr == 2)
			return 0;
		return pd_tree_damaged(s->tree, up->blk.nr, "entries", 2, 1);
	}
	r = choose_neighbour(&p);
	if (r)
		return r;
	r = pd_tree_read(s->tree, p.b, &p.place, &neighbour);
	if (r)
		return r;

	if (!pd_node_same_shape(p.node, neighbour.data)) {
		r = pd_tree_damaged(s->tree, p.b, "max_entries of siblings",
				    pd_node_max(p.node),
				    pd_node_max(neighbour.data));
	} else if (pd_node_nr(p.node) + pd_node_nr(neighbour.data) <=
		   pd_node_max(p.node)) {
		r = merge_into(&p, neighbour.data);
		merged = true;
	}
	pd_bm_release(s->tree->t->bm, &neighbour);
	if (r)
		return r;
	return merged ? pd_tm_dec(tm, p.b) : even_out(&p);
}

/* Case (b): the last node of the spine, not the root, has no entries. */
static int drop_empty(struct pd_spine *s)
{
	struct pd_step *step = pd_spine_last(s);
	pd_block_t b = step->blk.nr;

	pd_node_close_gap(pd_step_node(step - 1), step->index, 1);
	pd_spine_up(s);
	return pd_tm_dec(s->tree->t->tm, b);
}

/* Case (f). */
static int pull_up_child(const struct pd_tree *tree, struct pd_disk_node *root)
{
	const size_t head = sizeof(struct pd_disk_header);
	const size_t flags = offsetof(struct pd_disk_node_header, flags);
	struct pd_place place = pd_place_root();
	pd_block_t b = pd_node_child(root, 0);
	struct pd_tm *tm = tree->t->tm;
	struct pd_disk_node *child;
	struct pd_block blk;
	bool shared;
	int r = pd_tm_is_shared(tm, b, &shared);

	if (r)
		return r;
	place = pd_place_child(&place, root, 0);
	r = pd_tree_read(tree, b, &place, &blk);
	if (r)
		return r;
	child = blk.data;
	if (shared)
		r = pd_tree_inc_children(tree, child);
	/* Everything but checksum and block number. */
	memcpy((char *)root + flags, (char *)child + flags, sizeof(__le32));
	memcpy((char *)root + head, (char *)child + head, PD_BLOCK_SIZE - head);
	pd_bm_release(tree->t->bm, &blk);
	return r ? r : pd_tm_dec(tm, b);
}

static int mend_root(const struct pd_tree *tree, struct pd_disk_node *root)
{
	u32 depth;

	for (depth = 0; depth < PD_BTREE_MAX_DEPTH; depth++) {
		int r;

		if (pd_node_is_leaf(root) || pd_node_nr(root) > 1)
			break;
		if (!pd_node_nr(root)) {
			pd_node_init(root, PD_NODE_LEAF,
				     pd_tree_max_entries(tree,
							 tree->value_size),
				     tree->value_size);	/* (e) */
			break;
		}
		r = pull_up_child(tree, root);
		if (r)
			return r;
	}
	return 0;
}

/* Restore I1 after the last node of the spine lost entries; ends the spine. */
static int mend_path(struct pd_spine *s)
{
	int r = 0;

	while (s->nr > 1 && !r) {
		const struct pd_disk_node *n = pd_step_node(pd_spine_last(s));

		if (!pd_node_nr(n)) {
			r = drop_empty(s);
			continue;
		}
		if (pd_node_nr(n) >= pd_node_min(n))
			break;			/* (a) */
		r = mend_with_neighbour(s);
		pd_spine_up(s);
	}
	if (!r)
		r = mend_root(s->tree, pd_step_node(&s->steps[0]));
	pd_spine_end(s);
	return r;
}

/* ---- one entry ---- */

static int remove_entry(const struct pd_tree *tree, pd_block_t *root, u64 key)
{
	struct pd_spine s;
	struct pd_disk_node *leaf;
	u32 i;
	int r = pd_spine_begin(&s, tree, root);

	if (r)
		return r;
	r = pd_spine_to_leaf(&s, key);
	if (r)
		goto err_end_spine;

	leaf = pd_step_node(pd_spine_last(&s));
	if (!pd_node_has_key(leaf, key, &i)) {
		r = -ENODATA;
		goto err_end_spine;
	}
	r = dec_values(tree, leaf, i, 1);
	if (r)
		goto err_end_spine;
	pd_node_close_gap(leaf, i, 1);
	return mend_path(&s);

err_end_spine:
	pd_spine_end(&s);
	return r;
}

int pd_btree_remove(const struct pd_btree *t, pd_block_t *root,
		    const u64 *keys)
{
	u64 key = keys[t->levels - 1], found = key;
	struct pd_tree tree = pd_tree_lowest(t);
	struct pd_lower l;
	pd_block_t sub;
	int r;

	/* Return -ENODATA before any change. */
	r = pd_tree_find_lower(t, *root, keys, &sub);
	if (!r)
		r = pd_tree_next_key(&tree, sub, &found);
	if (!r && found != key)
		r = -ENODATA;
	if (r)
		return r;

	r = pd_lower_begin(t, root, keys, &l);
	if (r)
		return r;
	r = remove_entry(&l.tree, l.root, key);
	pd_lower_end(&l);
	return r;
}

/* ---- a range ---- */

/* One step of a range removal. */
struct removal {
	const struct pd_tree *tree;
	struct pd_btree_range *range;
	u64 last;		/* last key to remove */
	u64 next;		/* first entry left; none in [begin, next) */
	u32 budget;		/* leaves that may still be looked at */
};

static void spend_leaves(struct removal *rm, u32 leaves)
{
	rm->budget -= min(rm->budget, leaves);
}

/* Everything up to and including @key is gone. */
static void advance_to(struct removal *rm, u64 key)
{
	rm->range->done = key >= rm->last;
	rm->range->begin = rm->range->done ? rm->range->end : key + 1;
}

/* Values of entries [i, i + nr) lose a reference. */
static int lose_values(struct removal *rm, const struct pd_disk_node *n,
		       u32 i, u32 nr, bool tell)
{
	struct pd_btree_range *range = rm->range;
	int r = 0;

	if (tell && range->removed)
		r = range->removed(range->context, pd_node_keys(n) + i,
				   pd_node_value(n, i), nr);
	return r ? r : dec_values(rm->tree, n, i, nr);
}

/* Case (r): the last node of the spine is a leaf. */
static int cut_slice(struct removal *rm, struct pd_spine *s)
{
	struct pd_step *step = pd_spine_last(s);
	struct pd_disk_node *n = pd_step_node(step);
	u32 begin = pd_node_lower_bound(n, rm->next);
	u32 end = pd_node_find(n, rm->last) + 1;
	int r;

	if (begin >= end)
		return pd_tree_damaged(rm->tree, step->blk.nr,
				       "entries in range", 1, 0);

	r = lose_values(rm, n, begin, end - begin, !step->lives_on);
	if (r)
		return r;
	pd_node_close_gap(n, begin, end - begin);
	rm->range->nr_removed += end - begin;
	advance_to(rm, step->place.last);
	spend_leaves(rm, 1);
	return 0;
}

/*
 * Drop one leaf if all its entries are inside the range; its parent is shadowed
 * and still refers to it.
 * Return: 1 dropped, 0 not wholly inside, or one that stays, or an error.
 */
static int drop_leaf(struct removal *rm, pd_block_t b,
		     const struct pd_place *place)
{
	struct pd_tm *tm = rm->tree->t->tm;
	struct pd_disk_node *n;
	struct pd_block blk;
	bool shared;
	u32 nr;
	int r = pd_tm_is_shared(tm, b, &shared);

	if (r || (shared && rm->range->own_only))
		return r;
	r = pd_tree_read(rm->tree, b, place, &blk);
	if (r)
		return r;
	n = blk.data;
	nr = pd_node_nr(n);
	if (!pd_node_is_leaf(n) || pd_node_key(n, 0) < rm->range->begin ||
	    pd_node_last_key(n) > rm->last)
		goto out_release;

	if (!shared)
		r = lose_values(rm, n, 0, nr, true);
	if (r)
		goto out_release;
	pd_bm_release(rm->tree->t->bm, &blk);

	r = pd_tm_dec(tm, b);
	if (r)
		return r;
	rm->range->nr_removed += nr;
	advance_to(rm, place->last);
	spend_leaves(rm, 1);
	return 1;

out_release:
	pd_bm_release(rm->tree->t->bm, &blk);
	return r;
}

/* Case (s): from child @i of the last node on. */
static int drop_leaves(struct removal *rm, struct pd_spine *s, u32 i)
{
	struct pd_step *step = pd_spine_last(s);
	struct pd_disk_node *n = pd_step_node(step);
	u32 end;
	int r = 0;

	for (end = i; end < pd_node_nr(n); end++) {
		struct pd_place place = pd_place_child(&step->place, n, end);

		if (rm->range->done || !rm->budget)
			break;
		r = drop_leaf(rm, pd_node_child(n, end), &place);
		if (r <= 0)
			break;
	}
	if (r < 0)
		return r;
	pd_node_close_gap(n, i, end - i);
	return end > i;
}

static void prefetch_children(const struct pd_tree *tree,
			      const struct pd_disk_node *n)
{
	u32 i;

	for (i = 1; i < pd_node_nr(n); i++)
		pd_bm_prefetch(tree->t->bm, pd_node_child(n, i));
}

/*
 * Count the entries below a parent of leaves.
 * Return: 1 counted, 0 its children are not leaves, or an error.
 */
static int count_entries(const struct pd_tree *tree,
			 const struct pd_disk_node *parent,
			 const struct pd_place *place, u64 *nr)
{
	u32 i;

	*nr = 0;
	for (i = 0; i < pd_node_nr(parent); i++) {
		struct pd_place below = pd_place_child(place, parent, i);
		struct pd_block leaf;
		bool is_leaf;
		int r = pd_tree_read(tree, pd_node_child(parent, i), &below,
				     &leaf);

		if (r)
			return r;
		is_leaf = pd_node_is_leaf(leaf.data);
		*nr += pd_node_nr(leaf.data);
		pd_bm_release(tree->t->bm, &leaf);
		if (!is_leaf)
			return 0;
		if (!i)
			prefetch_children(tree, parent);
	}
	return 1;
}

/*
 * Case (t): child @i of the last node, internal.
 * Return: 1 dropped, 0 cannot be dropped whole, or an error.
 */
static int drop_parent(struct removal *rm, struct pd_spine *s, u32 i)
{
	struct pd_step *step = pd_spine_last(s);
	struct pd_disk_node *n = pd_step_node(step);
	struct pd_place place = pd_place_child(&step->place, n, i);
	struct pd_tm *tm = rm->tree->t->tm;
	pd_block_t b = pd_node_child(n, i);
	struct pd_block blk;
	bool shared;
	u64 nr;
	int r;

	if (place.first < rm->range->begin || place.last > rm->last)
		return 0;
	r = pd_tm_is_shared(tm, b, &shared);
	if (r || !shared)
		return r;

	r = pd_tree_read(rm->tree, b, &place, &blk);
	if (r)
		return r;
	r = count_entries(rm->tree, blk.data, &place, &nr);
	pd_bm_release(rm->tree->t->bm, &blk);
	if (r <= 0)
		return r;

	r = pd_tm_dec(tm, b);
	if (r)
		return r;
	pd_node_close_gap(n, i, 1);
	rm->range->nr_removed += nr;
	advance_to(rm, place.last);
	spend_leaves(rm, rm->budget);
	return 1;
}

/* Cases (s) and (t), as far as child @i of the last node allows. */
static int drop_whole(struct removal *rm, struct pd_spine *s, u32 i)
{
	struct pd_step *step = pd_spine_last(s);
	const struct pd_disk_node *n = pd_step_node(step);
	struct pd_place place = pd_place_child(&step->place, n, i);
	struct pd_block blk;
	bool is_leaf;
	int r = pd_tree_read(rm->tree, pd_node_child(n, i), &place, &blk);

	if (r)
		return r;
	is_leaf = pd_node_is_leaf(blk.data);
	pd_bm_release(rm->tree->t->bm, &blk);
	return is_leaf ? drop_leaves(rm, s, i) : drop_parent(rm, s, i);
}

/* Remove something, starting with the entry at rm->next. */
static int remove_some(struct removal *rm, pd_block_t *root)
{
	struct pd_spine s;
	int r = pd_spine_begin(&s, rm->tree, root);

	if (r)
		return r;
	for (;;) {
		const struct pd_disk_node *n = pd_step_node(pd_spine_last(&s));
		u32 i;

		if (pd_node_is_leaf(n)) {
			r = cut_slice(rm, &s);
			break;
		}
		i = pd_tree_child_index(n, rm->next);
		r = drop_whole(rm, &s, i);
		if (!r)
			r = pd_spine_down(&s, i);
		else if (r > 0)
			break;
		if (r < 0)
			break;
	}
	if (r >= 0)
		return mend_path(&s);
	pd_spine_end(&s);
	return r;
}

/* Find the next entry to remove; without one, the removal is done. */
static int seek_next_key(struct removal *rm, pd_block_t root)
{
	int r;

	if (rm->range->done)
		return 0;
	rm->next = rm->range->begin;
	r = pd_tree_next_key(rm->tree, root, &rm->next);
	if (r && r != -ENODATA)
		return r;
	if (r || rm->next > rm->last)
		advance_to(rm, rm->last);
	return 0;
}

/* ---- leaves of this tree alone ---- */

/*
 * The next child of internal node @n that is in this tree alone; @place is that
 * of @n, then that of the child.
 * Return: 1 found, 0 none, or an error.
 */
static int next_own_child(struct removal *rm, const struct pd_disk_node *n,
			  struct pd_place *place, pd_block_t *b)
{
	u32 i = pd_tree_child_index(n, rm->range->begin);
	bool shared;
	int r;

	for (; i < pd_node_nr(n); i++) {
		struct pd_place below = pd_place_child(place, n, i);

		*b = pd_node_child(n, i);
		r = pd_tm_is_shared(rm->tree->t->tm, *b, &shared);
		if (r)
			return r;
		if (!shared) {
			*place = below;
			return 1;
		}
		advance_to(rm, below.last);
	}
	spend_leaves(rm, 1);
	return 0;
}

/* Walk down once to find such a leaf.  Return: 1 found, 0 not here, or an error. */
static int look_for_own(struct removal *rm, pd_block_t root)
{
	struct pd_place place = pd_place_root();
	pd_block_t b = root;
	struct pd_block blk;
	int r;

	do {
		r = pd_tree_read(rm->tree, b, &place, &blk);
		if (r)
			return r;
		if (pd_node_is_leaf(blk.data)) {
			pd_bm_release(rm->tree->t->bm, &blk);
			rm->next = place.begin;
			if (place.depth)
				return 1;
			advance_to(rm, rm->last);	/* the root stays */
			return 0;
		}
		r = next_own_child(rm, blk.data, &place, &b);
		pd_bm_release(rm->tree->t->bm, &blk);
	} while (r > 0);
	return r;
}

static int remove_own_step(struct removal *rm, pd_block_t *root)
{
	bool shared;
	int r = pd_tm_is_shared(rm->tree->t->tm, *root, &shared);

	if (!r && shared)
		advance_to(rm, rm->last);
	while (!r && !rm->range->done && rm->budget) {
		r = look_for_own(rm, *root);
		if (r > 0)
			r = remove_some(rm, root);
	}
	return r;
}

static int remove_step(struct removal *rm, pd_block_t *root)
{
	while (!rm->range->done && rm->budget) {
		int r = remove_some(rm, root);

		if (!r)
			r = seek_next_key(rm, *root);
		if (r)
			return r;
	}
	return 0;
}

int pd_btree_remove_range(const struct pd_btree *t, pd_block_t *root,
			  const u64 *keys, struct pd_btree_range *range,
			  u32 max_leaves)
{
	struct pd_tree tree = pd_tree_lowest(t);
	struct removal rm = {
		.tree = &tree, .range = range, .last = range->end - 1,
		.budget = max_leaves,
	};
	struct pd_lower l;
	pd_block_t sub;
	int r;

	range->nr_removed = 0;
	range->done = range->end && range->begin >= range->end;
	if (!max_leaves)
		return -EINVAL;

	r = pd_tree_find_lower(t, *root, keys, &sub);
	if (!r && !range->own_only)
		r = seek_next_key(&rm, sub);
	if (r || range->done)
		return r;

	r = pd_lower_begin(t, root, keys, &l);
	if (r)
		return r;
	/* Counts tell what is shared now that the path is shadowed (I3). */
	r = range->own_only ? remove_own_step(&rm, l.root) :
			      remove_step(&rm, l.root);
	pd_lower_end(&l);
	return r;
}
