/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The block spaces and the mapping value, and the only conversions between
 * them.  Usable in user space.
 *
 *   sector (512 bytes) of a volume ──/ block size──► thinx_vblock_t
 *   thinx_vblock_t ──mapping value──► thinx_dblock_t + time
 *   thinx_dblock_t ──* block size──► sector of the data device
 *
 * The block size is a multiple of 128 sectors, not always a power of two.
 */
#ifndef DM_THINX_TYPES_H
#define DM_THINX_TYPES_H

#include <linux/types.h>

#include "include/thinx-format.h"

typedef u64 thinx_vblock_t;	/* block of a thin volume */
typedef u64 thinx_dblock_t;	/* block of the data device */

/* A mapping value, CPU byte order: data block << 24 | time. */
typedef u64 thinx_mapping_t;

/*
 * No mapping; 0 is one: data block 0 at time 0.  No real mapping is as large:
 * a data space has fewer than 2^40 blocks.
 */
#define THINX_MAPPING_NONE	(~0ULL - 1)

static inline thinx_mapping_t thinx_mapping_pack(thinx_dblock_t b, u32 time)
{
	return b << THINX_TIME_BITS | (time & THINX_TIME_MAX);
}

static inline thinx_dblock_t thinx_mapping_block(thinx_mapping_t m)
{
	return m >> THINX_TIME_BITS;
}

static inline u32 thinx_mapping_time(thinx_mapping_t m)
{
	return m & THINX_TIME_MAX;
}

#endif /* DM_THINX_TYPES_H */
