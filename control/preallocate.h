/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The message that gives blocks to the holes of a device.
 */
#ifndef THINX_PREALLOCATE_H
#define THINX_PREALLOCATE_H

#include "control/pool-types.h"

/**
 * thinx_preallocate_handle() - provision ID FROM NR
 * @pool: pool
 * @argv: words
 * @stop: becomes true if the sender does not want to wait any longer
 *
 * Context: May sleep, as long as the data device takes for the zeros; no locks held.
 * Return: 0; -EINVAL, -ENODATA no such device, -EBUSY it is being deleted, or the pool
 * suspended, or a table has an external origin; -ENOSPC; -EINTR it was stopped; -EIO,
 * -ENOMEM, metadata errors; all but the last are logged.
 */
int __must_check thinx_preallocate_handle(struct thinx_pool *pool, char **argv,
					  const bool *stop);

/** thinx_preallocate_init() - the pool is suspended */
void thinx_preallocate_init(struct thinx_pool *pool);

/**
 * thinx_preallocate_pause() - none is under way on return, nor begins, until
 * thinx_preallocate_resume()
 * @pool: pool, its gates open or about to open
 *
 * Context: May sleep, as long as a few writes of zeros take.
 */
void thinx_preallocate_pause(struct thinx_pool *pool);

/** thinx_preallocate_resume() - undo thinx_preallocate_pause() */
void thinx_preallocate_resume(struct thinx_pool *pool);

#endif /* THINX_PREALLOCATE_H */
