/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Arithmetic on one space-map bitmap block: 16320 two-bit entries
 * (docs/format.md section 6.4).  Pure functions, no errors, no locks.
 *
 * An entry holds a count of 0, 1 or 2, or PD_BITMAP_MANY for "three or more,
 * see the overflow tree".
 */
#ifndef PD_SPACE_MAP_BITMAP_H
#define PD_SPACE_MAP_BITMAP_H

#include "pd-types.h"

struct pd_disk_bitmap;

#define PD_BITMAP_MANY 3

/**
 * struct pd_bitmap_word - 64 neighbouring entries, bit by bit
 * @low: bit n: the low bit of entry n
 * @high: bit n: the high bit of entry n
 */
struct pd_bitmap_word {
	u64 low;
	u64 high;
};

/** pd_bitmap_word_get() - entry @n of the 64 */
static inline unsigned int pd_bitmap_word_get(const struct pd_bitmap_word *w,
					      u32 n)
{
	return (w->high >> n & 1) << 1 | (w->low >> n & 1);
}

/** pd_bitmap_word_set() - change entry @n of the 64 */
static inline void pd_bitmap_word_set(struct pd_bitmap_word *w, u32 n,
				      unsigned int value)
{
	w->low = (w->low & ~(1ULL << n)) | (u64)(value & 1) << n;
	w->high = (w->high & ~(1ULL << n)) | (u64)(value >> 1) << n;
}

/**
 * pd_bitmap_get_word() - 64 entries at once
 * @bm: bitmap block
 * @n: entries 64 * @n .. 64 * @n + 63
 * @w: result
 */
void pd_bitmap_get_word(const struct pd_disk_bitmap *bm, u32 n,
			struct pd_bitmap_word *w);

/**
 * pd_bitmap_set_word() - change 64 entries at once
 * @bm: bitmap block
 * @n: entries 64 * @n .. 64 * @n + 63
 * @w: what they shall be
 */
void pd_bitmap_set_word(struct pd_disk_bitmap *bm, u32 n,
			const struct pd_bitmap_word *w);

/**
 * pd_bitmap_get() - one entry
 * @bm: bitmap block
 * @e: 0 .. PD_ENTRIES_PER_BITMAP - 1
 *
 * Return: 0 .. 2, or PD_BITMAP_MANY.
 */
unsigned int pd_bitmap_get(const struct pd_disk_bitmap *bm, u32 e);

/**
 * pd_bitmap_set() - change one entry
 * @bm: bitmap block
 * @e: 0 .. PD_ENTRIES_PER_BITMAP - 1
 * @value: 0 .. PD_BITMAP_MANY
 */
void pd_bitmap_set(struct pd_disk_bitmap *bm, u32 e, unsigned int value);

/**
 * pd_bitmap_nr_used() - number of non-zero entries
 * @bm: bitmap block
 * @nr: only the first @nr entries are looked at
 */
u32 pd_bitmap_nr_used(const struct pd_disk_bitmap *bm, u32 nr);

/**
 * pd_bitmap_first_free() - lowest entry that is zero
 * @bm: bitmap block
 *
 * Return: its index; PD_ENTRIES_PER_BITMAP if no entry is zero.
 */
u32 pd_bitmap_first_free(const struct pd_disk_bitmap *bm);

/**
 * pd_bitmap_used_bits() - one bit per entry: is it non-zero?
 * @bm: bitmap block
 * @bits: PD_ENTRIES_PER_BITMAP bits, overwritten
 */
void pd_bitmap_used_bits(const struct pd_disk_bitmap *bm, unsigned long *bits);

#endif /* PD_SPACE_MAP_BITMAP_H */
