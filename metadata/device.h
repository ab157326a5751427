/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thin devices: the details tree, and the in-core objects.
 *
 * Context of all functions: metadata lock held for writing.
 */
#ifndef THINX_DEVICE_H
#define THINX_DEVICE_H

#include "metadata/metadata.h"
#include "persistent-data/btree-ahead.h"

/** thinx_device_init_kind() - set up the description of the details tree */
void thinx_device_init_kind(struct thinx_md *md);

/**
 * thinx_device_get() - get the object of a device, from core or from the trees
 * @md: metadata
 * @id: device id
 * @dev: result; not counted: call thinx_device_put_idle() if it is not kept
 *
 * Return: 0, -ENODATA no such device, -ENOMEM, metadata errors.
 */
int __must_check thinx_device_get(struct thinx_md *md, u64 id,
				  struct thinx_md_dev **dev);

/** thinx_device_put_idle() - free the object unless kept (I3 of metadata.h) */
void thinx_device_put_idle(struct thinx_md_dev *dev);

/**
 * thinx_device_change() - number of the last change of a device's mappings
 * @md: metadata
 * @id: device id; whether there is such a device is not looked at
 *
 * Rises with each change and with each abort; sometimes without need.
 *
 * Context: metadata lock held for reading.
 */
u64 thinx_device_change(struct thinx_md *md, u32 id);

/** thinx_device_mark_changed() - note a change in the open generation */
void thinx_device_mark_changed(struct thinx_md_dev *dev);

/** thinx_device_add_mapped() - @nr more mappings; marks it changed */
void thinx_device_add_mapped(struct thinx_md_dev *dev, u64 nr);

/** thinx_device_sub_mapped() - @nr fewer mappings; marks it changed */
void thinx_device_sub_mapped(struct thinx_md_dev *dev, u64 nr);

/** thinx_device_create_thin() - thinx_md_create_thin() */
int __must_check thinx_device_create_thin(struct thinx_md *md, u32 id);

/** thinx_device_create_snaps() - thinx_md_create_snaps() */
int __must_check thinx_device_create_snaps(struct thinx_md *md,
					   const struct thinx_md_pair *pairs,
					   u32 nr);

/** thinx_device_swap() - thinx_md_swap() */
int __must_check thinx_device_swap(struct thinx_md *md,
				   const struct thinx_md_pair *pairs, u32 nr);

/**
 * thinx_device_flush() - write changed details into the details tree
 * @md: metadata
 *
 * Called inside a change.
 *
 * Return: 0, errors from changing a tree.
 */
int __must_check thinx_device_flush(struct thinx_md *md);

/** thinx_device_close_generation() - move changed devices to the closing one */
void thinx_device_close_generation(struct thinx_md *md);

/** thinx_device_complete_generation() - the closing generation is durable */
void thinx_device_complete_generation(struct thinx_md *md);

/**
 * thinx_device_abort() - reread all objects after an abort
 * @md: metadata, its trees are those of the last commit
 *
 * Return: 0, metadata errors.
 */
int __must_check thinx_device_abort(struct thinx_md *md);

/** thinx_device_free_all() - free all objects */
void thinx_device_free_all(struct thinx_md *md);

/**
 * enum thinx_drop_stage - how the next step removes a device
 * @THINX_DROP_WHOLE: at once, if that is little work
 * @THINX_DROP_OWN: leaves of its tree alone are taken out, a few at a time, and
 *	counted; what it shares is not read
 * @THINX_DROP_REST: all that are left are references to what it shares: they go
 *	in steps that belong to one transaction, thinx_device_detach() and
 *	thinx_device_drop_rest()
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
 * thinx_device_drop_step() - one step of such a removal
 * @md: metadata
 * @roots: the trees, updated
 * @drop: zeroed except for the id before the first step
 * @nr_mapped: its number of mappings, for the estimate of room
 *
 * Return: 0, -ENODATA no such device in the mapping tree, -ENOSPC, metadata
 * errors.
 */
int __must_check thinx_device_drop_step(struct thinx_md *md,
					struct thinx_roots *roots,
					struct thinx_drop *drop, u64 nr_mapped);

/** thinx_device_drop_ahead() - what the next thinx_device_drop_step() will read */
struct pd_btree_ahead thinx_device_drop_ahead(const struct thinx_drop *drop);

/**
 * thinx_device_detach() - begin the last stage: take a device out of the trees
 * @md: metadata
 * @roots: the trees, updated
 * @drop: at THINX_DROP_REST; gets the root
 * @nr_mapped: its number of mappings, for the estimate of room
 *
 * From here on until @drop->done no transaction may be closed.
 *
 * Context: also close_mutex.
 * Return: as thinx_device_drop_step(); -EAGAIN: something that the tree shared
 * may be its own now, so it is at an earlier stage again.
 */
int __must_check thinx_device_detach(struct thinx_md *md,
				     struct thinx_roots *roots,
				     struct thinx_drop *drop, u64 nr_mapped);

/**
 * thinx_device_drop_rest() - one step of dropping what is detached
 * @md: metadata
 * @drop: the removal
 *
 * Takes no metadata blocks.
 *
 * Context: also close_mutex, held since thinx_device_detach().
 * Return: 0, metadata errors.
 */
int __must_check thinx_device_drop_rest(struct thinx_md *md,
					struct thinx_drop *drop);

/**
 * thinx_device_delete_begin() - keep the device from being opened from now on
 * @md: metadata
 * @id: device id
 * @dev: the device
 *
 * Return: 0, -ENODATA, -EBUSY open or being deleted, -ENOMEM, metadata
 * errors.
 */
int __must_check thinx_device_delete_begin(struct thinx_md *md, u32 id,
					   struct thinx_md_dev **dev);

/**
 * thinx_device_delete_step() - one step; the last one frees @dev
 * @dev: from thinx_device_delete_begin()
 * @drop: see thinx_device_drop_step()
 *
 * Return: as thinx_device_drop_step().
 */
int __must_check thinx_device_delete_step(struct thinx_md_dev *dev,
					  struct thinx_drop *drop);

/**
 * thinx_device_delete_detach() - thinx_device_detach(); frees @dev
 * @dev: from thinx_device_delete_begin()
 * @drop: see thinx_device_detach()
 *
 * Return: as thinx_device_detach().
 */
int __must_check thinx_device_delete_detach(struct thinx_md_dev *dev,
					    struct thinx_drop *drop);

/** thinx_device_delete_cancel() - keep the device, with what it has left */
void thinx_device_delete_cancel(struct thinx_md_dev *dev);

#endif /* THINX_DEVICE_H */
