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

struct thinx_drop;

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

/** thinx_device_check() - thinx_md_check_device_locked() */
int __must_check thinx_device_check(struct thinx_md *md, u32 id);

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
 * @drop: see thinx_drop_step()
 *
 * Return: as thinx_drop_step().
 */
int __must_check thinx_device_delete_step(struct thinx_md_dev *dev,
					  struct thinx_drop *drop);

/**
 * thinx_device_delete_detach() - thinx_drop_detach(); frees @dev
 * @dev: from thinx_device_delete_begin()
 * @drop: see thinx_drop_detach()
 *
 * Return: as thinx_drop_detach().
 */
int __must_check thinx_device_delete_detach(struct thinx_md_dev *dev,
					    struct thinx_drop *drop);

/** thinx_device_delete_cancel() - keep the device, with what it has left */
void thinx_device_delete_cancel(struct thinx_md_dev *dev);

#endif /* THINX_DEVICE_H */
