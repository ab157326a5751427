/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Status and table lines of a pool.
 */
#ifndef THINX_STATUS_H
#define THINX_STATUS_H

#include "control/pool-types.h"

/** thinx_pool_status() - dm's status operation */
void thinx_pool_status(struct dm_target *ti, status_type_t type,
		       unsigned int flags, char *result, unsigned int maxlen);

#endif /* THINX_STATUS_H */
