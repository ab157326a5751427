/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Bits, and arrays of them. */
#pragma once
#include <stdbool.h>
#include <string.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define BITS_PER_LONG		64
#define BITS_PER_BYTE		8
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define BIT_MASK(n)		(1UL << ((n) % BITS_PER_LONG))
#define BIT_WORD(n)		((n) / BITS_PER_LONG)
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

#define hweight32(w)		((unsigned int)__builtin_popcount(w))
#define hweight64(w)		((unsigned long)__builtin_popcountll(w))
#define hweight_long(w)		((unsigned long)__builtin_popcountl(w))
#define __ffs(w)		((unsigned long)__builtin_ctzl(w))
#define __ffs64(w)		((unsigned long)__builtin_ctzll(w))
#define __fls(w)		(63UL - __builtin_clzl(w))
#define fls(w)			((w) ? 32 - __builtin_clz(w) : 0)
#define fls64(w)		((w) ? 64 - __builtin_clzll(w) : 0)
#define ilog2(n)		(fls64(n) - 1)
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))

#define __set_bit(n, p)		((void)((p)[BIT_WORD(n)] |= BIT_MASK(n)))
#define __clear_bit(n, p)	((void)((p)[BIT_WORD(n)] &= ~BIT_MASK(n)))
#define test_bit(n, p) \
	(!!(__atomic_load_n(&(p)[BIT_WORD(n)], __ATOMIC_RELAXED) & BIT_MASK(n)))
#define set_bit(n, p)		((void)__atomic_fetch_or(&(p)[BIT_WORD(n)], \
					BIT_MASK(n), __ATOMIC_SEQ_CST))
#define clear_bit(n, p)		((void)__atomic_fetch_and(&(p)[BIT_WORD(n)], \
					~BIT_MASK(n), __ATOMIC_SEQ_CST))
#define test_and_set_bit(n, p)	(!!(__atomic_fetch_or(&(p)[BIT_WORD(n)], \
					BIT_MASK(n), __ATOMIC_SEQ_CST) & \
				    BIT_MASK(n)))

unsigned long shim_find_bit(const unsigned long *p, unsigned long size,
			    unsigned long from, unsigned long invert);

#define find_next_bit(p, size, from)	  shim_find_bit(p, size, from, 0)
#define find_first_bit(p, size)		  shim_find_bit(p, size, 0, 0)
#define find_next_zero_bit(p, size, from) shim_find_bit(p, size, from, ~0UL)
#define find_first_zero_bit(p, size)	  shim_find_bit(p, size, 0, ~0UL)
#define for_each_set_bit(bit, p, size) \
	for (bit = find_first_bit(p, size); bit < (size); \
	     bit = find_next_bit(p, size, bit + 1))

void bitmap_set(unsigned long *p, unsigned int start, unsigned int n);
void bitmap_clear(unsigned long *p, unsigned int start, unsigned int n);
unsigned int bitmap_weight(const unsigned long *p, unsigned int n);
unsigned long *bitmap_zalloc(unsigned int n, gfp_t gfp);
void bitmap_free(const unsigned long *p);

static inline void bitmap_or(unsigned long *d, const unsigned long *a,
			     const unsigned long *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(n); i++)
		d[i] = a[i] | b[i];
}

static inline void bitmap_zero(unsigned long *p, unsigned int n)
{
	memset(p, 0, BITS_TO_LONGS(n) * sizeof(*p));
}

static inline void bitmap_fill(unsigned long *p, unsigned int n)
{
	memset(p, 0xff, BITS_TO_LONGS(n) * sizeof(*p));
}
