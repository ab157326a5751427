/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata snapshot: a superblock copy that keeps a state alive for user
 * space to read.
 *
 * Context of all functions: metadata lock held for writing.
 */
#ifndef THINX_HELD_ROOT_H
#define THINX_HELD_ROOT_H

#include "metadata/drop.h"

/**
 * thinx_held_root_reserve() - pin the working state
 * @md: metadata
 *
 * Return: 0, -EBUSY there is one already, -ENOSPC, metadata errors.
 */
int __must_check thinx_held_root_reserve(struct thinx_md *md);

/**
 * thinx_held_root_release_step() - one step of releasing it
 * @md: metadata
 * @drop: zeroed before the first step
 *
 * It is gone when md->held_root is 0.
 *
 * Return: 0, -EINVAL there is none, -ENOSPC, metadata errors.
 */
int __must_check thinx_held_root_release_step(struct thinx_md *md,
					      struct thinx_drop *drop);

/**
 * thinx_held_root_detach() - thinx_drop_detach() for a device in it
 * @md: metadata
 * @drop: see thinx_drop_detach()
 *
 * Return: as thinx_drop_detach(), -EINVAL there is no metadata snapshot.
 */
int __must_check thinx_held_root_detach(struct thinx_md *md,
					struct thinx_drop *drop);

/**
 * thinx_held_root_read() - read which trees it refers to
 * @md: metadata with a held root; the lock held for reading is enough
 * @roots: result
 *
 * Return: 0, metadata errors.
 */
int __must_check thinx_held_root_read(struct thinx_md *md,
				      struct thinx_roots *roots);

#endif /* THINX_HELD_ROOT_H */
