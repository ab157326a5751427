/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The block spaces and the word, and the only conversions between them.  Usable
 * in user space.
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

/*
 * What is known of a virtual block, in CPU byte order: a mapping value (data
 * block << 24 | time), or one of two values no mapping has, since a data space
 * has fewer than 2^40 blocks.
 */
typedef u64 thinx_word_t;

#define THINX_WORD_UNKNOWN	(~0ULL)
#define THINX_WORD_HOLE		(~0ULL - 1)

/** thinx_word_is_mapping() - is it a mapping, neither UNKNOWN nor HOLE? */
static inline bool thinx_word_is_mapping(thinx_word_t word)
{
	return word < THINX_WORD_HOLE;
}

static inline thinx_word_t thinx_mapping_pack(thinx_dblock_t b, u32 time)
{
	return b << THINX_TIME_BITS | (time & THINX_TIME_MAX);
}

static inline thinx_dblock_t thinx_mapping_block(thinx_word_t m)
{
	return m >> THINX_TIME_BITS;
}

static inline u32 thinx_mapping_time(thinx_word_t m)
{
	return m & THINX_TIME_MAX;
}

#endif /* DM_THINX_TYPES_H */
