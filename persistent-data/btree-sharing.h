/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking down a btree to read it, with an eye on who else refers to its nodes.
 */
#ifndef PD_BTREE_SHARING_H
#define PD_BTREE_SHARING_H

#include "btree.h"

struct pd_sm;

/**
 * struct pd_btree_sharing - a walk down, and what it learned
 * @sm: counts of metadata blocks
 * @into_shared: go on below a node that is counted more than once
 * @ahead: if not 0: on the way start to read so many of the next neighbours
 * @shared: set before the walk if something above the root is shared; result: so
 *	is a node on the way.  What is below a shared node is shared, whatever its
 *	own count
 * @last: result: the last key of the leaf, or of the subtree that was not entered
 * @nr_nodes: raised by the number of nodes looked at
 * @missing: the first metadata block that is not cached, if -EAGAIN
 */
struct pd_btree_sharing {
	struct pd_sm *sm;
	bool into_shared;
	u32 ahead;
	bool shared;
	u64 last;
	u32 nr_nodes;
	pd_block_t missing;
};

/**
 * pd_btree_sharing_cached() - show the leaf that covers a key, and if it is shared
 * @t: kind of tree, one level
 * @root: its root
 * @key: key
 * @s: the walk; zeroed but for what is said above
 * @fn: called once, unless a shared node was not entered; must neither sleep nor
 *	read from the device; may use @s
 * @context: for @fn
 *
 * Reads nothing from the device: see pd_btree_lookup_leaf_cached().
 *
 * Context: metadata lock held at least for reading.
 * Return: 0 (also if the key itself is not in the leaf), -EAGAIN, errors of
 * reading.
 */
int __must_check pd_btree_sharing_cached(const struct pd_btree *t,
					 pd_block_t root, u64 key,
					 struct pd_btree_sharing *s,
					 pd_btree_leaf_fn fn, void *context);

#endif /* PD_BTREE_SHARING_H */
