/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thin devices: the details tree, and the objects in core.
 *
 * Context of all functions: metadata lock held for writing.
 */
#ifndef THINX_DEVICE_H
#define THINX_DEVICE_H

#include "metadata/metadata.h"

/** thinx_device_init_kind() - set up the kind of the details tree */
void thinx_device_init_kind(struct thinx_md *md);

/**
 * thinx_device_get() - the object of a device, from core or from the trees
 * @md: metadata
 * @id: device id
 * @dev: result; nothing is counted: thinx_device_put_idle() if it is not kept
 *
 * Return: 0, -ENODATA no such device, -ENOMEM, errors of metadata.
 */
int __must_check thinx_device_get(struct thinx_md *md, u64 id,
				  struct thinx_md_dev **dev);

/** thinx_device_put_idle() - free the object if nothing keeps it (I3 of
 * metadata.h)
 */
void thinx_device_put_idle(struct thinx_md_dev *dev);

/** thinx_device_mark_changed() - it has a change in the open generation */
void thinx_device_mark_changed(struct thinx_md_dev *dev);

/** thinx_device_add_mapped() - @nr more mappings; marks it changed */
void thinx_device_add_mapped(struct thinx_md_dev *dev, u64 nr);

/** thinx_device_sub_mapped() - @nr mappings fewer; marks it changed */
void thinx_device_sub_mapped(struct thinx_md_dev *dev, u64 nr);

/** thinx_device_create_thin() - thinx_md_create_thin() */
int __must_check thinx_device_create_thin(struct thinx_md *md, u32 id);

/** thinx_device_create_snap() - thinx_md_create_snap() */
int __must_check thinx_device_create_snap(struct thinx_md *md, u32 id,
					  u32 origin_id);

/**
 * thinx_device_flush() - write changed details into the details tree
 * @md: metadata
 *
 * Inside a change.
 *
 * Return: 0, errors of changing a tree.
 */
int __must_check thinx_device_flush(struct thinx_md *md);

/** thinx_device_close_generation() - changed devices are in the closing one */
void thinx_device_close_generation(struct thinx_md *md);

/** thinx_device_complete_generation() - the closing one is durable */
void thinx_device_complete_generation(struct thinx_md *md);

/**
 * thinx_device_abort() - read all objects again after an abort
 * @md: metadata, its trees are those of the last commit
 *
 * Return: 0, errors of metadata.
 */
int __must_check thinx_device_abort(struct thinx_md *md);

/** thinx_device_free_all() - the end */
void thinx_device_free_all(struct thinx_md *md);

/**
 * struct thinx_drop - taking a device out of a pair of trees, in steps
 * @id: device id
 * @next: its mappings below this block are gone
 * @stepwise: it is too large to go at once
 * @done: result: it is gone
 * @nr_removed: result: mappings removed by this step
 */
struct thinx_drop {
	u64 id;
	u64 next;
	bool stepwise;
	bool done;
	u64 nr_removed;
};

/**
 * thinx_device_drop_step() - one step of it
 * @md: metadata
 * @roots: the trees, updated
 * @drop: zeroed but for the id before the first step
 * @nr_mapped: mappings it has, for the estimate of room
 *
 * Return: 0, -ENODATA no such device in the mapping tree, -ENOSPC, errors of
 * metadata.
 */
int __must_check thinx_device_drop_step(struct thinx_md *md,
					struct thinx_roots *roots,
					struct thinx_drop *drop, u64 nr_mapped);

/**
 * thinx_device_delete_begin() - nobody may open it from now on
 * @md: metadata
 * @id: device id
 * @dev: the device
 *
 * Return: 0, -ENODATA, -EBUSY open or being deleted, -ENOMEM, errors of
 * metadata.
 */
int __must_check thinx_device_delete_begin(struct thinx_md *md, u32 id,
					   struct thinx_md_dev **dev);

/**
 * thinx_device_delete_step() - one step; frees @dev with the last one
 * @dev: from thinx_device_delete_begin()
 * @drop: see thinx_device_drop_step()
 *
 * Return: as thinx_device_drop_step().
 */
int __must_check thinx_device_delete_step(struct thinx_md_dev *dev,
					  struct thinx_drop *drop);

/** thinx_device_delete_cancel() - it stays, with what it has left */
void thinx_device_delete_cancel(struct thinx_md_dev *dev);

#endif /* THINX_DEVICE_H */
