/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages about what a device may take of the data space.
 */
#ifndef THINX_QUOTAS_H
#define THINX_QUOTAS_H

#include "control/pool-types.h"

/**
 * thinx_quotas_handle_reserve() - reserve ID BLOCKS
 * @pool: pool
 * @argv: words
 *
 * Context: May sleep; no locks held.
 * Return: 0; -EINVAL, -ENODATA no such device, -EBUSY it is being deleted, -ENOSPC
 * so many are not free, -ENOMEM, metadata errors; all but the last are logged.
 */
int __must_check thinx_quotas_handle_reserve(struct thinx_pool *pool,
					     char **argv);

/** thinx_quotas_handle_limit() - limit ID BLOCKS; likewise, but no -ENOSPC */
int __must_check thinx_quotas_handle_limit(struct thinx_pool *pool,
					   char **argv);

/**
 * thinx_quotas_end() - end the reserve and the limit of a device that is not there
 * @pool: pool
 * @id: device; if there is one, nothing happens
 *
 * When it has been deleted; and before another one gets the id, so that this cannot
 * inherit anything, whoever is faster.
 *
 * Context: May sleep; no locks held.
 */
void thinx_quotas_end(struct thinx_pool *pool, u32 id);

#endif /* THINX_QUOTAS_H */
