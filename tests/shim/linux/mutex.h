/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Mutexes over pthread mutexes. */
#pragma once
#include <linux/lockdep.h>

struct mutex {
	pthread_mutex_t lock;
	struct shim_owner owner;
};

#define DEFINE_MUTEX(m)	struct mutex m = { .lock = PTHREAD_MUTEX_INITIALIZER }

static inline void mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->lock, NULL);
	m->owner = (struct shim_owner){ 0 };
}

static inline void mutex_destroy(struct mutex *m)
{
	pthread_mutex_destroy(&m->lock);
}

static inline void mutex_lock(struct mutex *m)
{
	pthread_mutex_lock(&m->lock);
	shim_own(&m->owner);
}

static inline int mutex_trylock(struct mutex *m)
{
	if (pthread_mutex_trylock(&m->lock))
		return 0;
	shim_own(&m->owner);
	return 1;
}

static inline void mutex_unlock(struct mutex *m)
{
	shim_disown(&m->owner);
	pthread_mutex_unlock(&m->lock);
}
