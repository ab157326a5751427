/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What a write does not cover of its new blocks.
 */
#ifndef THINX_COPY_H
#define THINX_COPY_H

#include "data-path/group.h"

/**
 * thinx_copy_fill_gaps() - fill in what the bios do not cover
 * @u: update; its bios are sorted by sector
 *
 * Starts the writes; each ends in thinx_update_part_done().
 *
 * Return: true if the bios may be written meanwhile; else that happens as soon
 * as what they lie in is written.
 */
bool thinx_copy_fill_gaps(struct thinx_update *u);

#endif /* THINX_COPY_H */
