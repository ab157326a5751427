/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Verify a space map against itself.
 */
#ifndef PD_SPACE_MAP_CHECK_H
#define PD_SPACE_MAP_CHECK_H

#include "persistent-data/space-map.h"

/**
 * pd_sm_check() - walk bitmaps, index and overflow tree against each other
 * @sm: space map
 * @reached: called for every metadata block the map itself occupies; may be
 *	NULL
 * @context: for @reached
 *
 * For tests.  (R)
 *
 * Return: 0, -EILSEQ inconsistent (logged), -EIO.
 */
int __must_check pd_sm_check(struct pd_sm *sm,
			     int (*reached)(void *context, pd_block_t b),
			     void *context);

#endif /* PD_SPACE_MAP_CHECK_H */
