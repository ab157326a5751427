// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What a map cache answers after fills, sets, invalidations and evictions, in
 * one thread.  tests/threads has the races.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mc-env.h"

#define CHUNK		THINX_MAP_CHUNK_WORDS

static void assert_word(struct volume *v, u64 b, u64 want)
{
	assert_int_equal(thinx_map_cache_get(&v->mc, b), want);
}

static void assert_words(struct volume *v, u64 begin, u64 end, u64 want)
{
	for (; begin < end; begin++)
		assert_word(v, begin, want);
}

static int fill_holes(struct volume *v, u64 begin, unsigned int nr)
{
	u64 words[1024];
	unsigned int i;

	assert_in_range(nr, 0, 1024);
	for (i = 0; i < nr; i++)
		words[i] = HOLE;
	return thinx_map_cache_fill(&v->mc, begin, words, nr);
}

/* ---- fill ---- */

static void test_empty_cache_knows_nothing(void **state)
{
	struct volume *v = *state;

	assert_word(v, 0, UNKNOWN);
	assert_word(v, (1ULL << 57) - 1, UNKNOWN);
	assert_int_equal(thinx_map_cache_bytes(), 0);
}

static void test_fill_is_remembered(void **state)
{
	struct volume *v = *state;
	u64 words[] = { map(7, 1), HOLE, map(9, 2) };

	assert_int_equal(thinx_map_cache_fill(&v->mc, 62, words, 3), 3);
	assert_word(v, 61, UNKNOWN);
	assert_word(v, 62, words[0]);
	assert_word(v, 63, words[1]);
	assert_word(v, 64, words[2]);
	assert_word(v, 65, UNKNOWN);
	assert_int_equal(thinx_map_cache_count(), 2);
	assert_int_equal(thinx_map_cache_bytes(),
			 2 * sizeof(struct thinx_map_chunk));
}

static void test_fill_stores_only_over_unknown(void **state)
{
	struct volume *v = *state;
	u64 old[] = { map(7, 1), HOLE }, new[] = { map(8, 1), map(9, 1), HOLE };

	assert_int_equal(thinx_map_cache_fill(&v->mc, 5, old, 2), 2);
	assert_int_equal(thinx_map_cache_fill(&v->mc, 5, new, 3), 1);
	assert_word(v, 5, old[0]);
	assert_word(v, 6, HOLE);
	assert_word(v, 7, HOLE);
}

static void test_fill_of_unknown_says_nothing(void **state)
{
	struct volume *v = *state;
	u64 words[] = { UNKNOWN, HOLE };

	assert_int_equal(thinx_map_cache_fill(&v->mc, 5, words, 2), 1);
	assert_word(v, 5, UNKNOWN);
}

static void test_fill_skips_blocks_somebody_holds(void **state)
{
	struct volume *v = *state;
	struct thinx_range a, b, c;

	assert_true(hold(v, &a, 0, 10));
	assert_true(hold(v, &b, 20, 21));
	assert_true(hold(v, &c, 60, 70));
	assert_int_equal(fill_holes(v, 5, 195), 195 - 5 - 1 - 10);
	assert_words(v, 5, 10, UNKNOWN);
	assert_words(v, 10, 20, HOLE);
	assert_word(v, 20, UNKNOWN);
	assert_words(v, 21, 60, HOLE);
	assert_words(v, 60, 70, UNKNOWN);
	assert_words(v, 70, 200, HOLE);
	let_go(v, &a);
	let_go(v, &b);
	let_go(v, &c);
	assert_int_equal(fill_holes(v, 5, 195), 16);
	assert_words(v, 5, 200, HOLE);
}

static void test_fill_without_memory_stores_nothing(void **state)
{
	struct volume *v = *state;
	long n;

	/* The chunk, or one of the xarray's nodes. */
	for (n = 0; n < 2; n++) {
		shim_fail_alloc(n, true);
		assert_int_equal(fill_holes(v, 1000, 10), 0);
		shim_fail_alloc(-1, false);
		assert_words(v, 1000, 1010, UNKNOWN);
		assert_int_equal(thinx_map_cache_count(), 0);
	}
	assert_int_equal(fill_holes(v, 1000, 10), 10);
}

/* ---- set, invalidate, drop ---- */

static void test_set_stores_a_run_over_anything(void **state)
{
	struct volume *v = *state;
	u64 b;

	fill_holes(v, 0, 100);
	thinx_map_cache_set(&v->mc, 60, 150, map(1000, 3));
	assert_words(v, 0, 60, HOLE);
	for (b = 60; b < 210; b++)
		assert_word(v, b, map(1000 + b - 60, 3));
	assert_word(v, 210, UNKNOWN);
	thinx_map_cache_set(&v->mc, 61, 70, HOLE);
	assert_word(v, 60, map(1000, 3));
	assert_words(v, 61, 131, HOLE);
	assert_word(v, 131, map(1071, 3));
	thinx_map_cache_set(&v->mc, 61, 10, UNKNOWN);
	assert_words(v, 61, 71, UNKNOWN);
	assert_words(v, 71, 131, HOLE);
	thinx_map_cache_set(&v->mc, 71, 0, UNKNOWN);
	assert_word(v, 71, HOLE);
}

static void test_set_without_memory_leaves_nothing_old(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 64, 64);
	shim_fail_alloc(0, true);
	thinx_map_cache_set(&v->mc, 0, 192, map(5, 1));
	shim_fail_alloc(-1, false);
	assert_words(v, 0, 64, UNKNOWN);
	assert_word(v, 64, map(69, 1));
	assert_word(v, 127, map(132, 1));
	assert_words(v, 128, 192, UNKNOWN);
}

static void test_long_set_allocates_nothing(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 6400, 1);
	thinx_map_cache_set(&v->mc, 0, 1ULL << 40, HOLE);
	assert_int_equal(thinx_map_cache_count(), 1);
	assert_words(v, 6400, 6464, HOLE);
}

static void test_invalidate_forgets_the_range_only(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 0, 320);
	thinx_map_cache_invalidate(&v->mc, 10, 200);
	assert_words(v, 0, 10, HOLE);
	assert_words(v, 10, 200, UNKNOWN);
	assert_words(v, 200, 320, HOLE);
	/* Chunks 1 and 2 had nothing left in them. */
	assert_int_equal(thinx_map_cache_count(), 3);
	thinx_map_cache_invalidate(&v->mc, 250, 250);
	assert_word(v, 250, HOLE);
	thinx_map_cache_invalidate(&v->mc, 0, 1ULL << 57);
	assert_int_equal(thinx_map_cache_count(), 0);
}

static void test_drop_all_forgets_everything(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 0, 1000);
	fill_holes(v, 1ULL << 40, 1000);
	thinx_map_cache_drop_all(&v->mc);
	assert_int_equal(thinx_map_cache_count(), 0);
	assert_word(v, 0, UNKNOWN);
	assert_word(v, 1ULL << 40, UNKNOWN);
}

/* ---- runs ---- */

static void assert_run(struct volume *v, u64 b, unsigned int max, u32 time,
		       unsigned int want, u64 want_first)
{
	u64 first = 1;

	assert_int_equal(thinx_map_cache_run(&v->mc, b, max, time, &first),
			 want);
	assert_int_equal(first, want_first);
}

static void test_run_of_unknown_is_one_block(void **state)
{
	struct volume *v = *state;

	assert_run(v, 5, 100, 0, 1, UNKNOWN);
	fill_holes(v, 4, 1);
	assert_run(v, 5, 100, 0, 1, UNKNOWN);
	assert_run(v, 4, 100, 0, 1, HOLE);
}

static void test_run_goes_on_where_data_blocks_do(void **state)
{
	struct volume *v = *state;

	thinx_map_cache_set(&v->mc, 50, 100, map(500, 1));
	assert_run(v, 50, 1000, 0, 100, map(500, 1));
	assert_run(v, 63, 1000, 0, 87, map(513, 1));
	assert_run(v, 63, 20, 0, 20, map(513, 1));
	assert_run(v, 50, 1, 0, 1, map(500, 1));
	thinx_map_cache_set(&v->mc, 100, 1, map(551, 1));
	assert_run(v, 50, 1000, 0, 50, map(500, 1));
	thinx_map_cache_set(&v->mc, 100, 1, HOLE);
	assert_run(v, 50, 1000, 0, 50, map(500, 1));
}

static void test_run_ends_where_the_next_chunk_is_missing(void **state)
{
	struct volume *v = *state;

	thinx_map_cache_set(&v->mc, 0, 128, map(500, 1));
	thinx_map_cache_invalidate(&v->mc, 64, 128);
	assert_run(v, 10, 1000, 0, 54, map(510, 1));
}

static void test_run_looks_all_shared_or_all_exclusive(void **state)
{
	struct volume *v = *state;

	thinx_map_cache_set(&v->mc, 0, 10, map(500, 1));
	thinx_map_cache_set(&v->mc, 10, 10, map(510, 2));
	thinx_map_cache_set(&v->mc, 20, 10, map(520, 3));
	assert_run(v, 0, 100, 0, 30, map(500, 1));
	assert_run(v, 0, 100, 2, 10, map(500, 1));
	assert_run(v, 10, 100, 2, 20, map(510, 2));
	assert_run(v, 0, 100, 3, 20, map(500, 1));
	assert_run(v, 0, 100, 4, 30, map(500, 1));
}

static void test_run_of_holes_ends_at_a_mapping(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 0, 100);
	thinx_map_cache_set(&v->mc, 90, 1, map(1, 1));
	assert_run(v, 0, 1000, 5, 90, HOLE);
	assert_run(v, 91, 1000, 5, 9, HOLE);
	/* The bits of HOLE where a mapping has its data block are not one. */
	thinx_map_cache_set(&v->mc, 89, 1, map(THINX_DATA_BLOCK_MAX - 1, 1));
	thinx_map_cache_set(&v->mc, 90, 1, HOLE);
	assert_run(v, 89, 1000, 5, 1, map(THINX_DATA_BLOCK_MAX - 1, 1));
}

/* ---- leaves ---- */

static void test_leaf_fills_mappings_and_holes(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };
	u64 b;

	for (b = 100; b < 160; b += 2)
		add(&l, b, map(b + 1000, 1));
	assert_int_equal(fill_leaf(v, &l, 120, 90, 170, 1000), 80);
	for (b = 90; b < 170; b++)
		assert_word(v, b, b >= 100 && b < 160 && b % 2 == 0 ?
				  map(b + 1000, 1) : HOLE);
	assert_word(v, 89, UNKNOWN);
	assert_word(v, 170, UNKNOWN);
}

static void test_leaf_without_end_reaches_the_end_of_the_volume(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };

	add(&l, 3, map(4, 1));
	assert_int_equal(fill_leaf(v, &l, 3, 0, 0, 10), 10);
	assert_word(v, 3, map(4, 1));
	assert_word(v, 9, HOLE);
	assert_word(v, 10, UNKNOWN);
}

static void test_leaf_that_does_not_know_the_block_fills_nothing(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };

	add(&l, 3, map(4, 1));
	assert_int_equal(fill_leaf(v, &l, 10, 0, 10, 100), 0);
	assert_int_equal(fill_leaf(v, &l, 0, 1, 10, 100), 0);
	assert_int_equal(fill_leaf(v, &l, 5, 5, 5, 100), 0);
	assert_int_equal(fill_leaf(v, &l, 5, 7, 3, 100), 0);
	assert_int_equal(fill_leaf(v, &l, 100, 0, 0, 100), 0);
	assert_int_equal(fill_leaf(v, &l, 0, 0, 0, 0), 0);
	assert_int_equal(thinx_map_cache_count(), 0);
}

static void test_dense_leaf_fills_all_its_chunks(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };
	u64 b;

	for (b = 1000; b < 1252; b++)
		add(&l, b, map(b, 1));
	fill_leaf(v, &l, 1250, 1000, 1252, 1ULL << 30);
	for (b = 1000; b < 1252; b++)
		assert_word(v, b, map(b, 1));
	thinx_map_cache_drop_all(&v->mc);
	fill_leaf(v, &l, 1000, 1000, 1252, 1ULL << 30);
	for (b = 1000; b < 1252; b++)
		assert_word(v, b, map(b, 1));
}

static void test_sparse_leaf_fills_a_window_only(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };
	u64 i;

	for (i = 0; i < 252; i++)
		add(&l, i * 100, map(i, 1));
	fill_leaf(v, &l, 10000, 0, 25200, 1ULL << 30);
	assert_in_range(thinx_map_cache_count(), 8, 13);
	assert_word(v, 10000, map(100, 1));
	assert_word(v, 10100, map(101, 1));
	assert_word(v, 10001, HOLE);
	assert_word(v, 9900, map(99, 1));
	assert_word(v, 20000, UNKNOWN);
	assert_word(v, 0, UNKNOWN);
}

static void test_chunks_without_mapping_are_left_out(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };

	add(&l, 640, map(1, 1));
	add(&l, 800, map(2, 1));
	fill_leaf(v, &l, 640, 0, 0, 1ULL << 30);
	assert_int_equal(thinx_map_cache_count(), 2);
	assert_words(v, 704, 768, UNKNOWN);
	assert_word(v, 800, map(2, 1));
}

static void test_look_up_in_a_hole_fills_ahead(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };

	assert_int_equal(fill_leaf(v, &l, 6405, 0, 0, 1ULL << 30), 9 * CHUNK);
	assert_words(v, 6400, 6400 + 9 * CHUNK, HOLE);
}

static void test_leaf_fill_skips_held_blocks(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };
	struct thinx_range r;

	add(&l, 5, map(1, 1));
	assert_true(hold(v, &r, 5, 7));
	assert_int_equal(fill_leaf(v, &l, 5, 0, 64, 64), 62);
	assert_words(v, 5, 7, UNKNOWN);
	let_go(v, &r);
}

static void test_impossible_mapping_stays_unknown(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };

	add(&l, 5, HOLE);
	add(&l, 6, UNKNOWN);
	add(&l, 7, map(7, 1));
	assert_int_equal(fill_leaf(v, &l, 5, 0, 64, 64), 62);
	assert_words(v, 5, 7, UNKNOWN);
	assert_word(v, 7, map(7, 1));
}

static void test_unordered_keys_do_no_harm(void **state)
{
	struct volume *v = *state;
	struct leaf l = { .nr = 0 };
	unsigned int seed = 1;
	int i, round;

	for (round = 0; round < 200; round++) {
		l.nr = 0;
		for (i = 0; i < 252; i++)
			add(&l, (u64)rand_r(&seed) * rand_r(&seed) %
				(round % 2 ? 300 : ~0ULL), map(i, 1));
		fill_leaf(v, &l, rand_r(&seed) % 300, 0, 0, 1ULL << 57);
	}
	assert_in_range(thinx_map_cache_count(), 1, 20);
}

/* ---- eviction ---- */

static void test_limit_is_kept(void **state)
{
	struct volume *v = *state;
	u64 b, nr_known = 0;

	thinx_map_cache_limit_bytes = 10 * sizeof(struct thinx_map_chunk);
	for (b = 0; b < 100 * CHUNK; b += CHUNK) {
		assert_int_equal(fill_holes(v, b, CHUNK), CHUNK);
		assert_word(v, b, HOLE);
		assert_true(thinx_map_cache_bytes() <=
			    thinx_map_cache_limit_bytes);
	}
	for (b = 0; b < 100 * CHUNK; b += CHUNK)
		nr_known += thinx_map_cache_get(&v->mc, b) == HOLE;
	assert_int_equal(nr_known, thinx_map_cache_count());
	assert_in_range(nr_known, 5, 10);
}

static void test_lowered_limit_is_approached(void **state)
{
	struct volume *v = *state;
	u64 b;

	for (b = 0; b < 100 * CHUNK; b += CHUNK)
		fill_holes(v, b, 1);
	thinx_map_cache_limit_bytes = 10 * sizeof(struct thinx_map_chunk);
	for (; b < 300 * CHUNK; b += CHUNK)
		fill_holes(v, b, 1);
	assert_in_range(thinx_map_cache_count(), 1, 10);
}

static void test_limit_of_nothing_caches_nothing(void **state)
{
	struct volume *v = *state;

	fill_holes(v, 0, 500);
	thinx_map_cache_limit_bytes = 0;
	assert_int_equal(fill_holes(v, 1000, 1), 0);
	assert_word(v, 1000, UNKNOWN);
	thinx_map_cache_set(&v->mc, 1000, 5, HOLE);
	assert_word(v, 1000, UNKNOWN);
}

static void test_used_chunk_gets_a_second_chance(void **state)
{
	struct volume *v = *state;
	u64 b;

	for (b = 0; b < 100 * CHUNK; b += CHUNK)
		fill_holes(v, b, 1);
	assert_word(v, 50 * CHUNK, HOLE);
	/* The hand goes round once, and on to the next cache. */
	assert_int_equal(thinx_map_cache_evict(101), 99);
	assert_int_equal(thinx_map_cache_count(), 1);
	assert_word(v, 50 * CHUNK, HOLE);
	assert_int_equal(thinx_map_cache_evict(2), 0);
	assert_int_equal(thinx_map_cache_evict(1), 1);
	assert_word(v, 50 * CHUNK, UNKNOWN);
	assert_int_equal(thinx_map_cache_evict(1000), 0);
}

static void test_eviction_goes_round_all_caches(void **state)
{
	struct volume *v = *state, w[3];
	int i;

	for (i = 0; i < 3; i++) {
		thinx_range_lock_init(&w[i].rl);
		assert_int_equal(thinx_map_cache_init(&w[i].mc, &w[i].rl), 0);
		fill_holes(&w[i], 0, 640);
	}
	fill_holes(v, 0, 640);
	thinx_map_cache_exit(&w[1].mc);
	assert_int_equal(thinx_map_cache_count(), 30);
	assert_int_equal(thinx_map_cache_evict(33), 30);
	assert_word(v, 0, UNKNOWN);
	assert_word(&w[0], 0, UNKNOWN);
	assert_word(&w[2], 0, UNKNOWN);
	thinx_map_cache_exit(&w[0].mc);
	thinx_map_cache_exit(&w[2].mc);
}

static void test_looking_up_and_evicting_use_different_cache_lines(void **state)
{
	assert_true(offsetof(struct thinx_map_cache, chunks) +
		    sizeof(struct xarray) <= L1_CACHE_BYTES);
	assert_true(offsetof(struct thinx_map_cache, list) >= L1_CACHE_BYTES);
	assert_true(offsetof(struct thinx_map_cache, hand) >= L1_CACHE_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MC_TEST(test_empty_cache_knows_nothing),
		MC_TEST(test_fill_is_remembered),
		MC_TEST(test_fill_stores_only_over_unknown),
		MC_TEST(test_fill_of_unknown_says_nothing),
		MC_TEST(test_fill_skips_blocks_somebody_holds),
		MC_TEST(test_fill_without_memory_stores_nothing),
		MC_TEST(test_set_stores_a_run_over_anything),
		MC_TEST(test_set_without_memory_leaves_nothing_old),
		MC_TEST(test_long_set_allocates_nothing),
		MC_TEST(test_invalidate_forgets_the_range_only),
		MC_TEST(test_drop_all_forgets_everything),
		MC_TEST(test_run_of_unknown_is_one_block),
		MC_TEST(test_run_goes_on_where_data_blocks_do),
		MC_TEST(test_run_ends_where_the_next_chunk_is_missing),
		MC_TEST(test_run_looks_all_shared_or_all_exclusive),
		MC_TEST(test_run_of_holes_ends_at_a_mapping),
		MC_TEST(test_leaf_fills_mappings_and_holes),
		MC_TEST(test_leaf_without_end_reaches_the_end_of_the_volume),
		MC_TEST(test_leaf_that_does_not_know_the_block_fills_nothing),
		MC_TEST(test_dense_leaf_fills_all_its_chunks),
		MC_TEST(test_sparse_leaf_fills_a_window_only),
		MC_TEST(test_chunks_without_mapping_are_left_out),
		MC_TEST(test_look_up_in_a_hole_fills_ahead),
		MC_TEST(test_leaf_fill_skips_held_blocks),
		MC_TEST(test_impossible_mapping_stays_unknown),
		MC_TEST(test_unordered_keys_do_no_harm),
		MC_TEST(test_limit_is_kept),
		MC_TEST(test_lowered_limit_is_approached),
		MC_TEST(test_limit_of_nothing_caches_nothing),
		MC_TEST(test_used_chunk_gets_a_second_chance),
		MC_TEST(test_eviction_goes_round_all_caches),
		cmocka_unit_test(test_looking_up_and_evicting_use_different_cache_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
