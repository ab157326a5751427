/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The part of the XArray the library uses: a radix tree under one lock. */
#pragma once
#include <pthread.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/types.h>

struct shim_xa_node;

struct xarray {
	pthread_mutex_t lock;	/* recursive: xa_load() under xa_lock() */
	struct shim_xa_node *root;
};

typedef unsigned int xa_mark_t;
#define XA_PRESENT		8U

#define XARRAY_INIT(name, flags) \
	{ .lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP }
#define DEFINE_XARRAY(name)	struct xarray name = XARRAY_INIT(name, 0)

void xa_init_flags(struct xarray *xa, gfp_t flags);
#define xa_init(xa)		xa_init_flags(xa, 0)
#define xa_lock(xa)		pthread_mutex_lock(&(xa)->lock)
#define xa_unlock(xa)		pthread_mutex_unlock(&(xa)->lock)

void *xa_load(struct xarray *xa, unsigned long index);
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old,
		 void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max,
	      xa_mark_t filter);
void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max,
		    xa_mark_t filter);
void xa_destroy(struct xarray *xa);
#define __xa_store(xa, i, e, g)	xa_store(xa, i, e, g)
#define __xa_erase(xa, i)	xa_erase(xa, i)

static inline bool xa_empty(const struct xarray *xa)
{
	return !__atomic_load_n(&xa->root, __ATOMIC_RELAXED);
}

#define xa_for_each_range(xa, index, entry, start, last) \
	for (index = (start), \
	     entry = xa_find(xa, &index, last, XA_PRESENT); entry; \
	     entry = xa_find_after(xa, &index, last, XA_PRESENT))
#define xa_for_each_start(xa, index, entry, start) \
	xa_for_each_range(xa, index, entry, start, ULONG_MAX)
#define xa_for_each(xa, index, entry) \
	xa_for_each_start(xa, index, entry, 0)

static inline void *xa_mk_value(unsigned long v)
{
	WARN_ON((long)v < 0);
	return (void *)((v << 1) | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

static inline bool xa_is_err(const void *entry)
{
	return ((unsigned long)entry & 3) == 2 &&
	       (unsigned long)entry >= ((unsigned long)-MAX_ERRNO << 2 | 2);
}

static inline int xa_err(void *entry)
{
	return xa_is_err(entry) ? (int)((long)entry >> 2) : 0;
}
