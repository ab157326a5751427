/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reading ahead what a change of a tree will read: nodes, the bitmaps that count
 * them, and what its values refer to.
 */
#ifndef PD_BTREE_AHEAD_H
#define PD_BTREE_AHEAD_H

#include "btree.h"

struct pd_sm;

/**
 * struct pd_ahead - blocks that were missing
 * @nr: how many were not cached; reading them was begun
 * @last: one of them
 */
struct pd_ahead {
	u32 nr;
	pd_block_t last;
};

/**
 * struct pd_btree_ahead - what to read ahead
 * @begin: first key that the change is about
 * @last: last key, inclusive
 * @max_leaves: leaves to look at, at most
 * @own_only: as in &struct pd_btree_range
 * @removal: leaves and nodes may be merged with their neighbours, and parents of
 *	leaves be dropped whole
 * @values: called for values whose counts the change may change
 * @context: for @values
 * @missing: result
 */
struct pd_btree_ahead {
	u64 begin;
	u64 last;
	u32 max_leaves;
	bool own_only;
	bool removal;
	void (*values)(void *context, const void *values, u32 nr,
		       struct pd_ahead *missing);
	void *context;
	struct pd_ahead missing;
};

/**
 * pd_btree_read_ahead() - begin to read what a change will read
 * @t: kind of tree, one or two levels
 * @root: its root
 * @keys: upper levels; the last is ignored
 * @ahead: what to read, and the result
 *
 * Reads nothing itself.  What lies below a missing block is not known yet: call
 * again when @ahead->missing.last has been read.  Errors are left to the change.
 *
 * Context: metadata lock held for reading.
 */
void pd_btree_read_ahead(const struct pd_btree *t, pd_block_t root,
			 const u64 *keys, struct pd_btree_ahead *ahead);

/**
 * pd_sm_read_ahead() - the same for the bitmaps that count blocks
 * @sm: space map
 * @begin: first block
 * @end: one past the last one; blocks that do not exist are ignored
 * @missing: updated
 *
 * A bitmap that the open transaction has touched is taken for cached.
 *
 * Context: metadata lock held for reading.
 */
void pd_sm_read_ahead(struct pd_sm *sm, pd_block_t begin, pd_block_t end,
		      struct pd_ahead *missing);

#endif /* PD_BTREE_AHEAD_H */
