/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Metadata and data devices that have grown.
 */
#ifndef THINX_RESIZE_H
#define THINX_RESIZE_H

#include "control/pool-types.h"

/**
 * thinx_pool_resize() - grow metadata to the current size of table and device
 * @pool: pool, bound and quiesced
 * @sectors: length of the pool table
 *
 * Context: preresume.
 * Return: 0; -EINVAL something became smaller.
 */
int __must_check thinx_pool_resize(struct thinx_pool *pool, sector_t sectors);

#endif /* THINX_RESIZE_H */
