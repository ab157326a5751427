/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Wait queues over condition variables. */
#pragma once
#include <pthread.h>

typedef struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned long nr_wakes;
} wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *w)
{
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->nr_wakes = 0;
}

static inline void wake_up(wait_queue_head_t *w)
{
	pthread_mutex_lock(&w->lock);
	w->nr_wakes++;
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

/* As in the kernel, the condition may itself wake. */
#define wait_event(w, condition) do {				\
	unsigned long nr_wakes_;				\
								\
	for (;;) {						\
		pthread_mutex_lock(&(w).lock);			\
		nr_wakes_ = (w).nr_wakes;			\
		pthread_mutex_unlock(&(w).lock);		\
		if (condition)					\
			break;					\
		pthread_mutex_lock(&(w).lock);			\
		while ((w).nr_wakes == nr_wakes_)		\
			pthread_cond_wait(&(w).cond, &(w).lock);	\
		pthread_mutex_unlock(&(w).lock);		\
	}							\
} while (0)
