/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages to a pool.
 */
#ifndef THINX_MESSAGE_H
#define THINX_MESSAGE_H

#include "control/pool-types.h"

/** thinx_pool_message() - dm's message operation */
int thinx_pool_message(struct dm_target *ti, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen);

#endif /* THINX_MESSAGE_H */
