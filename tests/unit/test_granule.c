// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Runs of free blocks fitted to the data device's granules: walks over random maps
 * of free blocks, in steps that end anywhere, discard each granule that is wholly
 * free, and nothing else.
 */
#include "data-path/granule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_SECTORS 20000

static bool is_free[NR_SECTORS], discarded[NR_SECTORS];
static u32 block;
static u64 nr_blocks;

static bool block_is_free(u64 b)
{
	return is_free[b * block];
}

static void discard(const struct thinx_granule *g, u64 begin, u64 end)
{
	u64 from, to;

	if (!thinx_granule_fit(g, block, begin, end, &from, &to))
		return;
	assert_true(from >= begin * block && to <= end * block);
	assert_int_equal((from + g->sectors - g->offset) % g->sectors, 0);
	assert_int_equal((to + g->sectors - g->offset) % g->sectors, 0);
	for (; from < to; from++)
		discarded[from] = true;
}

/* As metadata/trim.c: up to @max free blocks. */
static u64 step(const struct thinx_granule *g, u64 first, u64 max, bool *done)
{
	u64 b, begin = 0, nr = 0;
	bool in_run = false;

	for (b = first; b < nr_blocks && nr < max; b++) {
		if (block_is_free(b)) {
			begin = in_run ? begin : b;
			in_run = true;
			nr++;
		} else if (in_run) {
			discard(g, begin, b);
			in_run = false;
		}
	}
	if (in_run)
		discard(g, begin, b);
	*done = b == nr_blocks;
	return in_run && !*done ?
		thinx_granule_next(g, block, first, begin, b) : b;
}

static void walk(const struct thinx_granule *g, u64 max)
{
	u64 from = 0, next, s, k;
	bool done = false;

	if (max < thinx_granule_least(g, block))
		max = thinx_granule_least(g, block);
	while (!done) {
		next = step(g, from, max, &done);
		assert_true(done || next > from);
		from = next;
	}
	for (s = 0; s < nr_blocks * block; s++)
		assert_true(is_free[s] || !discarded[s]);
	for (s = g->offset; s + g->sectors <= nr_blocks * block;
	     s += g->sectors) {
		bool all = true;

		for (k = 0; k < g->sectors; k++)
			all &= is_free[s + k];
		for (k = 0; k < g->sectors; k++)
			assert_true(!all || discarded[s + k]);
	}
}

static u64 rnd(u64 below)
{
	return random() % below;
}

static void test_each_granule_that_is_free_is_discarded(void **state)
{
	int i;

	srandom(1);
	for (i = 0; i < 20000; i++) {
		struct thinx_granule g;
		u64 s, b, length;
		bool used = rnd(2);

		block = 1 + rnd(40);
		nr_blocks = 1 + rnd(2000 / block);
		g.sectors = rnd(2) ? 1 + rnd(200) : block * (1 + rnd(5));
		g.offset = rnd(3) ? 0 : rnd(g.sectors);
		memset(discarded, 0, sizeof(discarded));
		for (b = 0; b < nr_blocks; used = !used)
			for (length = 1 + rnd(rnd(2) ? 5 : 60);
			     b < nr_blocks && length; b++, length--)
				for (s = b * block; s < (b + 1) * block; s++)
					is_free[s] = !used;
		walk(&g, 1 + rnd(50));
	}
}

static void test_blocks_made_of_granules_are_discarded_whole(void **state)
{
	const struct thinx_granule g = { .sectors = 8 };
	u64 from, to;

	assert_true(thinx_granule_fit(&g, 128, 3, 5, &from, &to));
	assert_int_equal(from, 384);
	assert_int_equal(to, 640);
	assert_int_equal(thinx_granule_least(&g, 128), 1);
	assert_int_equal(thinx_granule_next(&g, 128, 3, 3, 5), 5);
	/* The largest block there can be. */
	assert_true(thinx_granule_fit(&g, 2097152, (1ULL << 40) - 2,
				      (1ULL << 40) - 1, &from, &to));
	assert_int_equal(to - from, 2097152);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_granule_that_is_free_is_discarded),
		cmocka_unit_test(test_blocks_made_of_granules_are_discarded_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
