// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A random life of a map cache: whatever it answers must be true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mc-env.h"

#define NR_BLOCKS	1500
#define NR_HELD		8

struct model {
	u64 now[NR_BLOCKS];	/* what the metadata would say */
	int holder[NR_BLOCKS];	/* 0: none */
	struct thinx_range range[NR_HELD + 1];
	unsigned int seed;
};

static u64 some_run(struct model *m, u64 *nr)
{
	u64 begin = rand_r(&m->seed) % NR_BLOCKS;

	*nr = 1 + rand_r(&m->seed) % (rand_r(&m->seed) % 4 ? 20 : 400);
	if (*nr > NR_BLOCKS - begin)
		*nr = NR_BLOCKS - begin;
	return begin;
}

/* Lock, invalidate, change, set, unlock: one of these per call. */
static void step_holder(struct volume *v, struct model *m, int i)
{
	struct thinx_range *r = &m->range[i];
	u64 begin, nr, first, b;

	if (!r->end) {
		begin = some_run(m, &nr);
		if (!hold(v, r, begin, begin + nr))
			return;
		for (b = begin; b < begin + nr; b++)
			m->holder[b] = i;
		thinx_map_cache_invalidate(&v->mc, begin, begin + nr);
		return;
	}
	nr = r->end - r->begin;
	switch (rand_r(&m->seed) % 4) {
	case 0:
		for (b = r->begin; b < r->end; b++)
			m->holder[b] = 0;
		let_go(v, r);
		r->end = 0;
		return;
	case 1:
		first = HOLE;
		break;
	default:
		first = map(rand_r(&m->seed), rand_r(&m->seed) % 5);
	}
	for (b = 0; b < nr; b++)
		m->now[r->begin + b] = first == HOLE ? HOLE :
			map(thinx_mapping_block(first) + b,
			    thinx_mapping_time(first));
	thinx_map_cache_set(&v->mc, r->begin, nr,
			    rand_r(&m->seed) % 8 ? first : UNKNOWN);
}

static void step_leaf(struct volume *v, struct model *m)
{
	struct leaf l = { .nr = 0 };
	u64 nr, begin = some_run(m, &nr), b;

	for (b = begin; b < begin + nr && l.nr < 252; b++)
		if (m->now[b] != HOLE)
			add(&l, b, m->now[b]);
	fill_leaf(v, &l, begin + rand_r(&m->seed) % (b - begin), begin, b,
		  NR_BLOCKS);
}

static void check_answers(struct volume *v, struct model *m)
{
	u64 b, first, i;
	unsigned int n;
	u32 time = rand_r(&m->seed) % 6;

	for (b = 0; b < NR_BLOCKS; b++) {
		n = thinx_map_cache_run(&v->mc, b, 100, time, &first);
		assert_int_equal(first, thinx_map_cache_get(&v->mc, b));
		if (first == UNKNOWN)
			continue;
		assert_int_equal(first, m->now[b]);
		for (i = 1; i < n; i++) {
			if (first == HOLE) {
				assert_int_equal(m->now[b + i], HOLE);
				continue;
			}
			assert_int_equal(thinx_mapping_block(m->now[b + i]),
					 thinx_mapping_block(first) + i);
			assert_int_equal(
				thinx_mapping_time(m->now[b + i]) < time,
				thinx_mapping_time(first) < time);
		}
	}
}

static void test_every_answer_is_what_the_metadata_say(void **state)
{
	struct volume *v = *state;
	struct model *m = calloc(1, sizeof(*m));
	u64 b, nr;
	int i, step;

	m->seed = 42;
	for (b = 0; b < NR_BLOCKS; b++)
		m->now[b] = HOLE;
	for (step = 0; step < 20000; step++) {
		if (step % 997 == 0)
			thinx_map_cache_limit_bytes = rand_r(&m->seed) % 30 *
				sizeof(struct thinx_map_chunk);
		if (rand_r(&m->seed) % 10 == 0)
			shim_fail_alloc(rand_r(&m->seed) % 3, false);
		switch (rand_r(&m->seed) % 40) {
		case 0:
			thinx_map_cache_evict(rand_r(&m->seed) % 20);
			break;
		case 1:
			thinx_map_cache_drop_all(&v->mc);
			break;
		case 2 ... 9:
			b = some_run(m, &nr);
			thinx_map_cache_fill(&v->mc, b, &m->now[b], nr);
			break;
		case 10 ... 19:
			step_leaf(v, m);
			break;
		default:
			step_holder(v, m, 1 + rand_r(&m->seed) % NR_HELD);
		}
		shim_fail_alloc(-1, false);
		if (step % 20 == 0)
			check_answers(v, m);
	}
	for (i = 1; i <= NR_HELD; i++)
		if (m->range[i].end)
			let_go(v, &m->range[i]);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MC_TEST(test_every_answer_is_what_the_metadata_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
