/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Counts the holders of a lock, so that assertions about it can fail. */
#pragma once
#include <pthread.h>
#include <linux/bug.h>
#include <linux/types.h>

struct shim_owner {
	pthread_t writer;
	int nr_writers;		/* 0 or 1 */
	int nr_readers;
};

static inline bool shim_held_write(const struct shim_owner *o)
{
	return __atomic_load_n(&o->nr_writers, __ATOMIC_RELAXED) &&
	       pthread_equal(__atomic_load_n(&o->writer, __ATOMIC_RELAXED),
			     pthread_self());
}

static inline void shim_own(struct shim_owner *o)
{
	__atomic_store_n(&o->writer, pthread_self(), __ATOMIC_RELAXED);
	__atomic_store_n(&o->nr_writers, 1, __ATOMIC_RELAXED);
}

static inline void shim_disown(struct shim_owner *o)
{
	WARN_ON(!shim_held_write(o));
	__atomic_store_n(&o->nr_writers, 0, __ATOMIC_RELAXED);
}

#define lockdep_is_held(l)	(shim_held_write(&(l)->owner) || \
	__atomic_load_n(&(l)->owner.nr_readers, __ATOMIC_RELAXED) > 0)
#define lockdep_assert_held(l)		WARN_ON(!lockdep_is_held(l))
#define lockdep_assert_held_read(l)	WARN_ON(!lockdep_is_held(l))
#define lockdep_assert_held_write(l) \
	WARN_ON(!shim_held_write(&(l)->owner))
#define lockdep_assert_not_held(l)	WARN_ON(shim_held_write(&(l)->owner))
#define lockdep_set_class(l, k)		((void)0)
struct lock_class_key {
	int unused;
};
