/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Fitting runs of free data blocks to what the data device can discard.
 *
 *   granules  |       |       |       |       |
 *   a run        [==========================)        blocks
 *   of it             [===============)              what is discarded
 *                                     └ if the step ended within the run, the
 *                                       next one begins with the block here
 *
 * I1  Each granule that lies wholly in free blocks is discarded, wherever steps
 *     end, as long as a step may hold thinx_granule_least() blocks.
 *
 * Pure functions; any context.
 */
#ifndef THINX_GRANULE_H
#define THINX_GRANULE_H

#include <linux/math64.h>
#include <linux/minmax.h>

#include "dm-thinx-types.h"

/**
 * struct thinx_granule - where discards of the data device may begin and end
 * @sectors: at multiples of this, >= 1
 * @offset: plus this, < @sectors
 */
struct thinx_granule {
	u32 sectors;
	u32 offset;
};

/* Sectors from the last border up to @sector. */
static inline u32 thinx_granule_rest(const struct thinx_granule *g, u64 sector)
{
	u32 rest;

	div_u64_rem(sector + g->sectors - g->offset, g->sectors, &rest);
	return rest;
}

/**
 * thinx_granule_fit() - what can be discarded of a run of blocks
 * @g: granule
 * @block_sectors: block size
 * @begin: first block
 * @end: one past the last
 * @from: result: first sector
 * @to: result: one past the last
 *
 * Return: false: nothing.
 */
static inline bool thinx_granule_fit(const struct thinx_granule *g,
				     u32 block_sectors, u64 begin, u64 end,
				     u64 *from, u64 *to)
{
	u32 rest;

	*from = begin * block_sectors;
	rest = thinx_granule_rest(g, *from);
	if (rest)
		*from += g->sectors - rest;
	*to = end * block_sectors;
	*to -= min_t(u64, *to, thinx_granule_rest(g, *to));
	return *from < *to;
}

/**
 * thinx_granule_least() - blocks that a step must be able to hold
 * @g: granule
 * @block_sectors: block size
 *
 * So many free neighbours contain a granule, and then one more.
 */
static inline u32 thinx_granule_least(const struct thinx_granule *g,
				      u32 block_sectors)
{
	if (block_sectors % g->sectors == 0 && !g->offset)
		return 1;
	return 2 * (g->sectors / block_sectors) + 4;
}

/**
 * thinx_granule_next() - where the next step begins
 * @g: granule
 * @block_sectors: block size
 * @first: first block of this step
 * @begin: first block of its last run
 * @reached: one past the last block of that run and of the step
 *
 * Return: a block, > @first.
 */
static inline u64 thinx_granule_next(const struct thinx_granule *g,
				     u32 block_sectors, u64 first, u64 begin,
				     u64 reached)
{
	u64 from, to, next = begin;

	if (thinx_granule_fit(g, block_sectors, begin, reached, &from, &to))
		next = div_u64(to, block_sectors);
	return next > first ? next : reached;
}

#endif /* THINX_GRANULE_H */
