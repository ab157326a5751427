// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Overlay entries against plain arrays, and space maps where words begin and
 * end and where deltas get too large for the small form.
 */
#include "sm-env.h"
#include "persistent-data/space-map-bitmap.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/slab.h>

#define E PD_ENTRIES_PER_BITMAP
#define W PD_SM_WORD_BLOCKS

/* ---- arithmetic ---- */

static u64 random_word(void)
{
	return (u64)random() << 40 ^ (u64)random() << 20 ^ random();
}

static void test_deltas_equal_an_array(void **state)
{
	struct pd_sm_word w = { 0 };
	s64 twin[W] = { 0 };
	u64 mask, changed;
	u32 i, n;
	int step;

	srandom(3);
	for (i = 0; i < 4000; i++) {
		step = random() % 2 ? 1 : -1;
		mask = random_word() & random_word();
		/* Small for a while, then large. */
		for (n = 0; n < W; n++) {
			if (i < 2000 && (twin[n] + step > 3 ||
					 twin[n] + step < -4))
				mask &= ~BIT_ULL(n);
			else if (mask & BIT_ULL(n))
				ok(pd_sm_word_make_room(&w, n, step));
		}
		pd_sm_word_add(&w, mask, step);
		for (n = 0; n < W; n++)
			twin[n] += mask & BIT_ULL(n) ? step : 0;
		if (i % 50 == 49) {
			mask = random_word() & random_word();
			pd_sm_word_clear(&w, mask);
			for (n = 0; n < W; n++)
				twin[n] *= !(mask & BIT_ULL(n));
		}
		changed = 0;
		for (n = 0; n < W; n++) {
			assert_int_equal(pd_sm_word_delta(&w, n), twin[n]);
			changed |= twin[n] ? BIT_ULL(n) : 0;
		}
		assert_int_equal(pd_sm_word_changed(&w), changed);
		assert_true(i >= 2000 || !w.wide);
	}
	assert_non_null(w.wide);
	kfree(w.wide);
}

static void test_deltas_have_32_bits(void **state)
{
	struct pd_sm_word w = { 0 };
	u32 n;

	for (n = 0; n < 4; n++) {
		ok(pd_sm_word_make_room(&w, 63, 1));
		pd_sm_word_add(&w, BIT_ULL(63), 1);
	}
	w.wide[63] = S32_MAX;
	w.wide[0] = S32_MIN;
	assert_int_equal(pd_sm_word_make_room(&w, 63, 1), -EOVERFLOW);
	assert_int_equal(pd_sm_word_make_room(&w, 0, -1), -EOVERFLOW);
	ok(pd_sm_word_make_room(&w, 0, 1));
	kfree(w.wide);
}

static void test_sums_are_modulo_8(void **state)
{
	struct pd_bitmap_word base = { 0 };
	struct pd_sm_word w = { 0 };
	u64 sum[3];
	s64 delta;
	u32 n;

	/* Each count with each delta. */
	for (n = 0; n < 32; n++) {
		pd_bitmap_word_set(&base, 2 * n, n % 4);
		assert_int_equal(pd_bitmap_word_get(&base, 2 * n), n % 4);
		for (delta = 0; delta < n / 4 % 4; delta++)
			pd_sm_word_add(&w, BIT_ULL(2 * n), 1);
		for (delta = 0; n >= 16 && delta < 4; delta++)
			pd_sm_word_add(&w, BIT_ULL(2 * n), -1);
	}
	pd_sm_word_sum(&w, &base, sum);
	for (n = 0; n < 64; n++) {
		u32 got = (sum[0] >> n & 1) | (sum[1] >> n & 1) << 1 |
			  (sum[2] >> n & 1) << 2;

		assert_int_equal(got, (pd_bitmap_word_get(&base, n) +
				       pd_sm_word_delta(&w, n)) & 7);
	}
}

static void test_runs_of_a_mask(void **state)
{
	u64 mask, left, seen;
	u32 n, nr, i, k;

	for (i = 0; i < 2000; i++) {
		mask = i ? random_word() | random_word() << 1 : ~0ULL;
		seen = 0;
		for (left = mask; left;) {
			nr = pd_sm_next_run(&left, &n);
			assert_in_range(nr, 1, W - n);
			assert_false(n + nr < W && mask & BIT_ULL(n + nr));
			assert_false(n && mask & BIT_ULL(n - 1));
			for (k = n; k < n + nr; k++)
				seen |= BIT_ULL(k);
		}
		assert_int_equal(seen, mask);
	}
}

static void test_words_of_a_range(void **state)
{
	u32 begin, end, at, n, k;

	for (begin = 0; begin < 130; begin++) {
		for (end = begin + 1; end < 200; end++) {
			u32 next = begin;

			for (at = begin; at < end;) {
				u64 mask = pd_sm_word_mask(&at, end, &n);

				for (k = 0; k < W; k++)
					if (mask & BIT_ULL(k))
						assert_int_equal(n * W + k,
								 next++);
				assert_int_equal(at, next);
			}
			assert_int_equal(next, end);
		}
	}
}

/* ---- in a space map ---- */

static struct sm_env env, *e = &env;

static int setup(void **state)
{
	sm_begin(e, 600, 2 * E + 100);
	return 0;
}

static int teardown(void **state)
{
	sm_end(e);
	return 0;
}

static void expect_counts(pd_block_t begin, pd_block_t end, u32 inside)
{
	pd_block_t b;

	for (b = begin - 2; b < end + 2; b++)
		assert_int_equal(sm_count(e->data, b),
				 b >= begin && b < end ? inside : 0);
}

static void test_ranges_begin_and_end_anywhere_in_a_word(void **state)
{
	static const pd_block_t ends[][2] = {
		{ 10, 11 }, { 10, 63 }, { 10, 64 }, { 10, 65 }, { 63, 64 },
		{ 63, 65 }, { 64, 128 }, { 64, 129 }, { 65, 200 },
		{ E - 64, E }, { E - 1, E + 1 }, { E - 65, E + 129 },
		{ E, E + 64 }, { 2 * E + 3, 2 * E + 97 },
	};
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		pd_block_t begin = ends[i][0], end = ends[i][1];

		for (k = 1; k <= 4; k++) {
			ok(pd_sm_inc(e->data, begin, end));
			expect_counts(begin, end, k);
			assert_int_equal(pd_sm_nr_allocated(e->data),
					 end - begin);
			if (k % 2)
				continue;
			sm_commit(e);
			expect_counts(begin, end, k);
			sm_verify(e);
		}
		while (k-- > 1) {
			ok(pd_sm_dec(e->data, begin, end));
			expect_counts(begin, end, k - 1);
			if (k % 3 == 0)
				sm_commit(e);
		}
		assert_int_equal(pd_sm_nr_allocated(e->data), 0);
		sm_commit(e);
		assert_int_equal(pd_sm_nr_allocatable(e->data), 2 * E + 100);
		sm_verify(e);
	}
}

/* Up and down by more than the small form holds, from each count. */
static void test_large_deltas_are_as_good_as_small_ones(void **state)
{
	int start, up, down, i;

	for (start = 0; start < 12; start++) {
		for (up = 0; up < 12; up += 3) {
			down = start + up - (start > 5 ? 2 : 0);
			for (i = 0; i < start; i++)
				ok(pd_sm_inc(e->data, 60, 70));
			sm_commit(e);
			for (i = 0; i < up; i++)
				ok(pd_sm_inc(e->data, 62, 67));
			assert_int_equal(sm_count(e->data, 61), start);
			assert_int_equal(sm_count(e->data, 66), start + up);
			for (i = 0; i < down; i++)
				ok(pd_sm_dec(e->data, 62, 67));
			assert_int_equal(sm_count(e->data, 66),
					 start + up - down);
			assert_int_equal(sm_count(e->data, 67), start);
			sm_commit(e);
			sm_verify(e);
			assert_int_equal(sm_count(e->data, 62),
					 start + up - down);
			for (i = 0; i < start + up - down; i++)
				ok(pd_sm_dec(e->data, 62, 67));
			assert_int_equal(pd_sm_dec(e->data, 64, 65), -EINVAL);
			for (i = 0; i < start; i++) {
				ok(pd_sm_dec(e->data, 60, 62));
				ok(pd_sm_dec(e->data, 67, 70));
			}
			assert_int_equal(pd_sm_nr_allocated(e->data), 0);
			sm_commit(e);
			assert_int_equal(pd_sm_nr_allocatable(e->data),
					 2 * E + 100);
		}
	}
	sm_verify(e);
}

/* In one transaction a block may be taken, shared, dropped and freed. */
static void test_block_taken_and_freed_is_free_after_the_commit(void **state)
{
	pd_block_t b = sm_alloc(e->data), free = 2 * E + 100;
	int i;

	for (i = 0; i < 9; i++)
		ok(pd_sm_inc(e->data, b, b + 1));
	for (i = 0; i < 10; i++)
		ok(pd_sm_dec(e->data, b, b + 1));
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 1);
	sm_close(e);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 1);
	sm_complete(e);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free);
	sm_verify(e);
}

/* Without memory, a change is an error or it is complete. */
static void test_failed_allocations_leave_counts_as_they_were(void **state)
{
	pd_block_t free = pd_sm_nr_allocatable(e->data);
	int k, r;
	long n;

	for (k = 0; k < 8; k++) {
		for (n = 0, r = -ENOMEM; r; n++) {
			shim_fail_alloc(n, false);
			r = pd_sm_inc(e->data, 40, 50);
			shim_fail_alloc(-1, false);
			assert_true(!r || r == -ENOMEM);
			assert_int_equal(sm_count(e->data, 40), k + !r);
			assert_int_equal(sm_count(e->data, 49), k + !r);
			assert_int_equal(pd_sm_nr_allocated(e->data),
					 k || !r ? 10 : 0);
			assert_int_equal(pd_sm_nr_allocatable(e->data),
					 k || !r ? free - 10 : free);
		}
	}
	sm_commit(e);
	sm_verify(e);
	for (k = 8; k > 0; k--) {
		for (n = 0, r = -ENOMEM; r; n++) {
			shim_fail_alloc(n, false);
			r = pd_sm_dec(e->data, 45, 46);
			shim_fail_alloc(-1, false);
			assert_true(!r || r == -ENOMEM);
			assert_int_equal(sm_count(e->data, 45), k - !r);
		}
	}
	sm_commit(e);
	assert_int_equal(pd_sm_nr_allocated(e->data), 9);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 9);
	sm_verify(e);
}

/* A leaf's worth of neighbours enters and leaves the overflow tree. */
static void test_runs_enter_and_leave_the_overflow_tree(void **state)
{
	u64 b = 5000;
	__le32 value;
	int k;

	for (k = 1; k <= 5; k++) {
		ok(pd_sm_inc(e->data, 100, 1000));
		ok(pd_sm_inc(e->data, 300 + k, 320));
		sm_commit(e);
		sm_verify(e);
	}
	assert_int_equal(sm_count(e->data, 300), 5);
	assert_int_equal(sm_count(e->data, 319), 10);
	for (k = 4; k > 0; k--) {
		ok(pd_sm_dec(e->data, 100, 1000));
		sm_commit(e);
		sm_verify(e);
		assert_int_equal(sm_count(e->data, 999), k);
	}
	for (b = 0; b < 1100; b++) {
		u32 count = sm_count(e->data, b);
		int r = pd_btree_lookup(&e->data->overflow,
					e->data->overflow_root, &b, &value);

		assert_int_equal(r, count >= 3 ? 0 : -ENODATA);
	}
}

static void test_missing_count_of_a_neighbour_is_eilseq(void **state)
{
	unsigned char root[32];
	u64 b = 130;
	int k;

	for (k = 0; k < 4; k++)
		ok(pd_sm_inc(e->data, 128, 140));
	sm_commit(e);
	ok(pd_btree_remove(&e->data->overflow, &e->data->overflow_root, &b));
	ok(pd_sm_dec(e->data, 128, 140));
	assert_int_equal(pd_sm_close(e->data, root), -EILSEQ);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deltas_equal_an_array),
		cmocka_unit_test(test_deltas_have_32_bits),
		cmocka_unit_test(test_sums_are_modulo_8),
		cmocka_unit_test(test_runs_of_a_mask),
		cmocka_unit_test(test_words_of_a_range),
		t(test_ranges_begin_and_end_anywhere_in_a_word),
		t(test_large_deltas_are_as_good_as_small_ones),
		t(test_block_taken_and_freed_is_free_after_the_commit),
		t(test_failed_allocations_leave_counts_as_they_were),
		t(test_runs_enter_and_leave_the_overflow_tree),
		t(test_missing_count_of_a_neighbour_is_eilseq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
