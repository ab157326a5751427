/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Counts of a space map, for its own files and the transaction manager.
 */
#ifndef PD_SPACE_MAP_COUNTS_H
#define PD_SPACE_MAP_COUNTS_H

#include "space-map-common.h"

struct pd_bitmap_word;

/**
 * pd_sm_take() - record a block known to be free as allocated
 * @sm: space map
 * @b: block, not busy
 *
 * Return: 0, -ENOMEM.
 */
int __must_check pd_sm_take(struct pd_sm *sm, pd_block_t b);

/** pd_sm_is_new() - was the block allocated in the open transaction? */
bool pd_sm_is_new(struct pd_sm *sm, pd_block_t b);

/**
 * pd_sm_unused_word() - which of 64 neighbours have a count of zero
 * @sm: space map
 * @first: first of the 64
 * @base: what the bitmap says
 * @mask: those to look at
 * @unused: result
 *
 * Return: as pd_sm_get_count().
 */
int __must_check pd_sm_unused_word(struct pd_sm *sm, pd_block_t first,
				   const struct pd_bitmap_word *base, u64 mask,
				   u64 *unused);

/** pd_sm_overflow_lookup() - count of a block whose entry says "many" */
int __must_check pd_sm_overflow_lookup(struct pd_sm *sm, pd_block_t b,
				       u32 *count);

/**
 * pd_sm_overflow_lookup_word() - counts of some of 64 neighbours
 * @sm: space map
 * @first: first of the 64
 * @mask: those whose entries say "many"
 * @counts: of all 64; others than those of @mask are left alone
 *
 * Return: 0, -EILSEQ no count for one of them, errors of reading.
 */
int __must_check pd_sm_overflow_lookup_word(struct pd_sm *sm, pd_block_t first,
					    u64 mask, __le32 *counts);

/** pd_sm_forget_overflow() - a transaction ends: forget the noted changes */
void pd_sm_forget_overflow(struct pd_sm *sm);

#endif /* PD_SPACE_MAP_COUNTS_H */
