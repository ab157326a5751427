// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The small user-space kernel: log, warnings, memory that can fail, bits and
 * CRC-32C.  The XArray is in xarray.c.
 *
 * Context: any thread; the fault switches are for one thread at a time.
 */
#include <linux/bitmap.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

void (*shim_on_resched)(void);

bool shim_warn_aborts = true;
unsigned long shim_nr_warnings;
unsigned long shim_nr_logged;

void shim_log(const char *fmt, ...)
{
	va_list ap;

	__atomic_add_fetch(&shim_nr_logged, 1, __ATOMIC_RELAXED);
	if (!getenv("SHIM_VERBOSE"))
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

bool shim_warn(bool cond, const char *expr, const char *file, int line)
{
	if (likely(!cond))
		return false;
	__atomic_add_fetch(&shim_nr_warnings, 1, __ATOMIC_RELAXED);
	if (shim_warn_aborts) {
		fprintf(stderr, "%s:%d: WARN_ON(%s)\n", file, line, expr);
		abort();
	}
	return true;
}

/* ---- memory ---- */

static long fail_at = -1;
static bool fail_later;
static long nr_allocs;

void shim_fail_alloc(long n, bool and_later)
{
	fail_at = n;
	fail_later = and_later;
	__atomic_store_n(&nr_allocs, 0, __ATOMIC_RELAXED);
}

long shim_nr_allocs(void)
{
	return __atomic_load_n(&nr_allocs, __ATOMIC_RELAXED);
}

static bool is_to_fail(long n)
{
	return fail_at >= 0 && (n == fail_at || (fail_later && n > fail_at));
}

static bool shim_alloc_fails(gfp_t gfp)
{
	if ((gfp & __GFP_NORETRY) &&
	    is_to_fail(__atomic_load_n(&nr_allocs, __ATOMIC_RELAXED)))
		return true;
	return is_to_fail(__atomic_fetch_add(&nr_allocs, 1, __ATOMIC_RELAXED));
}

void *shim_alloc(size_t size, gfp_t gfp)
{
	void *p;

	if (size == SIZE_MAX || shim_alloc_fails(gfp))
		return NULL;
	p = malloc(size);
	if (p)
		memset(p, gfp & __GFP_ZERO ? 0 : 0xa5, size);
	return p;
}

void *shim_realloc(const void *p, size_t size)
{
	if (size == SIZE_MAX || shim_alloc_fails(0))
		return NULL;
	return realloc((void *)p, size);
}

char *kstrdup(const char *s, gfp_t gfp)
{
	return kmemdup(s, strlen(s) + 1, gfp);
}

void *kmemdup(const void *p, size_t len, gfp_t gfp)
{
	void *n = shim_alloc(len, gfp);

	return n ? memcpy(n, p, len) : NULL;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size,
				     size_t align, unsigned int flags,
				     void (*ctor)(void *))
{
	struct kmem_cache *c = shim_alloc(sizeof(*c), GFP_KERNEL);

	if (c)
		c->size = size;
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	free(c);
}

/* ---- bytes and bits ---- */

void *memchr_inv(const void *p, int c, size_t len)
{
	const u8 *b = p;

	for (; len; len--, b++)
		if (*b != (u8)c)
			return (void *)b;
	return NULL;
}

unsigned long shim_find_bit(const unsigned long *p, unsigned long size,
			    unsigned long from, unsigned long invert)
{
	unsigned long i, w;

	if (from >= size)
		return size;
	i = from / BITS_PER_LONG;
	w = (p[i] ^ invert) & (~0UL << (from % BITS_PER_LONG));
	while (!w) {
		if (++i * BITS_PER_LONG >= size)
			return size;
		w = p[i] ^ invert;
	}
	return min(i * BITS_PER_LONG + __ffs(w), size);
}

void bitmap_set(unsigned long *p, unsigned int start, unsigned int n)
{
	for (; n; n--, start++)
		__set_bit(start, p);
}

void bitmap_clear(unsigned long *p, unsigned int start, unsigned int n)
{
	for (; n; n--, start++)
		__clear_bit(start, p);
}

unsigned int bitmap_weight(const unsigned long *p, unsigned int n)
{
	unsigned int i, r = 0;

	for (i = 0; i < n; i++)
		r += test_bit(i, p);
	return r;
}

unsigned long *bitmap_zalloc(unsigned int n, gfp_t gfp)
{
	return kcalloc(BITS_TO_LONGS(n), sizeof(long), gfp);
}

void bitmap_free(const unsigned long *p)
{
	kfree(p);
}

/* ---- CRC-32C, eight bytes per step ---- */

static u32 crc_table[8][256];

static __attribute__((constructor)) void crc_init(void)
{
	u32 i, j, c;

	for (i = 0; i < 256; i++) {
		for (c = i, j = 0; j < 8; j++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			crc_table[j][i] = crc_table[j - 1][i] >> 8 ^
					  crc_table[0][crc_table[j - 1][i] & 255];
}

u32 crc32c(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;
	int k;

	for (; len >= 8; len -= 8, p += 8) {
		u64 w;
		u32 n = 0;

		memcpy(&w, p, 8);
		w ^= crc;
		for (k = 0; k < 8; k++)
			n ^= crc_table[7 - k][w >> (8 * k) & 255];
		crc = n;
	}
	for (; len; len--, p++)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 255];
	return crc;
}
