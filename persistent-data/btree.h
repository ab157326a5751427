/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * B+trees with u64 keys and fixed-size values, copy-on-write through the
 * transaction manager (docs/format.md section 4), with one or two levels: in a
 * two-level tree the values of the top tree are roots of the trees below.
 *
 * struct pd_btree describes a *kind* of tree; a root is just a block number
 * that the caller keeps.  Functions that change a tree update the root in
 * place.  After any error of such a function the tree may be half changed and
 * the caller must abort the transaction (-ENODATA and errors for bad arguments
 * are returned before any change).
 *
 * keys[] has one key per level, the top level first.
 *
 * I1  Every node but a root has at least max_entries / 3 entries, whenever the
 *     metadata lock is released.
 * I2  All leaves have the same depth; at most PD_BTREE_MAX_DEPTH levels.
 * I3  Counts of values below a node are exact only after the path down to it
 *     was shadowed: test sharing after shadowing, never before.
 *
 * Context of all functions: may sleep; metadata lock held, for writing where
 * the tree changes.  Common errors besides those named: -EIO, -ENOMEM,
 * -EILSEQ, -ENOTBLK, -EINVAL (damaged metadata); when changing also -ENOSPC,
 * -EPERM.
 */
#ifndef PD_BTREE_H
#define PD_BTREE_H

#include "pd-types.h"

#define PD_BTREE_MAX_DEPTH	16
#define PD_BTREE_MAX_LEVELS	2

struct pd_bm;
struct pd_tm;

/**
 * struct pd_btree_value_type - what the leaves hold
 * @size: bytes
 * @inc: each of the @nr values at @values gained a reference; NULL if values
 *	refer to nothing
 * @dec: as @inc, but each lost one
 * @equal: do two values refer to the same thing?  Used when a value is
 *	overwritten: an equal one is neither dec'ed nor inc'ed.  NULL: never
 * @context: for the three functions
 */
struct pd_btree_value_type {
	u32 size;
	int (*inc)(void *context, const void *values, u32 nr);
	int (*dec)(void *context, const void *values, u32 nr);
	bool (*equal)(void *context, const void *a, const void *b);
	void *context;
};

/**
 * struct pd_btree - a kind of tree
 * @bm: block manager, all that reading needs
 * @tm: transaction manager, for changing
 * @levels: 1 or 2
 * @value: the values of the lowest level
 * @max_entries: capacity of new nodes, a multiple of 3; 0: whatever fits in a
 *	block.  Only tests set it
 * @name: for log lines
 */
struct pd_btree {
	struct pd_bm *bm;
	struct pd_tm *tm;
	u32 levels;
	struct pd_btree_value_type value;
	u32 max_entries;
	const char *name;
};

/** pd_btree_empty() - make an empty tree */
int __must_check pd_btree_empty(const struct pd_btree *t, pd_block_t *root);

/**
 * pd_btree_lookup() - the value of one key
 * @t: kind of tree
 * @root: its root
 * @keys: one key per level
 * @value: @t->value.size bytes
 *
 * Return: 0, -ENODATA not there.
 */
int __must_check pd_btree_lookup(const struct pd_btree *t, pd_block_t root,
				 const u64 *keys, void *value);

/**
 * pd_btree_lookup_next() - the first entry at or after a key
 * @t: kind of tree
 * @root: its root
 * @keys: upper levels exact, the last one is where to begin
 * @key: key found, of the lowest level
 * @value: its value
 *
 * Return: 0, -ENODATA nothing there.
 */
int __must_check pd_btree_lookup_next(const struct pd_btree *t, pd_block_t root,
				      const u64 *keys, u64 *key, void *value);

/** pd_btree_lowest() - lowest key; keys[] as in lookup, the last ignored */
int __must_check pd_btree_lowest(const struct pd_btree *t, pd_block_t root,
				 const u64 *keys, u64 *key, void *value);

/** pd_btree_highest() - highest key; keys[] as in lookup, the last ignored */
int __must_check pd_btree_highest(const struct pd_btree *t, pd_block_t root,
				  const u64 *keys, u64 *key, void *value);

/**
 * pd_btree_extent() - how large a tree is at most
 * @t: kind of tree, one level
 * @root: its root
 * @depth: nodes from the root to a leaf, exactly
 * @nr_leaves: exact up to a depth of two, otherwise an upper bound
 *
 * Reads one node per level.
 *
 * Return: 0, -EIO, -EILSEQ.
 */
int __must_check pd_btree_extent(const struct pd_btree *t, pd_block_t root,
				 u32 *depth, u64 *nr_leaves);

/**
 * struct pd_btree_leaf - everything one leaf knows
 * @begin: the leaf covers keys [begin, last]: those not listed are not in the
 *	tree
 * @last: inclusive; U64_MAX for the last leaf
 * @nr: entries
 * @keys: little-endian, strictly increasing, unaligned access not needed
 * @values: packed at the tree's value size
 */
struct pd_btree_leaf {
	u64 begin;
	u64 last;
	u32 nr;
	const __le64 *keys;
	const void *values;
};

typedef void (*pd_btree_leaf_fn)(void *context, const struct pd_btree_leaf *l);

/**
 * pd_btree_lookup_leaf() - show the leaf that covers a key
 * @t: kind of tree
 * @root: its root
 * @keys: one key per level
 * @fn: called once; must not sleep, the leaf is held
 * @context: for @fn
 *
 * Return: 0 (also if the key itself is not in the leaf), -ENODATA an upper
 * level's key is not there.
 */
int __must_check pd_btree_lookup_leaf(const struct pd_btree *t, pd_block_t root,
				      const u64 *keys, pd_btree_leaf_fn fn,
				      void *context);

/**
 * pd_btree_lookup_leaf_cached() - the same without reading from the device
 * @t: kind of tree
 * @root: its root
 * @keys: one key per level
 * @fn: called once if this succeeds; must not sleep, the leaf is held
 * @context: for @fn
 * @missing: the first node on the way that is not cached, if -EAGAIN
 *
 * The caller reads @missing with pd_bm_prefetch() and pd_bm_wait(), without the
 * metadata lock, and tries again.
 *
 * Return: as pd_btree_lookup_leaf(), -EAGAIN.
 */
int __must_check pd_btree_lookup_leaf_cached(const struct pd_btree *t,
					     pd_block_t root, const u64 *keys,
					     pd_btree_leaf_fn fn, void *context,
					     pd_block_t *missing);

/**
 * pd_btree_insert() - insert or overwrite one value
 * @t: kind of tree
 * @root: its root, updated
 * @keys: one key per level; missing trees below are created
 * @value: the value; its reference is handed over to the tree
 * @inserted: set to true if the key was not there before; may be NULL
 *
 * An overwritten value is dec'ed unless equal.
 */
int __must_check pd_btree_insert(const struct pd_btree *t, pd_block_t *root,
				 const u64 *keys, const void *value,
				 bool *inserted);

/**
 * pd_btree_insert_run() - insert or overwrite values of consecutive keys
 * @t: kind of tree
 * @root: its root, updated
 * @keys: upper levels, and the first key of the run
 * @values: @nr packed values
 * @nr: how many, >= 1
 * @nr_inserted: how many of them were not there before
 *
 * Touches each leaf once.
 */
int __must_check pd_btree_insert_run(const struct pd_btree *t, pd_block_t *root,
				     const u64 *keys, const void *values,
				     u32 nr, u32 *nr_inserted);

typedef int (*pd_btree_update_fn)(void *context, u64 key, void *value);

/**
 * pd_btree_update() - shadow the path to a run of keys and edit values in place
 * @t: kind of tree
 * @root: its root, updated
 * @keys: upper levels, and the first key of the run
 * @nr: how many keys
 * @fn: called for each existing entry, in key order, after its leaf was
 *	shadowed (so that counts are exact); may change the value, but not
 *	reference counts.  A negative result ends the walk and is returned
 * @context: for @fn
 */
int __must_check pd_btree_update(const struct pd_btree *t, pd_block_t *root,
				 const u64 *keys, u32 nr,
				 pd_btree_update_fn fn, void *context);

/**
 * pd_btree_remove() - remove one entry; its value is dec'ed
 * @t: kind of tree
 * @root: its root, updated
 * @keys: one key per level
 *
 * Return: 0, -ENODATA not there.
 */
int __must_check pd_btree_remove(const struct pd_btree *t, pd_block_t *root,
				 const u64 *keys);

/**
 * struct pd_btree_range - a range removal that may take several steps
 * @begin: first key to remove; moves forward from step to step
 * @end: one past the last key to remove; 0 means past the last possible key
 * @nr_removed: entries removed by this step
 * @removed: called with the values of each leaf before they are dec'ed, and
 *	only for leaves whose values lose a reference (a leaf that lives on
 *	in another tree keeps them); may be NULL
 * @context: for @removed
 * @own_only: remove only whole leaves that are in no other tree, and read none
 *	that is; begin and end are 0 before the first step
 * @done: nothing is left in [begin, end)
 */
struct pd_btree_range {
	u64 begin;
	u64 end;
	u64 nr_removed;
	int (*removed)(void *context, const __le64 *keys, const void *values,
		       u32 nr);
	void *context;
	bool own_only;
	bool done;
};

/**
 * pd_btree_remove_range() - remove entries, at most a few leaves' worth
 * @t: kind of tree
 * @root: its root, updated
 * @keys: upper levels; the last is ignored
 * @range: what to remove and how far this step got
 * @max_leaves: bound of this step's work, >= 1
 *
 * Call again until @range->done.  After each step the tree is well-formed.
 * Nodes that lie wholly inside the range and live on in another tree are
 * dropped without being copied.
 *
 * Return: 0, -ENODATA an upper level's key is not there.
 */
int __must_check pd_btree_remove_range(const struct pd_btree *t,
				       pd_block_t *root, const u64 *keys,
				       struct pd_btree_range *range,
				       u32 max_leaves);

/**
 * pd_btree_delete() - drop one reference to a whole one-level tree
 * @t: kind of tree, @t->levels == 1
 * @root: its root
 * @max_nodes: bound of the work: nodes that would have to be freed
 *
 * Frees what nothing else refers to.  Counts first and changes nothing if the
 * bound is exceeded.
 *
 * Return: 0, -E2BIG more than @max_nodes would be freed.
 */
int __must_check pd_btree_delete(const struct pd_btree *t, pd_block_t root,
				 u32 max_nodes);

/**
 * pd_btree_delete_step() - the same in steps, without counting first
 * @t: kind of tree, @t->levels == 1
 * @root: its root, to which nothing refers any more but the caller
 * @begin: 0 before the first step; what lies below has been dropped
 * @max_refs: bound of this step's work: references to drop, >= 1
 * @done: result: the tree is gone
 *
 * Between two steps the counts say less than the nodes: no transaction may be
 * closed before the last one.
 *
 * Return: 0.
 */
int __must_check pd_btree_delete_step(const struct pd_btree *t, pd_block_t root,
				      u64 *begin, u32 max_refs, bool *done);

/*
 * Walks one lowest-level tree in key order.
 *
 * Keeps copies and holds no block between calls; the tree must not change
 * meanwhile.
 */
struct pd_btree_cursor;

/**
 * pd_btree_cursor_begin() - start at the first entry at or after a key
 * @t: kind of tree
 * @root: its root
 * @keys: upper levels exact, the last one is where to begin
 * @prefetch: read neighbouring leaves ahead
 * @c: the new cursor
 *
 * Return: 0, -ENODATA nothing from there on.
 */
int __must_check pd_btree_cursor_begin(const struct pd_btree *t,
				       pd_block_t root, const u64 *keys,
				       bool prefetch,
				       struct pd_btree_cursor **c);

/** pd_btree_cursor_get() - key and value under the cursor */
void pd_btree_cursor_get(const struct pd_btree_cursor *c, u64 *key,
			 void *value);

/** pd_btree_cursor_next() - step; -ENODATA past the last entry */
int __must_check pd_btree_cursor_next(struct pd_btree_cursor *c);

/** pd_btree_cursor_end() - free the cursor */
void pd_btree_cursor_end(struct pd_btree_cursor *c);

#endif /* PD_BTREE_H */
