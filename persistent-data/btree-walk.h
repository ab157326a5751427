/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a tree to read it.  This needs only the block manager, so code
 * that reads this way cannot change anything.  Internal to the btree.
 *
 *            root          place [0, max], depth 0
 *          /   |   \
 *        10    40   70     place of the middle one: [40, 69], depth 1
 *
 * A *place* is what the nodes above say about a node: the keys it may hold.
 * Every node is checked against its place when it is read, so no node can be
 * reached at two places in one tree, and every walk in key order terminates.
 */
#ifndef PD_BTREE_WALK_H
#define PD_BTREE_WALK_H

#include "block-manager.h"
#include "btree-node.h"
#include "btree.h"
#include "pd-types.h"

/**
 * struct pd_tree - one level of a &struct pd_btree: what its functions share
 * @t: the kind of tree
 * @value_size: of the leaves at this level
 * @lowest: the leaves hold @t's values; otherwise, roots of the trees below
 * @missing: if not NULL, nothing is read from the device: a walk that would have
 *	to stores the node's number here and ends with -EAGAIN
 */
struct pd_tree {
	const struct pd_btree *t;
	u32 value_size;
	bool lowest;
	pd_block_t *missing;
};

/**
 * struct pd_place - where a node lies in its tree
 * @begin: the parents send every key of [@begin, @last] here ...
 * @last: ... inclusive
 * @first: and promise that none below @first is there; @first >= @begin
 * @depth: 0 for the root
 */
struct pd_place {
	u64 begin;
	u64 last;
	u64 first;
	u32 depth;
};

/** pd_tree_top() - the top level of a two-level tree */
struct pd_tree pd_tree_top(const struct pd_btree *t);

/** pd_tree_lowest() - the level that holds the values */
struct pd_tree pd_tree_lowest(const struct pd_btree *t);

/** pd_place_root() - the place of a root */
struct pd_place pd_place_root(void);

/** pd_place_child() - the place of child @i of internal node @n */
struct pd_place pd_place_child(const struct pd_place *place,
			       const struct pd_disk_node *n, u32 i);

/** pd_tree_child_index() - which child of @n covers @key */
u32 pd_tree_child_index(const struct pd_disk_node *n, u64 key);

/** pd_tree_max_entries() - capacity of new nodes with values of this size */
u32 pd_tree_max_entries(const struct pd_tree *tree, u32 value_size);

/**
 * pd_tree_damaged() - log what is wrong with a node
 * @tree: the tree
 * @b: the node
 * @what: in words
 * @wanted: the number expected
 * @got: the number found
 *
 * Return: -EILSEQ.
 */
int pd_tree_damaged(const struct pd_tree *tree, pd_block_t b, const char *what,
		    u64 wanted, u64 got);

/**
 * pd_tree_check_place() - is a node what the nodes above say it is?
 * @tree: the tree
 * @blk: the held node
 * @place: its place
 *
 * Return: 0, -EILSEQ does not belong here (logged).
 */
int __must_check pd_tree_check_place(const struct pd_tree *tree,
				     const struct pd_block *blk,
				     const struct pd_place *place);

/**
 * pd_tree_check_depth() - may a node be this deep?
 * @tree: the tree
 * @b: the node
 * @place: its place
 *
 * Return: 0, -EILSEQ too deep (logged).
 */
int __must_check pd_tree_check_depth(const struct pd_tree *tree, pd_block_t b,
				     const struct pd_place *place);

/**
 * pd_tree_read() - hold a node for reading and check it against its place
 * @tree: the tree
 * @b: the node
 * @place: its place
 * @blk: the held block
 *
 * Return: 0, or any error of pd_bm_read(), -EILSEQ does not belong here, -EAGAIN
 * it is not cached and @tree->missing is set.
 */
int __must_check pd_tree_read(const struct pd_tree *tree, pd_block_t b,
			      const struct pd_place *place,
			      struct pd_block *blk);

/**
 * pd_tree_find_leaf() - hold the leaf that covers a key, for reading
 * @tree: the tree
 * @root: its root
 * @key: key
 * @leaf: the held leaf
 * @place: its place
 */
int __must_check pd_tree_find_leaf(const struct pd_tree *tree, pd_block_t root,
				   u64 key, struct pd_block *leaf,
				   struct pd_place *place);

/**
 * pd_tree_next_key() - the first key at or after @key
 * @tree: the tree
 * @root: its root
 * @key: where to begin; updated
 *
 * Return: 0, -ENODATA none.
 */
int __must_check pd_tree_next_key(const struct pd_tree *tree, pd_block_t root,
				  u64 *key);

/**
 * pd_tree_find_lower() - find the root of the tree that keys[] names
 * @t: kind of tree
 * @root: root of the whole tree
 * @keys: one key per level, the last one is ignored
 * @sub: root of the lowest-level tree
 *
 * Return: 0, -ENODATA an upper level's key is not there.
 */
int __must_check pd_tree_find_lower(const struct pd_btree *t, pd_block_t root,
				    const u64 *keys, pd_block_t *sub);

/** pd_tree_find_lower_from() - the same from pd_tree_top() of the tree */
int __must_check pd_tree_find_lower_from(const struct pd_tree *top,
					 pd_block_t root, const u64 *keys,
					 pd_block_t *sub);

#endif /* PD_BTREE_WALK_H */
