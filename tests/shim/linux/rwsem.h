/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Reader-writer semaphores over pthread locks. */
#pragma once
#include <linux/lockdep.h>

struct rw_semaphore {
	pthread_rwlock_t lock;
	struct shim_owner owner;
};

static inline void init_rwsem(struct rw_semaphore *s)
{
	pthread_rwlock_init(&s->lock, NULL);
	s->owner = (struct shim_owner){ 0 };
}

static inline void down_read(struct rw_semaphore *s)
{
	pthread_rwlock_rdlock(&s->lock);
	__atomic_add_fetch(&s->owner.nr_readers, 1, __ATOMIC_RELAXED);
}

static inline int down_read_trylock(struct rw_semaphore *s)
{
	if (pthread_rwlock_tryrdlock(&s->lock))
		return 0;
	__atomic_add_fetch(&s->owner.nr_readers, 1, __ATOMIC_RELAXED);
	return 1;
}

static inline void up_read(struct rw_semaphore *s)
{
	__atomic_sub_fetch(&s->owner.nr_readers, 1, __ATOMIC_RELAXED);
	pthread_rwlock_unlock(&s->lock);
}

static inline void down_write(struct rw_semaphore *s)
{
	pthread_rwlock_wrlock(&s->lock);
	shim_own(&s->owner);
}

static inline int down_write_trylock(struct rw_semaphore *s)
{
	if (pthread_rwlock_trywrlock(&s->lock))
		return 0;
	shim_own(&s->owner);
	return 1;
}

static inline void up_write(struct rw_semaphore *s)
{
	shim_disown(&s->owner);
	pthread_rwlock_unlock(&s->lock);
}
