/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every test of space maps needs: a device in memory, a transaction
 * manager with its metadata map, and a data map.
 *
 *   sm_begin() ─► sm_close() ─► sm_complete() ─► … ─► sm_reopen() ─► sm_end()
 *
 * The roots a superblock would hold are kept here.
 */
#ifndef SM_ENV_H
#define SM_ENV_H

#include "persistent-data/block-manager.h"
#include "persistent-data/btree.h"
#include "persistent-data/space-map-common.h"
#include "persistent-data/space-map.h"
#include "persistent-data/transaction.h"
#include "stores/stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct sm_env {
	struct pd_block_io *io;
	struct pd_bm *bm;
	struct pd_tm *tm;
	struct pd_sm *meta;
	struct pd_sm *data;
	unsigned char data_root[32], meta_root[32];
};

#define ok(expr) assert_int_equal(expr, 0)

/* Format; the data map is extended to @nr_data and committed. */
void sm_begin(struct sm_env *e, pd_block_t nr_meta, pd_block_t nr_data);

/* Open what an image holds, given the roots in @e. */
void sm_open(struct sm_env *e, const struct ram_image *img);
void sm_end(struct sm_env *e);

void sm_close(struct sm_env *e);
void sm_complete(struct sm_env *e);
void sm_commit(struct sm_env *e);

/* Forget everything in memory, uncommitted changes too, and open again. */
void sm_reopen(struct sm_env *e);

/*
 * With nothing uncommitted: maps are consistent, each metadata block is counted
 * exactly once, and the hints of every bitmap on disk are exact.
 */
void sm_verify(struct sm_env *e);

u32 sm_count(struct pd_sm *sm, pd_block_t b);
pd_block_t sm_alloc(struct pd_sm *sm);

/* The index entry of bitmap @i as it is on disk. */
struct pd_disk_index_entry sm_disk_entry(struct sm_env *e, struct pd_sm *sm,
					 u64 i);

#endif /* SM_ENV_H */
