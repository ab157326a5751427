/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discarding free data blocks on the data device.
 */
#ifndef THINX_PLANE_TRIM_H
#define THINX_PLANE_TRIM_H

#include "data-path/plane-types.h"

/**
 * struct thinx_trim - a walk over the data blocks, in steps
 * @from: the next data block to look at; moves forward
 * @most: blocks to discard; the last step may discard a few more, since parts of
 *	what the data device discards at once cannot be discarded
 * @trimmed: discarded so far
 * @done: nothing is left
 * @free: scratch memory of a step
 */
struct thinx_trim {
	thinx_dblock_t from;
	u64 most;
	u64 trimmed;
	bool done;
	struct thinx_md_free free;
};

/**
 * thinx_trim_step() - discard some free blocks
 * @plane: plane, not suspended
 * @t: walk
 *
 * Writes do not get the blocks meanwhile; those that find no others wait.
 *
 * Context: May sleep; no locks held, outside any gate.
 * Return: 0; what thinx_md_hold_free_locked() returns; what the data device
 * returned, and then some blocks may not have been discarded.
 */
int __must_check thinx_trim_step(struct thinx_plane *plane,
				 struct thinx_trim *t);

#endif /* THINX_PLANE_TRIM_H */
