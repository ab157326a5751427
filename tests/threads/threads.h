/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Threads that run for some seconds, and what they check.
 */
#ifndef TESTS_THREADS_H
#define TESTS_THREADS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the whole test, from any thread. */
#define CHECK(x) do {							\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: failed: %s\n", __FILE__,	\
			__LINE__, #x);					\
		abort();						\
	}								\
} while (0)

struct threads_role {
	const char *name;
	void (*step)(unsigned int *seed);	/* called again and again */
	int nr_threads;
	unsigned long nr_steps;			/* result */
	bool stopping;				/* private */
};

/*
 * Run all roles, an array that ends with an empty one, for as many seconds as
 * the first argument says.  Then stop them one after the other, in order: put a
 * role that others wait for last.
 */
void threads_run(int argc, char **argv, struct threads_role *roles);

/* Pause for a moment: not at all, a yield or up to @max_us. */
void threads_dawdle(unsigned int *seed, unsigned int max_us);

#endif /* TESTS_THREADS_H */
