/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Taking a device out of a pair of trees: those of the metadata, or of the
 * metadata snapshot.
 *
 * Context of all functions: metadata lock held for writing.
 */
#ifndef THINX_DROP_H
#define THINX_DROP_H

#include "metadata/metadata.h"
#include "persistent-data/btree-ahead.h"

/**
 * enum thinx_drop_stage - how the next step removes a device
 * @THINX_DROP_WHOLE: at once, if that is little work
 * @THINX_DROP_OWN: leaves of its tree alone are taken out, a few at a time, and
 *	counted; what it shares is not read
 * @THINX_DROP_REST: all that are left are references to what it shares: they go
 *	in steps that belong to one transaction, thinx_drop_detach() and
 *	thinx_drop_rest()
 * @THINX_DROP_COUNTED: leaves are taken out, a few at a time, and counted, shared
 *	or not: if there is no room for the above
 */
enum thinx_drop_stage {
	THINX_DROP_WHOLE,
	THINX_DROP_OWN,
	THINX_DROP_REST,
	THINX_DROP_COUNTED,
};

/**
 * struct thinx_drop - removal of a device from a pair of trees, in steps
 * @id: device id
 * @stage: what comes next
 * @next: up to this block the stage is through with its tree
 * @again: this pass over the tree has removed something
 * @nr_unshared: thinx_md.nr_unshared when it began
 * @nr_passes: so many found nothing, but others were at work meanwhile
 * @root: its tree, which is in no other tree any more, or 0
 * @done: result: it is gone
 * @nr_removed: result: mappings removed by this step
 */
struct thinx_drop {
	u64 id;
	enum thinx_drop_stage stage;
	u64 next;
	bool again;
	u64 nr_unshared;
	unsigned int nr_passes;
	pd_block_t root;
	bool done;
	u64 nr_removed;
};

/**
 * thinx_drop_step() - one step of such a removal
 * @md: metadata
 * @roots: the trees, updated
 * @drop: zeroed except for the id before the first step
 * @nr_mapped: its number of mappings, for the estimate of room
 *
 * Return: 0, -ENODATA no such device in the mapping tree, -ENOSPC, metadata
 * errors.
 */
int __must_check thinx_drop_step(struct thinx_md *md,
				 struct thinx_roots *roots,
				 struct thinx_drop *drop, u64 nr_mapped);

/** thinx_drop_ahead() - what the next thinx_drop_step() will read */
struct pd_btree_ahead thinx_drop_ahead(const struct thinx_drop *drop);

/**
 * thinx_drop_detach() - begin the last stage: take a device out of the trees
 * @md: metadata
 * @roots: the trees, updated
 * @drop: at THINX_DROP_REST; gets the root
 * @nr_mapped: its number of mappings, for the estimate of room
 *
 * From here on until @drop->done no transaction may be closed.
 *
 * Context: also close_mutex.
 * Return: as thinx_drop_step(); -EAGAIN: something that the tree shared
 * may be its own now, so it is at an earlier stage again.
 */
int __must_check thinx_drop_detach(struct thinx_md *md,
				   struct thinx_roots *roots,
				   struct thinx_drop *drop, u64 nr_mapped);

/**
 * thinx_drop_rest() - one step of dropping what is detached
 * @md: metadata
 * @drop: the removal
 *
 * Takes no metadata blocks.
 *
 * Context: also close_mutex, held since thinx_drop_detach().
 * Return: 0, metadata errors.
 */
int __must_check thinx_drop_rest(struct thinx_md *md,
				 struct thinx_drop *drop);

#endif /* THINX_DROP_H */
