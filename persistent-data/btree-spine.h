/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a tree to change it: every node on the way is shadowed.
 * Internal to the btree.
 */
#ifndef PD_BTREE_SPINE_H
#define PD_BTREE_SPINE_H

#include "btree-walk.h"

/**
 * struct pd_step - one node of a spine
 * @blk: the shadowed node
 * @place: its place
 * @index: which child of the previous step it is
 * @lives_on: another tree kept the original when this node was shadowed
 */
struct pd_step {
	struct pd_block blk;
	struct pd_place place;
	u32 index;
	bool lives_on;
};

/**
 * struct pd_spine - held shadows of all nodes from the root down to some node
 * @tree: the tree
 * @nr: nodes held
 * @steps: the root first
 */
struct pd_spine {
	const struct pd_tree *tree;
	u32 nr;
	struct pd_step steps[PD_BTREE_MAX_DEPTH];
};

/**
 * struct pd_lower - a lowest-level tree while it is being changed
 * @tree: the tree
 * @root: its root, to be updated in place
 * @t: kind of tree
 * @leaf: two levels: the held top-level leaf that refers to it
 * @slot: two levels: where in @leaf
 * @sub: two levels: what @root points to
 */
struct pd_lower {
	struct pd_tree tree;
	pd_block_t *root;
	const struct pd_btree *t;
	struct pd_block leaf;
	u32 slot;
	pd_block_t sub;
};

static inline struct pd_disk_node *pd_step_node(const struct pd_step *s)
{
	return s->blk.data;
}

static inline struct pd_step *pd_spine_last(struct pd_spine *s)
{
	return &s->steps[s->nr - 1];
}

/**
 * pd_tree_shadow() - hold a node to change it
 * @tree: the tree
 * @b: the node
 * @place: its place
 * @blk: the held block; the caller stores its number in place of @b
 * @lives_on: the original stays alive in another tree; may be NULL
 *
 * What the node refers to has been counted.
 *
 * Return: 0, or any error of pd_tm_shadow(), -EILSEQ does not belong here.
 */
int __must_check pd_tree_shadow(const struct pd_tree *tree, pd_block_t b,
				const struct pd_place *place,
				struct pd_block *blk, bool *lives_on);

/**
 * pd_tree_shadow_child() - pd_tree_shadow() child @i of shadowed node @parent
 * @tree: the tree
 * @parent: internal node; its entry @i is updated
 * @i: which child
 * @place: the child's place
 * @blk: the held child
 * @lives_on: as for pd_tree_shadow()
 */
int __must_check pd_tree_shadow_child(const struct pd_tree *tree,
				      struct pd_disk_node *parent, u32 i,
				      const struct pd_place *place,
				      struct pd_block *blk, bool *lives_on);

/** pd_tree_inc_children() - everything @n refers to gained a reference */
int __must_check pd_tree_inc_children(const struct pd_tree *tree,
				      const struct pd_disk_node *n);

/** pd_spine_begin() - shadow and hold the root; *@root is updated */
int __must_check pd_spine_begin(struct pd_spine *s, const struct pd_tree *tree,
				pd_block_t *root);

/** pd_spine_down() - shadow and hold child @i of the last node */
int __must_check pd_spine_down(struct pd_spine *s, u32 i);

/** pd_spine_to_leaf() - go down to the leaf that covers @key */
int __must_check pd_spine_to_leaf(struct pd_spine *s, u64 key);

/** pd_spine_up() - give back the last node */
void pd_spine_up(struct pd_spine *s);

/** pd_spine_end() - give back all nodes */
void pd_spine_end(struct pd_spine *s);

/**
 * pd_lower_begin() - shadow the path to the lowest-level tree
 * @t: kind of tree
 * @root: root of the whole tree, updated
 * @keys: one key per level, the last one is ignored
 * @l: the tree; holds one block if there are two levels
 *
 * Return: 0, -ENODATA an upper level's key is not there.
 */
int __must_check pd_lower_begin(const struct pd_btree *t, pd_block_t *root,
				const u64 *keys, struct pd_lower *l);

/** pd_lower_end() - store the tree's changed root and release the leaf */
void pd_lower_end(struct pd_lower *l);

#endif /* PD_BTREE_SPINE_H */
