/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Memory, with a switch that makes the n-th allocation fail. */
#pragma once
#include <stdlib.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/types.h>

#define __GFP_ZERO		0x1u
#define __GFP_NOWARN		0x2u
#define __GFP_NORETRY		0x4u
#define __GFP_NOFAIL		0x8u
#define __GFP_NOMEMALLOC	0x10u
#define __GFP_HIGH		0x20u
#define __GFP_MEMALLOC		0x40u
#define GFP_KERNEL		0x100u
#define GFP_NOIO		0x200u
#define GFP_NOFS		0x400u
#define GFP_NOWAIT		0x800u
#define GFP_ATOMIC		0x1000u

/*
 * Allocation number @n from now (0 is the next one) and, if @and_later, all
 * after it return NULL.  Negative: nothing fails.  With __GFP_NORETRY one that
 * is to fail is not counted: the caller tries again, and that fails.
 */
void shim_fail_alloc(long n, bool and_later);

/* Allocations since shim_fail_alloc(), failed ones included. */
long shim_nr_allocs(void);

void *shim_alloc(size_t size, gfp_t gfp);
void *shim_realloc(const void *p, size_t size);

#define kmalloc(s, g)		shim_alloc(s, g)
#define kzalloc(s, g)		shim_alloc(s, (g) | __GFP_ZERO)
#define kmalloc_array(n, s, g)	shim_alloc(array_size(n, s), g)
#define kcalloc(n, s, g)	shim_alloc(array_size(n, s), (g) | __GFP_ZERO)
#define kvmalloc(s, g)		kmalloc(s, g)
#define kvzalloc(s, g)		kzalloc(s, g)
#define kvmalloc_array(n, s, g)	kmalloc_array(n, s, g)
#define kvcalloc(n, s, g)	kcalloc(n, s, g)
#define krealloc(p, s, g)	shim_realloc(p, s)
#define krealloc_array(p, n, s, g) shim_realloc(p, array_size(n, s))
#define kfree(p)		free((void *)(p))
#define kvfree(p)		free((void *)(p))

char *kstrdup(const char *s, gfp_t gfp);
void *kmemdup(const void *p, size_t len, gfp_t gfp);

struct kmem_cache {
	size_t size;
};

#define SLAB_RECLAIM_ACCOUNT	0x1u

#define KMEM_CACHE(type, flags)	kmem_cache_create(#type, sizeof(struct type), \
						  0, flags, NULL)
struct kmem_cache *kmem_cache_create(const char *name, size_t size,
				     size_t align, unsigned int flags,
				     void (*ctor)(void *));
void kmem_cache_destroy(struct kmem_cache *c);
#define kmem_cache_alloc(c, g)	shim_alloc((c)->size, g)
#define kmem_cache_zalloc(c, g)	shim_alloc((c)->size, (g) | __GFP_ZERO)
#define kmem_cache_free(c, p)	free(p)
