// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Read-copy-update and CPU numbers for threads.
 *
 *   now ────────── raised by each grace period ──────────►
 *   thread A   since 0: not reading
 *   thread B   since 7: reading since before grace period 8, which waits for it
 *
 * I1  A reader notes the current number before it reads anything.  A grace
 *     period raises the number, then waits for readers that noted an older one.
 *     A reader that notes it late looks older than it is: a longer wait.
 * I2  All of it is sequentially consistent, so a reader that a grace period does
 *     not wait for sees what was stored before that began.
 *
 * Callbacks run in order in a thread of their own: as in the kernel, neither
 * under the caller's locks nor before call_rcu() returns.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

struct reader {
	struct reader *next;
	unsigned long since;	/* 0: not reading */
	unsigned int depth;	/* the thread's own */
};

__thread int shim_mb_word;
static __thread struct reader *self;
static struct reader *readers;		/* only grows */
static unsigned long now = 1;

static pthread_mutex_t callbacks_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t callbacks_cond = PTHREAD_COND_INITIALIZER;
static struct rcu_head *callbacks, **callbacks_tail = &callbacks;
static unsigned long nr_queued, nr_done;

unsigned int shim_cpu(void)
{
	static unsigned int nr_threads;
	static __thread unsigned int cpu = SHIM_NR_CPUS;

	if (cpu == SHIM_NR_CPUS)
		cpu = __atomic_fetch_add(&nr_threads, 1, __ATOMIC_RELAXED) %
		      SHIM_NR_CPUS;
	return cpu;
}

static void register_reader(void)
{
	self = calloc(1, sizeof(*self));
	if (!self)
		abort();
	self->next = __atomic_load_n(&readers, __ATOMIC_SEQ_CST);
	while (!__atomic_compare_exchange_n(&readers, &self->next, self, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

void rcu_read_lock(void)
{
	if (!self)
		register_reader();
	if (!self->depth++) {
		unsigned long n = __atomic_load_n(&now, __ATOMIC_SEQ_CST);

		__atomic_exchange_n(&self->since, n, __ATOMIC_SEQ_CST);
	}
}

void rcu_read_unlock(void)
{
	WARN_ON(!self || !self->depth);
	if (!--self->depth)
		__atomic_store_n(&self->since, 0, __ATOMIC_SEQ_CST);
}

void synchronize_rcu(void)
{
	unsigned long n = __atomic_add_fetch(&now, 1, __ATOMIC_SEQ_CST);
	struct reader *r = __atomic_load_n(&readers, __ATOMIC_SEQ_CST);

	WARN_ON(self && self->depth);
	for (; r; r = r->next) {
		unsigned long since;

		while ((since = __atomic_load_n(&r->since, __ATOMIC_SEQ_CST)) &&
		       since < n)
			sched_yield();
	}
}

static void *run_callbacks(void *unused)
{
	struct rcu_head *h, *next;

	pthread_mutex_lock(&callbacks_lock);
	for (;;) {
		while (!callbacks)
			pthread_cond_wait(&callbacks_cond, &callbacks_lock);
		h = callbacks;
		callbacks = NULL;
		callbacks_tail = &callbacks;
		pthread_mutex_unlock(&callbacks_lock);
		synchronize_rcu();
		pthread_mutex_lock(&callbacks_lock);
		for (; h; h = next) {
			next = h->next;
			pthread_mutex_unlock(&callbacks_lock);
			h->fn(h);
			pthread_mutex_lock(&callbacks_lock);
			nr_done++;
		}
		pthread_cond_broadcast(&callbacks_cond);
	}
	return NULL;
}

static void start_callbacks(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, run_callbacks, NULL))
		abort();
	pthread_detach(t);
}

void call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_callbacks);
	pthread_mutex_lock(&callbacks_lock);
	head->fn = fn;
	head->next = NULL;
	*callbacks_tail = head;
	callbacks_tail = &head->next;
	nr_queued++;
	pthread_cond_broadcast(&callbacks_cond);
	pthread_mutex_unlock(&callbacks_lock);
}

void rcu_barrier(void)
{
	unsigned long nr;

	pthread_mutex_lock(&callbacks_lock);
	nr = nr_queued;
	while (nr_done < nr)
		pthread_cond_wait(&callbacks_cond, &callbacks_lock);
	pthread_mutex_unlock(&callbacks_lock);
}
