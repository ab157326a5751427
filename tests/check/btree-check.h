/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Verify the form of a whole tree.
 */
#ifndef PD_BTREE_CHECK_H
#define PD_BTREE_CHECK_H

#include "persistent-data/btree.h"

/**
 * struct pd_btree_visitor - what a full check reports
 * @node: a reference to node @b was found; sets *@descend to false if the node
 *	was seen before.  May be NULL: then always descend
 * @leaf: entries of a lowest-level leaf that is descended into; may be NULL
 * @context: for both
 */
struct pd_btree_visitor {
	int (*node)(void *context, pd_block_t b, bool *descend);
	int (*leaf)(void *context, const u64 *upper_keys, const __le64 *keys,
		    const void *values, u32 nr);
	void *context;
};

/**
 * pd_btree_check() - walk the whole tree and verify its form
 * @t: kind of tree
 * @root: its root
 * @v: visitor, or NULL
 *
 * Order of keys, key ranges against parents, minimum fill, equal depth,
 * value sizes.  For tests; sleeps long.
 *
 * Return: 0, -EILSEQ damaged (logged), or what @v returned.
 */
int __must_check pd_btree_check(const struct pd_btree *t, pd_block_t root,
				const struct pd_btree_visitor *v);

#endif /* PD_BTREE_CHECK_H */
