/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Wait queues over condition variables. */
#pragma once
#include <pthread.h>

typedef struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
} wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *w)
{
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
}

static inline void wake_up(wait_queue_head_t *w)
{
	pthread_mutex_lock(&w->lock);
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

#define wait_event(w, condition) do {				\
	pthread_mutex_lock(&(w).lock);				\
	while (!(condition))					\
		pthread_cond_wait(&(w).cond, &(w).lock);	\
	pthread_mutex_unlock(&(w).lock);			\
} while (0)
