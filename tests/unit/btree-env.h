/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every test of btrees needs: a device in memory, a transaction manager
 * on it, and values that refer to something whose references are counted.
 *
 *   leaf ── value: thing << 8 | stamp ──► things[thing]: count
 *
 * bt_verify() recomputes every count from the trees and compares.
 */
#ifndef BTREE_ENV_H
#define BTREE_ENV_H

#include "persistent-data/block-io.h"
#include "persistent-data/block-manager.h"
#include "persistent-data/btree-node.h"
#include "persistent-data/btree.h"
#include "persistent-data/space-map.h"
#include "persistent-data/transaction.h"

#include <stdbool.h>

#define BT_NR_THINGS 20000

struct bt_env {
	struct pd_block_io *io;
	struct pd_bm *bm;
	struct pd_tm *tm;
	struct pd_sm *sm;
	unsigned char sm_root[32];

	struct pd_btree t;		/* __le64 values that refer to things */
	unsigned int things[BT_NR_THINGS];
	unsigned long nr_inc, nr_dec;	/* values handed to inc and dec */
	unsigned long nr_dec_calls;

	const struct pd_block_io_ops *store_ops;
	struct pd_block_io_ops ops;	/* the store's, watched */
};

/* The program ends if @what is false. */
#define bt_insist(what) bt_insist_at(what, #what, __FILE__, __LINE__)
void bt_insist_at(bool what, const char *text, const char *file, int line);

void bt_begin(struct bt_env *e, pd_block_t nr_blocks, u32 max_entries,
	      u32 levels);
void bt_end(struct bt_env *e);

/* Close, flush, complete. */
void bt_commit(struct bt_env *e);

/* Commit, forget everything in memory, open again. */
void bt_reopen(struct bt_env *e);

/* One more reference to @thing, wrapped up for an insert. */
u64 bt_value(struct bt_env *e, u32 thing, u8 stamp);

/* Verify form and all counts, given every root there is (each a reference). */
void bt_verify(struct bt_env *e, const pd_block_t *roots, u32 nr_roots);

/* Numbers of entries, nodes and leaves below @root. */
struct bt_size {
	unsigned long nr_entries, nr_nodes, nr_leaves;
};

struct bt_size bt_size(const struct pd_btree *t, pd_block_t root);

/* Take a second reference of a tree: a snapshot. */
pd_block_t bt_snap(struct bt_env *e, pd_block_t root);

/* A one-level tree of @e->t's kind, whatever the number of levels. */
struct pd_btree bt_one_level(const struct bt_env *e);

void bt_insert(struct bt_env *e, pd_block_t *root, u64 key, u32 thing);

/* Keys [begin, end), in order; thing = key % BT_NR_THINGS. */
void bt_fill(struct bt_env *e, pd_block_t *root, u64 begin, u64 end);

/* The @i-th child of @node, an internal node. */
pd_block_t bt_child(struct bt_env *e, pd_block_t node, u32 i);
bool bt_is_leaf(struct bt_env *e, pd_block_t node);

/* Commit, write @data at @offset of block @b on the device, seal it. */
void bt_poke(struct bt_env *e, pd_block_t b, u32 offset, const void *data,
	     u32 len);
void bt_poke_le32(struct bt_env *e, pd_block_t b, u32 offset, u32 value);
void bt_poke_le64(struct bt_env *e, pd_block_t b, u32 offset, u64 value);

/* Commit, flip a byte of block @b on the device without sealing it. */
void bt_corrupt(struct bt_env *e, pd_block_t b, u32 offset);

u32 bt_count(struct bt_env *e, pd_block_t b);

/* Metadata blocks in use. */
unsigned long bt_nr_used(struct bt_env *e);

/* Buffers held now, and the most since bt_watch(). */
void bt_watch(struct bt_env *e);
unsigned int bt_held(const struct bt_env *e);
unsigned int bt_max_held(const struct bt_env *e);

/* Number of entries of one node. */
u32 bt_nr(struct bt_env *e, pd_block_t node);

#endif /* BTREE_ENV_H */
