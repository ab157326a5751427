// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Arithmetic on one space-map bitmap block.
 *
 *   word w, little-endian:  entry 32w+31 … 32w+1 32w, two bits each
 *   bits of an entry:       even bit = high bit of the count,
 *                           odd bit  = low bit  (swapped; see format.md 6.4)
 *
 * I1  An entry is used iff either of its two bits is set, so testing for "used"
 *     needs no swapping and handles 32 entries at a time.
 */
#include "space-map-bitmap.h"

#include "include/pd-format.h"

#include <linux/bitops.h>
#include <asm/byteorder.h>

#define EVEN_BITS 0x5555555555555555ULL

/* The even bits of the result say which entries of the word are used. */
static u64 used_mask(__le64 word)
{
	u64 w = le64_to_cpu(word);

	return (w | w >> 1) & EVEN_BITS;
}

/* Move the even bits together: 64 bits become 32. */
static u32 squeeze_bits(u64 m)
{
	m = (m | m >> 1) & 0x3333333333333333ULL;
	m = (m | m >> 2) & 0x0f0f0f0f0f0f0f0fULL;
	m = (m | m >> 4) & 0x00ff00ff00ff00ffULL;
	m = (m | m >> 8) & 0x0000ffff0000ffffULL;
	m = m | m >> 16;
	return m;
}

/* The reverse: 32 bits become the even bits of 64. */
static u64 spread_bits(u32 bits)
{
	u64 m = bits;

	m = (m | m << 16) & 0x0000ffff0000ffffULL;
	m = (m | m << 8) & 0x00ff00ff00ff00ffULL;
	m = (m | m << 4) & 0x0f0f0f0f0f0f0f0fULL;
	m = (m | m << 2) & 0x3333333333333333ULL;
	m = (m | m << 1) & EVEN_BITS;
	return m;
}

void pd_bitmap_get_word(const struct pd_disk_bitmap *bm, u32 n,
			struct pd_bitmap_word *w)
{
	u64 a = le64_to_cpu(bm->words[2 * n]);
	u64 b = le64_to_cpu(bm->words[2 * n + 1]);

	w->high = squeeze_bits(a & EVEN_BITS) |
		  (u64)squeeze_bits(b & EVEN_BITS) << 32;
	w->low = squeeze_bits(a >> 1 & EVEN_BITS) |
		 (u64)squeeze_bits(b >> 1 & EVEN_BITS) << 32;
}

void pd_bitmap_set_word(struct pd_disk_bitmap *bm, u32 n,
			const struct pd_bitmap_word *w)
{
	u64 a = spread_bits(w->high) | spread_bits(w->low) << 1;
	u64 b = spread_bits(w->high >> 32) | spread_bits(w->low >> 32) << 1;

	bm->words[2 * n] = cpu_to_le64(a);
	bm->words[2 * n + 1] = cpu_to_le64(b);
}

static unsigned int swap_pair(unsigned int pair)
{
	return (pair & 1) << 1 | pair >> 1;
}

unsigned int pd_bitmap_get(const struct pd_disk_bitmap *bm, u32 e)
{
	u64 w = le64_to_cpu(bm->words[e / PD_ENTRIES_PER_WORD]);

	return swap_pair(w >> 2 * (e % PD_ENTRIES_PER_WORD) & 3);
}

void pd_bitmap_set(struct pd_disk_bitmap *bm, u32 e, unsigned int value)
{
	u32 i = e / PD_ENTRIES_PER_WORD, shift = 2 * (e % PD_ENTRIES_PER_WORD);
	u64 w = le64_to_cpu(bm->words[i]);

	w &= ~(3ULL << shift);
	w |= (u64)swap_pair(value) << shift;
	bm->words[i] = cpu_to_le64(w);
}

u32 pd_bitmap_nr_used(const struct pd_disk_bitmap *bm, u32 nr)
{
	u32 i, rest = nr % PD_ENTRIES_PER_WORD, r = 0;

	for (i = 0; i < nr / PD_ENTRIES_PER_WORD; i++)
		r += hweight64(used_mask(bm->words[i]));
	if (rest)
		r += hweight64(used_mask(bm->words[i]) &
			       ((1ULL << 2 * rest) - 1));
	return r;
}

u32 pd_bitmap_first_free(const struct pd_disk_bitmap *bm)
{
	u32 i;

	for (i = 0; i < PD_WORDS_PER_BITMAP; i++) {
		u64 free = ~used_mask(bm->words[i]) & EVEN_BITS;

		if (free)
			return i * PD_ENTRIES_PER_WORD + __ffs64(free) / 2;
	}
	return PD_ENTRIES_PER_BITMAP;
}

void pd_bitmap_used_bits(const struct pd_disk_bitmap *bm, unsigned long *bits)
{
	u32 i, bit;

	for (i = 0; i < BITS_TO_LONGS(PD_ENTRIES_PER_BITMAP); i++)
		bits[i] = 0;
	for (i = 0; i < PD_WORDS_PER_BITMAP; i++) {
		bit = i * PD_ENTRIES_PER_WORD;
		bits[BIT_WORD(bit)] |=
			(unsigned long)squeeze_bits(used_mask(bm->words[i])) <<
			(bit % BITS_PER_LONG);
	}
}
