// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Runs roles in threads until time is up, and reports how far each got.
 */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 32

struct worker {
	pthread_t thread;
	struct threads_role *role;
	unsigned int seed;
};

void threads_dawdle(unsigned int *seed, unsigned int max_us)
{
	switch (rand_r(seed) % 8) {
	case 0:
		usleep(rand_r(seed) % max_us);
		break;
	case 1:
	case 2:
		sched_yield();
	}
}

static void *run_worker(void *p)
{
	struct worker *w = p;

	while (!__atomic_load_n(&w->role->stopping, __ATOMIC_RELAXED)) {
		w->role->step(&w->seed);
		__atomic_add_fetch(&w->role->nr_steps, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int start_role(struct threads_role *role, struct worker *w, int nr,
		      unsigned int seed)
{
	int i;

	for (i = 0; i < role->nr_threads; i++, nr++) {
		CHECK(nr < MAX_THREADS);
		w[nr].role = role;
		w[nr].seed = seed + nr;
		CHECK(!pthread_create(&w[nr].thread, NULL, run_worker, &w[nr]));
	}
	return nr;
}

void threads_run(int argc, char **argv, struct threads_role *roles)
{
	static struct worker workers[MAX_THREADS];
	unsigned int seed = time(NULL);
	struct worker *w = workers;
	struct threads_role *role;
	int i, nr = 0;

	printf("%s: seed %u\n", argv[0], seed);
	fflush(stdout);
	for (role = roles; role->name; role++)
		nr = start_role(role, workers, nr, seed);
	sleep(argc > 1 ? atoi(argv[1]) : 3);
	for (role = roles; role->name; role++) {
		__atomic_store_n(&role->stopping, true, __ATOMIC_RELAXED);
		for (i = 0; i < role->nr_threads; i++, w++)
			pthread_join(w->thread, NULL);
		printf("  %s: %lu steps\n", role->name, role->nr_steps);
	}
}
