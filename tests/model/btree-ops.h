/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The model of btrees: volumes with their twins, and operations on one volume.
 */
#ifndef MODEL_BTREE_OPS_H
#define MODEL_BTREE_OPS_H

#include "unit/btree-env.h"

#define NR_VOLUMES	20	/* at most */
#define NR_TOP_KEYS	40	/* how many keys are at the very top */

#define insist(what) bt_insist(what)

struct volume {
	bool exists;
	pd_block_t root;	/* one level */
	u64 *twin;		/* by index; 0: not there */
	u32 nr;			/* entries in the twin */
};

struct model {
	struct bt_env env;
	struct pd_btree top;	/* two levels: values are roots */
	pd_block_t top_root;
	struct volume volumes[NR_VOLUMES];

	bool held;		/* two levels: an old state of all volumes */
	pd_block_t held_root;
	struct volume held_volumes[NR_VOLUMES];

	u32 nr_volumes;
	u32 nr_keys;
	bool growing;
	u64 rng;
	unsigned long nr_ops, nr_checks, nr_commits, nr_snaps;
};

/* A random number below @n. */
u32 mb_below(struct model *m, u32 n);

/* The first index whose key is at or after @key; nr_keys if none. */
u32 mb_index_of(const struct model *m, u64 key);

void mb_twin_set(struct volume *v, u32 index, u64 value);
bool mb_two_levels(const struct model *m);

/* Both keys of @key in @v, or the only one; returns @keys. */
u64 *mb_fill_keys(const struct model *m, const struct volume *v, u64 key,
		  u64 *keys);

/* A random value, with a reference to its thing. */
u64 mb_new_value(struct model *m);

void op_insert(struct model *m, struct volume *v);
void op_insert_run(struct model *m, struct volume *v);
void op_remove(struct model *m, struct volume *v);
void op_remove_range(struct model *m, struct volume *v);
void op_update(struct model *m, struct volume *v);
void op_lookup(struct model *m, struct volume *v);
void op_cursor(struct model *m, struct volume *v);

#endif /* MODEL_BTREE_OPS_H */
