// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A random life of a data space map, compared with a simple twin: plain arrays
 * of counts, of "touched by the open / the closing transaction", of holds.
 *
 * After every operation the numbers agree, whatever is handed out is free in
 * the twin, and "no space" means that the twin has none either.
 */
#include "sm-env.h"

#include <linux/errno.h>
#include <linux/minmax.h>

#define MAX_BLOCKS 50000

struct twin {
	pd_block_t nr;
	u32 count[MAX_BLOCKS];
	u32 closed[MAX_BLOCKS];		/* count as of the last close */
	bool open[MAX_BLOCKS], closing[MAX_BLOCKS], held[MAX_BLOCKS];
	u32 last_commit[MAX_BLOCKS];	/* as of the last completion */
};

static struct twin *t;
static struct sm_env env, *e = &env;
static bool is_closing;

static bool is_free(pd_block_t b)
{
	return !t->closed[b] && !t->open[b] && !t->closing[b] && !t->held[b];
}

static pd_block_t nr_free(void)
{
	pd_block_t b, n = 0;

	for (b = 0; b < t->nr; b++)
		n += is_free(b);
	return n;
}

static void check_numbers(void)
{
	pd_block_t b, used = 0;

	for (b = 0; b < t->nr; b++)
		used += !!t->count[b];
	assert_int_equal(pd_sm_nr_blocks(e->data), t->nr);
	assert_int_equal(pd_sm_nr_allocated(e->data), used);
	assert_int_equal(pd_sm_nr_allocatable(e->data), nr_free());
}

static void check_counts(void)
{
	pd_block_t b;

	for (b = 0; b < t->nr; b++) {
		bool stable;

		assert_int_equal(sm_count(e->data, b), t->count[b]);
		ok(pd_sm_count_is_stable_one(e->data, b, &stable));
		assert_int_equal(stable, t->closed[b] == 1 && !t->open[b] &&
					 !t->closing[b]);
	}
}

static pd_block_t rnd(pd_block_t below)
{
	return below ? random() % below : 0;
}

static void do_alloc(void)
{
	pd_block_t b;
	int r = pd_sm_alloc(e->data, &b);

	if (r) {
		assert_int_equal(r, -ENOSPC);
		assert_int_equal(nr_free(), 0);
		return;
	}
	assert_true(b < t->nr);
	assert_true(is_free(b));
	t->count[b] = 1;
	t->open[b] = true;
}

/* A run is used up, used in part, or given back. */
static void do_run(void)
{
	pd_block_t want = 1 + rnd(rnd(2) ? 8 : 300), begin, nr, b, used;
	int r = pd_sm_find_run(e->data, want, &begin, &nr);

	if (r) {
		assert_int_equal(r, -ENOSPC);
		assert_int_equal(nr_free(), 0);
		return;
	}
	assert_true(nr >= 1 && nr <= want && begin + nr <= t->nr);
	for (b = begin; b < begin + nr; b++) {
		assert_true(is_free(b));
		t->held[b] = true;
	}
	check_numbers();
	used = rnd(3) ? nr : rnd(nr + 1);
	ok(pd_sm_inc(e->data, begin, begin + used));
	for (b = begin; b < begin + used; b++) {
		t->count[b]++;
		t->open[b] = true;
	}
	if (!rnd(8))
		return;		/* stays held */
	pd_sm_unhold(e->data, begin, begin + nr);
	for (b = begin; b < begin + nr; b++)
		t->held[b] = false;
}

static void do_inc(void)
{
	pd_block_t begin = rnd(t->nr), end = min(begin + 1 + rnd(20), t->nr), b;

	/* Only blocks that already have references get more. */
	for (b = begin; b < end && t->count[b]; b++)
		;
	ok(pd_sm_inc(e->data, begin, b));
	while (b-- > begin) {
		t->count[b]++;
		t->open[b] = true;
	}
}

/* Nothing forbids counting a block that was not handed out. */
static void do_inc_any(void)
{
	pd_block_t b = rnd(t->nr);

	ok(pd_sm_inc(e->data, b, b + 1));
	t->count[b]++;
	t->open[b] = true;
}

static void do_dec(void)
{
	pd_block_t begin = rnd(t->nr), end = min(begin + 1 + rnd(40), t->nr), b;

	for (b = begin; b < end && t->count[b]; b++)
		;
	ok(pd_sm_dec(e->data, begin, b));
	while (b-- > begin) {
		t->count[b]--;
		t->open[b] = true;
	}
}

static void do_refused_dec(void)
{
	pd_block_t b = rnd(t->nr);

	if (!t->count[b])
		assert_int_equal(pd_sm_dec(e->data, b, b + 1), -EINVAL);
}

static void do_hold(void)
{
	pd_block_t begin = rnd(t->nr), end = min(begin + 1 + rnd(30), t->nr), b;

	ok(pd_sm_hold(e->data, begin, end));
	for (b = begin; b < end; b++)
		t->held[b] = true;
}

static void hold_told(void *context, pd_block_t begin, pd_block_t end)
{
	u64 *nr = context;

	assert_true(end <= t->nr);
	*nr += end - begin;
	for (; begin < end; begin++) {
		assert_true(is_free(begin));
		t->held[begin] = true;
	}
}

/* None that is free is left out. */
static void do_hold_free(void)
{
	pd_block_t begin = rnd(t->nr), end = min(begin + rnd(3000), t->nr);
	pd_block_t at = begin, b;
	u64 max = 1 + rnd(rnd(2) ? 10 : 2000), nr = 0;

	ok(pd_sm_hold_free(e->data, &at, end, max, hold_told, &nr));
	assert_true(at == end || nr == max);
	assert_true(at <= end && nr <= max);
	for (b = begin; b < at; b++)
		assert_false(is_free(b));
}

static void do_unhold(void)
{
	pd_block_t begin = rnd(t->nr), end = min(begin + rnd(2000), t->nr), b;

	pd_sm_unhold(e->data, begin, end);
	for (b = begin; b < end; b++)
		t->held[b] = false;
}

static void do_close(void)
{
	pd_block_t b;

	sm_close(e);
	is_closing = true;
	for (b = 0; b < t->nr; b++) {
		t->closed[b] = t->count[b];
		t->closing[b] = t->open[b];
		t->open[b] = false;
	}
}

static void do_complete(void)
{
	sm_complete(e);
	is_closing = false;
	memset(t->closing, 0, sizeof(t->closing));
	memcpy(t->last_commit, t->closed, sizeof(t->closed));
}

static void do_reopen(void)
{
	sm_reopen(e);
	memcpy(t->count, t->last_commit, sizeof(t->count));
	memcpy(t->closed, t->last_commit, sizeof(t->count));
	memset(t->open, 0, sizeof(t->open));
	memset(t->held, 0, sizeof(t->held));
}

static void do_extend(void)
{
	pd_block_t n = t->nr + 1 + rnd(9000);

	if (n > MAX_BLOCKS)
		return;
	ok(pd_sm_extend(e->data, n));
	t->nr = n;
}

static void step(void)
{
	switch (rnd(100)) {
	case 0 ... 29:
		do_alloc();
		break;
	case 30 ... 49:
		do_run();
		break;
	case 50 ... 62:
		do_inc();
		break;
	case 63 ... 64:
		do_inc_any();
		break;
	case 65 ... 89:
		do_dec();
		break;
	case 90 ... 91:
		do_refused_dec();
		break;
	case 92:
		do_hold();
		break;
	case 93:
		do_hold_free();
		break;
	case 94 ... 96:
		do_unhold();
		break;
	default:
		if (is_closing)
			do_complete();
		else
			do_close();
	}
}

static void run(pd_block_t nr, unsigned int seed, unsigned int steps,
		bool grows)
{
	unsigned int i;

	t = calloc(1, sizeof(*t));
	assert_non_null(t);
	srandom(seed);
	is_closing = false;
	sm_begin(e, 2000, nr);
	t->nr = nr;
	ram_store_shake(e->io, seed, 4);
	for (i = 0; i < steps; i++) {
		step();
		if (i % (nr < 1000 ? 1 : 16) == 0)
			check_numbers();
		if (i % 500 == 499)
			check_counts();
		if (grows && i % 700 == 350)
			do_extend();
		if (i % 1000 == 999) {
			if (is_closing)
				do_complete();
			do_close();
			do_complete();
			sm_verify(e);
			if (rnd(2)) {
				do_reopen();
				check_numbers();
				check_counts();
			}
		}
	}
	assert_true(ram_store_max_held(e->io) <= 8);
	sm_end(e);
	free(t);
}

static void test_tiny_map_equals_its_twin(void **state)
{
	unsigned int seed;

	for (seed = 0; seed < 12; seed++)
		run(1 + seed * 9, seed, 4000, false);
}

static void test_partial_bitmap_equals_its_twin(void **state)
{
	run(5000, 21, 6000, false);
}

static void test_three_bitmaps_equal_their_twin(void **state)
{
	run(2 * PD_ENTRIES_PER_BITMAP + 700, 22, 5000, false);
}

static void test_growing_map_equals_its_twin(void **state)
{
	run(200, 23, 6000, true);
	run(PD_ENTRIES_PER_BITMAP - 3, 24, 4000, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tiny_map_equals_its_twin),
		cmocka_unit_test(test_partial_bitmap_equals_its_twin),
		cmocka_unit_test(test_three_bitmaps_equal_their_twin),
		cmocka_unit_test(test_growing_map_equals_its_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
