/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The two-level mapping tree: device -> virtual block -> data block and time.
 *
 * Context of all functions: metadata lock held for writing unless stated
 * otherwise.
 */
#ifndef THINX_MAPPING_H
#define THINX_MAPPING_H

#include "metadata/metadata.h"

/*
 * How often reading ahead looks again: more than it takes to read a path, its
 * leaves and what counts their blocks, one after the other, even if the device
 * answers in any order.
 */
#define THINX_AHEAD_ROUNDS 32
#include "persistent-data/btree-ahead.h"

/**
 * thinx_mapping_init_kinds() - set up the three views of the mapping tree
 * @md: metadata; its transaction manager is open
 */
void thinx_mapping_init_kinds(struct thinx_md *md);

/**
 * thinx_mapping_lookup() - thinx_md_lookup(), thinx_md_lookup_cached()
 * @dev: device
 * @b: virtual block
 * @fn: called once
 * @context: for @fn
 * @missing: NULL: read what is not cached; else see thinx_md_lookup_cached()
 *
 * Context: metadata lock held for reading.
 */
int __must_check thinx_mapping_lookup(struct thinx_md_dev *dev,
				      thinx_vblock_t b, thinx_md_leaf_fn fn,
				      void *context, u64 *missing);

/** thinx_mapping_insert_run() - thinx_md_insert_run_locked() */
int __must_check thinx_mapping_insert_run(struct thinx_md_dev *dev,
					  thinx_vblock_t vbegin,
					  thinx_dblock_t dbegin, u64 nr,
					  thinx_word_t *mapping);

/** thinx_mapping_restamp() - thinx_md_restamp_locked() */
int __must_check thinx_mapping_restamp(struct thinx_md_dev *dev,
				       thinx_vblock_t vbegin, u32 nr,
				       thinx_word_t *mappings,
				       bool *exclusive);

/** thinx_mapping_remove_step() - thinx_md_remove_range_locked() */
int __must_check thinx_mapping_remove_step(struct thinx_md_dev *dev,
					   struct thinx_md_removal *r);

/**
 * thinx_mapping_read_ahead() - begin to read what a change of mappings will read
 * @md: metadata
 * @root: top-level mapping tree
 * @id: device
 * @ahead: which mappings; the result
 *
 * Context: metadata lock held for reading.
 */
void thinx_mapping_read_ahead(struct thinx_md *md, pd_block_t root, u64 id,
			      struct pd_btree_ahead *ahead);

#endif /* THINX_MAPPING_H */
