/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * How two trees of a kind differ.
 */
#ifndef PD_BTREE_DIFF_H
#define PD_BTREE_DIFF_H

#include "btree.h"

/* What is so at a key. */
enum pd_btree_diff_kind {
	PD_BTREE_SAME,		/* equal values, or none in both */
	PD_BTREE_DIFFERENT,
	PD_BTREE_LEFT_ONLY,
	PD_BTREE_RIGHT_ONLY,
};

/**
 * typedef pd_btree_diff_fn - take a run of keys of which the same is true
 * @context: as given
 * @kind: what is true
 * @begin: first key
 * @end: one past the last
 *
 * Called in key order, without gaps; neighbours may be alike.  Must neither sleep
 * nor read from the device.  Returns false if it has no room: the comparison ends
 * before this run.
 */
typedef bool (*pd_btree_diff_fn)(void *context, enum pd_btree_diff_kind kind,
				 u64 begin, u64 end);

/**
 * struct pd_btree_diff - a comparison, done in steps
 * @from: the next key to compare; moves forward
 * @done: result: there is no entry at or after @from in either tree
 * @ahead: if not 0: on the way start to read so many of the next nodes
 * @max_nodes: the step ends when so many nodes have been looked at, but for those
 *	that lead to the last entries
 * @nr_nodes: raised by that number
 * @fn: where the result goes
 * @context: for @fn
 * @missing: the first node that is not cached, if -EAGAIN
 */
struct pd_btree_diff {
	u64 from;
	bool done;
	u32 ahead;
	u32 max_nodes;
	u32 nr_nodes;
	pd_btree_diff_fn fn;
	void *context;
	pd_block_t missing;
};

/**
 * pd_btree_diff_cached() - compare two trees, as far as one step gets
 * @t: kind of tree, one level
 * @left: root of one
 * @right: root of the other
 * @d: the comparison
 *
 * Subtrees that both have are not entered.  Reads nothing from the device: see
 * pd_btree_lookup_leaf_cached(); then call it again.  If the trees have changed
 * between two steps, each step is true for the trees as they were.
 *
 * Context: metadata lock held at least for reading.
 * Return: 0, -EAGAIN, errors of reading; @d->from has moved as far as @d->fn was
 * told.
 */
int __must_check pd_btree_diff_cached(const struct pd_btree *t, pd_block_t left,
				      pd_block_t right,
				      struct pd_btree_diff *d);

#endif /* PD_BTREE_DIFF_H */
