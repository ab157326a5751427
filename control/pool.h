/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The registry of pools: finds, creates and releases them.
 */
#ifndef THINX_POOL_H
#define THINX_POOL_H

#include "control/pool-types.h"

/**
 * thinx_pool_get_for_table() - find or create the pool of a pool table
 * @dm: dm device the table is for
 * @metadata: its metadata device
 * @data: its data device
 * @args: the table
 * @pool: counted result
 * @error: what is wrong, for the log
 *
 * Only for a pool that is not there yet the devices are looked at.
 *
 * Context: Constructor, may sleep.
 * Return: 0; -EBUSY a device belongs to another pool; -EINVAL the table does
 * not fit the pool of @dm, or the data device; -EROFS the metadata device is
 * write-protected; what thinx_md_open_bdev() returns; -ENOMEM.
 */
int __must_check thinx_pool_get_for_table(struct mapped_device *dm,
					  struct block_device *metadata,
					  struct block_device *data,
					  const struct thinx_pool_args *args,
					  struct thinx_pool **pool,
					  char **error);

/**
 * thinx_pool_get_by_dm() - find the pool of a dm device
 * @dm: dm device
 *
 * Context: May sleep.
 * Return: counted pool or NULL.
 */
struct thinx_pool *thinx_pool_get_by_dm(struct mapped_device *dm);

/**
 * thinx_pool_put() - drop a reference; the last one commits and closes
 * @pool: pool
 *
 * Context: May sleep.
 */
void thinx_pool_put(struct thinx_pool *pool);

/**
 * thinx_pool_put_table() - a table of the pool goes, then its reference
 * @pool: pool
 *
 * If it was the last one and there is no volume, no volume can find the pool
 * any more.
 *
 * Context: Destructor of a pool table, may sleep.
 * Return: true if it was the last one but volumes use the pool: abandon it.
 */
bool __must_check thinx_pool_put_table(struct thinx_pool *pool);

/**
 * thinx_pool_forget_devices() - give up the devices of an abandoned pool
 * @pool: pool
 *
 * Context: Nothing touches them any more.  May sleep.
 */
void thinx_pool_forget_devices(struct thinx_pool *pool);

#endif /* THINX_POOL_H */
