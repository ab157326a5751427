// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Held ranges against an array that has the holder of each block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data-path/range-lock.h"

static bool hold(struct thinx_range_lock *rl, struct thinx_range *r, u64 begin,
		 u64 end)
{
	return thinx_range_lock_or_wait(rl, r, NULL, begin, end);
}

static void let_go(struct thinx_range_lock *rl, struct thinx_range *r)
{
	LIST_HEAD(freed);

	thinx_range_unlock(rl, r, &freed);
	assert_true(list_empty(&freed));
}

static void test_free_range_is_held_after_locking(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range r;

	thinx_range_lock_init(&rl);
	assert_false(thinx_range_is_held(&rl, 0, ~0ULL));
	assert_true(hold(&rl, &r, 10, 20));
	assert_int_equal(r.begin, 10);
	assert_int_equal(r.end, 20);
	assert_true(thinx_range_is_held(&rl, 0, ~0ULL));
	let_go(&rl, &r);
	assert_false(thinx_range_is_held(&rl, 0, ~0ULL));
}

static void test_neighbours_do_not_meet(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range a, b, c;

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &b, 10, 20));
	assert_false(thinx_range_is_held(&rl, 0, 10));
	assert_false(thinx_range_is_held(&rl, 20, 30));
	assert_true(thinx_range_is_held(&rl, 9, 11));
	assert_true(thinx_range_is_held(&rl, 19, 20));
	assert_true(thinx_range_is_held(&rl, 12, 13));
	assert_true(hold(&rl, &a, 0, 10));
	assert_true(hold(&rl, &c, 20, ~0ULL));
	let_go(&rl, &b);
	assert_false(thinx_range_is_held(&rl, 10, 20));
	let_go(&rl, &a);
	let_go(&rl, &c);
}

static void test_range_that_meets_a_held_one_is_not_locked(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range held, r;

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &held, 10, 20));
	assert_false(hold(&rl, &r, 0, 11));
	assert_false(hold(&rl, &r, 19, 30));
	assert_false(hold(&rl, &r, 0, 30));
	assert_false(hold(&rl, &r, 12, 13));
	assert_false(hold(&rl, &r, 10, 20));
	let_go(&rl, &held);
}

static void test_waiters_are_freed_in_order_of_arrival(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range held, other, r;
	struct thinx_range_waiter w[5], *pos;
	LIST_HEAD(freed);
	int i;

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &held, 10, 20));
	assert_true(hold(&rl, &other, 30, 40));
	list_add_tail(&w[0].list, &freed);
	for (i = 1; i < 4; i++)
		assert_false(thinx_range_lock_or_wait(&rl, &r, &w[i], 20 - i,
						      21));
	assert_false(thinx_range_lock_or_wait(&rl, &r, &w[4], 35, 36));

	thinx_range_unlock(&rl, &held, &freed);
	i = 0;
	list_for_each_entry(pos, &freed, list) {
		assert_ptr_equal(pos, &w[i]);
		if (i)
			assert_int_equal(pos->begin, 20 - i);
		i++;
	}
	assert_int_equal(i, 4);

	INIT_LIST_HEAD(&freed);
	thinx_range_unlock(&rl, &other, &freed);
	assert_ptr_equal(list_first_entry(&freed, struct thinx_range_waiter,
					  list), &w[4]);
}

static void test_waiter_is_queued_at_the_lowest_range_in_the_way(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range a, b, r;
	struct thinx_range_waiter w;
	LIST_HEAD(freed);

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &b, 30, 40));
	assert_true(hold(&rl, &a, 10, 20));
	assert_false(thinx_range_lock_or_wait(&rl, &r, &w, 0, 100));
	let_go(&rl, &b);
	thinx_range_unlock(&rl, &a, &freed);
	assert_false(list_empty(&freed));
}

/* A wide request among others for parts of it, which never leave it all free. */
static void test_claimed_range_is_held_although_others_keep_coming(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range parts[2], wide;
	LIST_HEAD(freed);
	int i;

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &parts[0], 10, 20));
	for (i = 0; i < 10; i++) {
		assert_true(hold(&rl, &parts[1 - i % 2], 30 + i, 31 + i));
		let_go(&rl, &parts[i % 2]);
		assert_false(thinx_range_lock_or_wait(&rl, &wide, NULL, 0, 100));
	}
	assert_false(thinx_range_claim(&rl, &wide, 0, 100));
	assert_false(hold(&rl, &parts[1], 50, 51));
	assert_false(thinx_range_claim(&rl, &wide, 0, 100));
	let_go(&rl, &parts[0]);
	assert_false(hold(&rl, &parts[1], 50, 51));
	assert_true(thinx_range_claim(&rl, &wide, 0, 100));
	assert_null(rl.claim);
	assert_false(hold(&rl, &parts[1], 50, 51));
	thinx_range_unlock(&rl, &wide, &freed);
	assert_true(hold(&rl, &parts[1], 50, 51));
	let_go(&rl, &parts[1]);
}

static void test_claim_is_in_the_way_of_what_overlaps_it_and_of_nothing_else(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range held, wide, r;

	thinx_range_lock_init(&rl);
	assert_true(hold(&rl, &held, 10, 20));
	assert_false(thinx_range_claim(&rl, &wide, 15, 40));
	assert_true(thinx_range_is_held(&rl, 39, 50));
	assert_false(thinx_range_is_held(&rl, 40, 50));
	assert_false(thinx_range_is_held(&rl, 0, 10));
	assert_true(hold(&rl, &r, 0, 10));
	let_go(&rl, &r);
	assert_true(hold(&rl, &r, 40, 41));
	let_go(&rl, &r);
	/* Not held, so the map cache may be filled. */
	spin_lock(&rl.lock);
	assert_null(thinx_range_first_held_locked(&rl, 20, 40));
	spin_unlock(&rl.lock);
	let_go(&rl, &held);
	let_go(&rl, &wide);
	assert_false(thinx_range_is_held(&rl, 0, ~0ULL));
}

static void test_free_range_is_held_as_soon_as_it_is_claimed(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range a, b;

	thinx_range_lock_init(&rl);
	assert_true(thinx_range_claim(&rl, &a, 0, 10));
	assert_true(thinx_range_claim(&rl, &b, 10, 20));
	assert_false(hold(&rl, &b, 5, 15));
	let_go(&rl, &a);
	let_go(&rl, &b);
}

static void test_waiters_of_a_claim_are_freed_with_it(void **state)
{
	struct thinx_range_lock rl;
	struct thinx_range held, wide, r;
	struct thinx_range_waiter w[3];
	LIST_HEAD(freed);
	int granted;

	for (granted = 0; granted < 2; granted++) {
		thinx_range_lock_init(&rl);
		INIT_LIST_HEAD(&freed);
		assert_true(hold(&rl, &held, 10, 20));
		assert_false(thinx_range_claim(&rl, &wide, 0, 100));
		assert_false(thinx_range_lock_or_wait(&rl, &r, &w[0], 12, 13));
		assert_false(thinx_range_lock_or_wait(&rl, &r, &w[1], 30, 31));
		assert_false(thinx_range_lock_or_wait(&rl, &r, &w[2], 40, 41));
		thinx_range_unlock(&rl, &held, &freed);
		assert_ptr_equal(freed.next, &w[0].list);
		assert_ptr_equal(freed.prev, &w[0].list);
		INIT_LIST_HEAD(&freed);
		if (granted)
			assert_true(thinx_range_claim(&rl, &wide, 0, 100));
		thinx_range_unlock(&rl, &wide, &freed);
		assert_ptr_equal(freed.next, &w[1].list);
		assert_ptr_equal(freed.prev, &w[2].list);
		assert_true(RB_EMPTY_ROOT(&rl.held));
		assert_null(rl.claim);
	}
}

#define NR_BLOCKS	200
#define NR_RANGES	40

static void check_against_owners(struct thinx_range_lock *rl,
				 struct thinx_range **owner)
{
	u64 b, e;

	for (b = 0; b < NR_BLOCKS; b += 7) {
		struct thinx_range *want = NULL;

		for (e = b + 1; e <= NR_BLOCKS; e++) {
			want = want ?: owner[e - 1];
			spin_lock(&rl->lock);
			assert_ptr_equal(thinx_range_first_held_locked(rl, b, e),
					 want);
			spin_unlock(&rl->lock);
		}
	}
}

static void test_random_ranges_agree_with_an_array_of_owners(void **state)
{
	struct thinx_range *owner[NR_BLOCKS] = { NULL };
	struct thinx_range r[NR_RANGES] = { 0 };
	bool held[NR_RANGES] = { false };
	struct thinx_range_lock rl;
	unsigned int seed = 4711;
	int i, step;

	thinx_range_lock_init(&rl);
	for (step = 0; step < 3000; step++) {
		u64 begin = rand_r(&seed) % NR_BLOCKS, b;
		u64 end = begin + 1 + rand_r(&seed) % 9;
		bool free = true;

		i = rand_r(&seed) % NR_RANGES;
		end = end > NR_BLOCKS ? NR_BLOCKS : end;
		if (held[i]) {
			let_go(&rl, &r[i]);
			for (b = r[i].begin; b < r[i].end; b++)
				owner[b] = NULL;
			held[i] = false;
			continue;
		}
		for (b = begin; b < end; b++)
			free = free && !owner[b];
		held[i] = hold(&rl, &r[i], begin, end);
		assert_int_equal(held[i], free);
		for (b = begin; free && b < end; b++)
			owner[b] = &r[i];
		if (step % 50 == 0)
			check_against_owners(&rl, owner);
	}
	for (i = 0; i < NR_RANGES; i++)
		if (held[i])
			let_go(&rl, &r[i]);
	assert_true(RB_EMPTY_ROOT(&rl.held));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_range_is_held_after_locking),
		cmocka_unit_test(test_neighbours_do_not_meet),
		cmocka_unit_test(test_range_that_meets_a_held_one_is_not_locked),
		cmocka_unit_test(test_waiters_are_freed_in_order_of_arrival),
		cmocka_unit_test(test_waiter_is_queued_at_the_lowest_range_in_the_way),
		cmocka_unit_test(test_claimed_range_is_held_although_others_keep_coming),
		cmocka_unit_test(test_claim_is_in_the_way_of_what_overlaps_it_and_of_nothing_else),
		cmocka_unit_test(test_free_range_is_held_as_soon_as_it_is_claimed),
		cmocka_unit_test(test_waiters_of_a_claim_are_freed_with_it),
		cmocka_unit_test(test_random_ranges_agree_with_an_array_of_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
