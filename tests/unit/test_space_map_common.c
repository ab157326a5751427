// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reference counts in memory: small and large ones, refusals, thresholds.
 */
#include "sm-env.h"
#include "tests/check/space-map-check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define E PD_ENTRIES_PER_BITMAP
#define NR (E + 500)

static struct sm_env env, *e = &env;

static int setup(void **state)
{
	sm_begin(e, 600, NR);
	return 0;
}

static int teardown(void **state)
{
	sm_end(e);
	return 0;
}

static void test_counts_go_up_and_down_over_transactions(void **state)
{
	/* Each step is a transaction of its own and then read from disk. */
	static const int steps[] = { 1, 1, 1, 1, 3, -1, -2, -2, 1, -1, -1, 5,
				     -6 };
	u32 count = 0;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		for (n = 0; n < steps[i]; n++)
			ok(pd_sm_inc(e->data, 7, 8));
		for (n = 0; n > steps[i]; n--)
			ok(pd_sm_dec(e->data, 7, 8));
		count += steps[i];
		assert_int_equal(sm_count(e->data, 7), count);
		assert_int_equal(pd_sm_nr_allocated(e->data), !!count);
		sm_commit(e);
		assert_int_equal(sm_count(e->data, 7), count);
		sm_verify(e);
		sm_reopen(e);
		assert_int_equal(sm_count(e->data, 7), count);
		assert_int_equal(pd_sm_nr_allocated(e->data), !!count);
	}
}

static void test_range_may_cross_bitmaps(void **state)
{
	ok(pd_sm_inc(e->data, E - 3, E + 3));
	ok(pd_sm_inc(e->data, E - 1, E + 1));
	assert_int_equal(sm_count(e->data, E - 4), 0);
	assert_int_equal(sm_count(e->data, E - 2), 1);
	assert_int_equal(sm_count(e->data, E - 1), 2);
	assert_int_equal(sm_count(e->data, E), 2);
	assert_int_equal(sm_count(e->data, E + 2), 1);
	assert_int_equal(sm_count(e->data, E + 3), 0);
	assert_int_equal(pd_sm_nr_allocated(e->data), 6);
	assert_int_equal(pd_sm_nr_dirty_bitmaps(e->data), 2);
	ok(pd_sm_dec(e->data, E - 3, E + 3));
	assert_int_equal(pd_sm_nr_allocated(e->data), 2);
	sm_commit(e);
	assert_int_equal(pd_sm_nr_dirty_bitmaps(e->data), 0);
	sm_verify(e);
}

static void test_changed_overflow_leaves_are_counted(void **state)
{
	struct pd_sm_overflow o;
	int n;

	pd_sm_get_overflow(e->data, &o);
	assert_int_equal(o.depth, 1);
	assert_int_equal(o.nr_leaves, 1);
	assert_int_equal(o.nr_touched, 0);
	assert_int_equal(o.nr_moved, 0);
	/* Counts of one and two do not concern it. */
	ok(pd_sm_inc(e->data, 0, NR));
	ok(pd_sm_inc(e->data, 0, NR));
	pd_sm_get_overflow(e->data, &o);
	assert_int_equal(o.nr_touched, 0);
	assert_int_equal(o.nr_moved, 0);
	ok(pd_sm_inc(e->data, 0, NR));
	pd_sm_get_overflow(e->data, &o);
	assert_int_equal(o.nr_touched, 1);
	assert_int_equal(o.nr_moved, NR);
	ok(pd_sm_dec(e->data, 10, 20));
	pd_sm_get_overflow(e->data, &o);
	assert_int_equal(o.nr_moved, NR - 10);
	ok(pd_sm_inc(e->data, 10, 20));
	sm_commit(e);
	sm_verify(e);

	for (n = 0; n < 2; n++) {
		pd_sm_get_overflow(e->data, &o);
		assert_int_equal(o.depth, 2);
		assert_true(o.nr_leaves >= NR / 336);
		assert_true(o.nr_leaves <= NR / 112);
		assert_int_equal(o.nr_touched, 0);
		assert_int_equal(o.nr_moved, 0);
		/* A window may lie in two leaves, two neighbours in three. */
		ok(pd_sm_inc(e->data, 1120, 1130));
		pd_sm_get_overflow(e->data, &o);
		assert_int_equal(o.nr_touched, 2);
		assert_int_equal(o.nr_moved, 0);
		ok(pd_sm_inc(e->data, 1344, 1345));
		pd_sm_get_overflow(e->data, &o);
		assert_int_equal(o.nr_touched, 4);
		ok(pd_sm_inc(e->data, 1232, 1345));
		pd_sm_get_overflow(e->data, &o);
		assert_int_equal(o.nr_touched, 4);
		/* These may leave it: their exact counts were not read. */
		ok(pd_sm_dec(e->data, 5000, 5010));
		pd_sm_get_overflow(e->data, &o);
		assert_int_equal(o.nr_touched, 6);
		assert_int_equal(o.nr_moved, 10);
		/* A change forgotten with its transaction, and one committed. */
		if (n)
			sm_commit(e);
		else
			sm_reopen(e);
	}
	sm_verify(e);
}

static void test_empty_range_changes_nothing(void **state)
{
	ok(pd_sm_inc(e->data, 5, 5));
	ok(pd_sm_dec(e->data, NR, NR));
	assert_int_equal(pd_sm_nr_dirty_bitmaps(e->data), 0);
}

static void test_impossible_ranges_are_einval(void **state)
{
	bool stable;
	u32 count;

	assert_int_equal(pd_sm_inc(e->data, NR - 1, NR + 1), -EINVAL);
	assert_int_equal(pd_sm_dec(e->data, NR, NR + 1), -EINVAL);
	assert_int_equal(pd_sm_inc(e->data, 5, 4), -EINVAL);
	assert_int_equal(pd_sm_inc(e->data, 0, ~0ull), -EINVAL);
	assert_int_equal(pd_sm_get_count(e->data, NR, &count), -EINVAL);
	assert_int_equal(pd_sm_get_count(e->data, ~0ull, &count), -EINVAL);
	assert_int_equal(pd_sm_count_is_stable_one(e->data, NR, &stable),
			 -EINVAL);
}

static void test_count_below_zero_is_refused(void **state)
{
	assert_int_equal(pd_sm_dec(e->data, 3, 4), -EINVAL);
	ok(pd_sm_inc(e->data, 3, 4));
	ok(pd_sm_dec(e->data, 3, 4));
	assert_int_equal(pd_sm_dec(e->data, 3, 4), -EINVAL);
	assert_int_equal(sm_count(e->data, 3), 0);
	assert_int_equal(pd_sm_nr_allocated(e->data), 0);
}

static void test_large_count_may_fall_to_zero_at_once(void **state)
{
	int i;

	for (i = 0; i < 5; i++)
		ok(pd_sm_inc(e->data, 3, 4));
	sm_commit(e);
	for (i = 0; i < 5; i++) {
		assert_int_equal(pd_sm_nr_allocated(e->data), 1);
		ok(pd_sm_dec(e->data, 3, 4));
	}
	assert_int_equal(pd_sm_nr_allocated(e->data), 0);
	assert_int_equal(pd_sm_dec(e->data, 3, 4), -EINVAL);
	ok(pd_sm_inc(e->data, 3, 4));
	assert_int_equal(pd_sm_nr_allocated(e->data), 1);
	sm_commit(e);
	assert_int_equal(sm_count(e->data, 3), 1);
	sm_verify(e);
}

/* Put @count into the overflow tree behind the map's back. */
static void force_overflow(u64 b, u32 count)
{
	__le32 value = cpu_to_le32(count);

	ok(pd_btree_insert(&e->data->overflow, &e->data->overflow_root, &b,
			   &value, NULL));
}

static void test_count_beyond_32_bits_is_eoverflow(void **state)
{
	unsigned char root[32];
	int i;

	for (i = 0; i < 3; i++)
		ok(pd_sm_inc(e->data, 3, 4));
	sm_commit(e);
	force_overflow(3, U32_MAX);
	assert_int_equal(sm_count(e->data, 3), U32_MAX);
	ok(pd_sm_inc(e->data, 3, 4));
	assert_int_equal(pd_sm_close(e->data, root), -EOVERFLOW);
}

static void test_missing_overflow_count_is_eilseq(void **state)
{
	unsigned char root[32];
	u64 b = 3;
	u32 count;
	int i;

	for (i = 0; i < 4; i++)
		ok(pd_sm_inc(e->data, 3, 4));
	sm_commit(e);
	ok(pd_btree_remove(&e->data->overflow, &e->data->overflow_root, &b));
	assert_int_equal(pd_sm_get_count(e->data, 3, &count), -EILSEQ);
	assert_int_equal(pd_sm_check(e->data, NULL, NULL), -EILSEQ);
	ok(pd_sm_dec(e->data, 3, 4));
	assert_int_equal(pd_sm_close(e->data, root), -EILSEQ);
}

static bool is_stable(pd_block_t b)
{
	bool stable;

	ok(pd_sm_count_is_stable_one(e->data, b, &stable));
	return stable;
}

static void test_stable_one_is_one_in_every_transaction(void **state)
{
	pd_block_t b = sm_alloc(e->data);

	assert_false(is_stable(b));	/* new */
	sm_close(e);
	assert_false(is_stable(b));	/* a crash could lose it */
	sm_complete(e);
	assert_true(is_stable(b));

	ok(pd_sm_inc(e->data, b, b + 1));
	assert_false(is_stable(b));
	ok(pd_sm_dec(e->data, b, b + 1));
	assert_false(is_stable(b));	/* one again, but touched */
	sm_commit(e);
	assert_true(is_stable(b));

	ok(pd_sm_inc(e->data, b, b + 1));
	sm_commit(e);
	assert_false(is_stable(b));	/* two */
	ok(pd_sm_dec(e->data, b, b + 1));
	sm_close(e);
	assert_false(is_stable(b));	/* two before */
	sm_complete(e);
	assert_true(is_stable(b));
	assert_false(is_stable(b + 1));	/* zero */
}

/* ---- threshold ---- */

static int nr_calls;

static void on_threshold(void *context)
{
	assert_ptr_equal(context, &nr_calls);
	nr_calls++;
}

static void leave_free(pd_block_t nr)
{
	while (pd_sm_nr_allocatable(e->data) > nr)
		sm_alloc(e->data);
}

static void test_threshold_is_told_once_when_crossed(void **state)
{
	nr_calls = 0;
	pd_sm_set_threshold(e->data, 100, on_threshold, &nr_calls);
	leave_free(101);
	assert_int_equal(nr_calls, 0);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 1);
	leave_free(50);
	assert_int_equal(nr_calls, 1);
}

static void test_threshold_is_armed_by_a_commit_that_left_enough(void **state)
{
	nr_calls = 0;
	pd_sm_set_threshold(e->data, 100, on_threshold, &nr_calls);
	leave_free(90);
	assert_int_equal(nr_calls, 1);
	sm_commit(e);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 1);	/* that commit left 90 */
	ok(pd_sm_dec(e->data, 0, 36));
	sm_commit(e);			/* 125 */
	leave_free(50);
	sm_commit(e);
	assert_int_equal(nr_calls, 1);	/* not enough */
	ok(pd_sm_dec(e->data, 36, 36 + 76));
	sm_commit(e);			/* 126 */
	leave_free(101);
	assert_int_equal(nr_calls, 1);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 2);
}

/* As each transaction does: take a few blocks, give most of them back. */
static void test_threshold_is_not_told_again_by_ups_and_downs(void **state)
{
	pd_block_t low, i, freed = 0;

	nr_calls = 0;
	pd_sm_set_threshold(e->data, 20, on_threshold, &nr_calls);
	for (low = 40; low >= 10; low--) {
		leave_free(low - 10);
		for (i = 0; i < 10; i++, freed++)
			ok(pd_sm_dec(e->data, freed, freed + 1));
		sm_commit(e);
		assert_int_equal(pd_sm_nr_allocatable(e->data), low);
	}
	assert_int_equal(nr_calls, 1);
}

static void test_threshold_counts_held_blocks_as_gone(void **state)
{
	pd_block_t b, nr;

	nr_calls = 0;
	pd_sm_set_threshold(e->data, NR - 10, on_threshold, &nr_calls);
	ok(pd_sm_find_run(e->data, 9, &b, &nr));
	assert_int_equal(nr_calls, 0);
	ok(pd_sm_find_run(e->data, 1, &b, &nr));
	assert_int_equal(nr_calls, 1);
}

static void test_threshold_set_too_late_is_told_by_the_first_allocation(void **s)
{
	nr_calls = 0;
	leave_free(50);
	pd_sm_set_threshold(e->data, 100, on_threshold, &nr_calls);
	assert_int_equal(nr_calls, 0);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 1);
	/* Set again, it is not news. */
	pd_sm_set_threshold(e->data, 90, on_threshold, &nr_calls);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 1);
	/* Unless there was enough in between. */
	pd_sm_set_threshold(e->data, 40, on_threshold, &nr_calls);
	pd_sm_set_threshold(e->data, 90, on_threshold, &nr_calls);
	sm_alloc(e->data);
	assert_int_equal(nr_calls, 2);
	pd_sm_set_threshold(e->data, 10, NULL, NULL);
	leave_free(5);
	assert_int_equal(nr_calls, 2);
}

/* ---- failures ---- */

static void test_failed_allocation_of_memory_changes_nothing(void **state)
{
	pd_block_t b, free = pd_sm_nr_allocatable(e->data);
	long n;
	int r = -ENOMEM;

	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_alloc(e->data, &b);
		shim_fail_alloc(-1, false);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(pd_sm_nr_allocatable(e->data), free);
			assert_int_equal(pd_sm_nr_allocated(e->data), 0);
		}
	}
	assert_true(n > 1);
	r = -ENOMEM;
	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_inc(e->data, 9000, 9001);
		shim_fail_alloc(-1, false);
		assert_true(!r || r == -ENOMEM);
	}
	assert_int_equal(sm_count(e->data, 9000), 1);
	assert_int_equal(pd_sm_nr_allocated(e->data), 2);
	sm_commit(e);
	sm_verify(e);
}

static void test_size_must_grow(void **state)
{
	assert_int_equal(pd_sm_extend(e->data, NR), -EINVAL);
	assert_int_equal(pd_sm_extend(e->data, NR - 1), -EINVAL);
	assert_int_equal(pd_sm_extend(e->data, ~0ull), -EINVAL);
	assert_int_equal(pd_sm_nr_blocks(e->data), NR);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_counts_go_up_and_down_over_transactions),
		t(test_range_may_cross_bitmaps),
		t(test_changed_overflow_leaves_are_counted),
		t(test_empty_range_changes_nothing),
		t(test_impossible_ranges_are_einval),
		t(test_count_below_zero_is_refused),
		t(test_large_count_may_fall_to_zero_at_once),
		t(test_count_beyond_32_bits_is_eoverflow),
		t(test_missing_overflow_count_is_eilseq),
		t(test_stable_one_is_one_in_every_transaction),
		t(test_threshold_is_told_once_when_crossed),
		t(test_threshold_is_armed_by_a_commit_that_left_enough),
		t(test_threshold_is_not_told_again_by_ups_and_downs),
		t(test_threshold_counts_held_blocks_as_gone),
		t(test_threshold_set_too_late_is_told_by_the_first_allocation),
		t(test_failed_allocation_of_memory_changes_nothing),
		t(test_size_must_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
