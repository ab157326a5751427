// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reserves and limits against arrays of numbers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <linux/limits.h>
#include <linux/minmax.h>

#include "data-path/quota.h"

#define NR_IDS	20

static int reserve(struct thinx_quotas *q, u32 id, u64 nr, u64 nr_free, u64 *left)
{
	int r;

	mutex_lock(&q->change);
	r = thinx_quotas_prepare(q, id);
	if (!r)
		r = thinx_quotas_reserve(q, id, nr, nr_free, left);
	thinx_quotas_tidy(q, id);
	mutex_unlock(&q->change);
	return r;
}

static void limit(struct thinx_quotas *q, u32 id, u64 nr)
{
	mutex_lock(&q->change);
	assert_int_equal(thinx_quotas_prepare(q, id), 0);
	thinx_quotas_limit(q, id, nr);
	thinx_quotas_tidy(q, id);
	mutex_unlock(&q->change);
}

static void forget(struct thinx_quotas *q, u32 id)
{
	mutex_lock(&q->change);
	thinx_quotas_forget(q, id);
	mutex_unlock(&q->change);
}

/* What a device is told when so many are free. */
static struct thinx_quota_view see(struct thinx_quotas *q, u32 id, u64 nr_free)
{
	struct thinx_quota_view view;

	thinx_quotas_view(q, id, nr_free, &view);
	return view;
}

static u64 available(struct thinx_quotas *q, u32 id, u64 nr_free)
{
	return min(nr_free, see(q, id, nr_free).available);
}

/* Returns how many it got. */
static u64 take(struct thinx_quotas *q, u32 id, u64 nr, u64 *nr_free)
{
	u64 before = available(q, id, *nr_free);

	thinx_quotas_settle(q, *nr_free);
	assert_int_equal(available(q, id, *nr_free), before);
	nr = min(nr, before);
	*nr_free -= nr;
	thinx_quotas_take(q, id, *nr_free);
	return nr;
}

static void has(struct thinx_quotas *q, u32 id, u64 own, u64 most)
{
	struct thinx_quota_view view = see(q, id, 1000);

	assert_int_equal(view.reserve, own);
	assert_int_equal(view.limit, most);
}

static void test_without_any_nothing_is_kept_from_anybody(void **state)
{
	struct thinx_quotas q;

	thinx_quotas_init(&q);
	has(&q, 1, 0, THINX_NO_LIMIT);
	assert_int_equal(see(&q, 1, 7).available, U64_MAX);
	assert_int_equal(thinx_quotas_unreserved(&q, 7), 7);
	assert_false(thinx_quotas_has(&q, 1));
	thinx_quotas_exit(&q);
}

static void test_reserve_is_for_its_device_alone(void **state)
{
	struct thinx_quotas q;
	u64 left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 10, 100, &left), 0);
	assert_int_equal(see(&q, 1, 100).available, U64_MAX);
	assert_int_equal(reserve(&q, 2, 20, 100, &left), 0);
	assert_int_equal(available(&q, 1, 100), 80);
	assert_int_equal(available(&q, 2, 100), 90);
	assert_int_equal(available(&q, 3, 100), 70);
	assert_int_equal(thinx_quotas_unreserved(&q, 100), 70);
	assert_int_equal(thinx_quotas_unreserved(&q, 31), 1);
	assert_int_equal(thinx_quotas_unreserved(&q, 30), 0);
	assert_int_equal(thinx_quotas_unreserved(&q, 5), 0);
	thinx_quotas_exit(&q);
}

/* Of two, one uses its own: it gets no more than that, and the other all of its. */
static void test_used_up_reserve_stands_in_nobodys_way(void **state)
{
	struct thinx_quotas q;
	u64 nr_free = 9, left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 5, nr_free, &left), 0);
	assert_int_equal(reserve(&q, 2, 4, nr_free, &left), 0);
	assert_int_equal(take(&q, 1, 3, &nr_free), 3);
	assert_int_equal(see(&q, 1, nr_free).left, 2);
	assert_int_equal(available(&q, 2, nr_free), 4);
	assert_int_equal(take(&q, 1, 100, &nr_free), 2);
	assert_int_equal(available(&q, 1, nr_free), 0);
	assert_int_equal(available(&q, 3, nr_free), 0);
	assert_int_equal(take(&q, 2, 100, &nr_free), 4);
	assert_int_equal(nr_free, 0);
	has(&q, 1, 5, THINX_NO_LIMIT);
	thinx_quotas_exit(&q);
}

static void test_what_comes_free_makes_reserves_whole_first(void **state)
{
	struct thinx_quotas q;
	u64 nr_free = 9, left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 5, nr_free, &left), 0);
	assert_int_equal(reserve(&q, 2, 4, nr_free, &left), 0);
	assert_int_equal(take(&q, 1, 5, &nr_free), 5);
	nr_free += 3;
	assert_int_equal(available(&q, 3, nr_free), 0);
	assert_int_equal(available(&q, 1, nr_free), 3);
	assert_int_equal(see(&q, 1, nr_free).left, 3);
	assert_int_equal(take(&q, 2, 2, &nr_free), 2);
	assert_int_equal(available(&q, 1, nr_free), 3);
	nr_free += 2;
	assert_int_equal(available(&q, 1, nr_free), 5);
	assert_int_equal(available(&q, 2, nr_free), 2);
	nr_free += 2;
	/* Nothing more than its own for one that has used none of it. */
	assert_int_equal(available(&q, 2, nr_free), 4);
	nr_free++;
	assert_int_equal(available(&q, 3, nr_free), 1);
	assert_int_equal(available(&q, 2, nr_free), 5);
	assert_int_equal(take(&q, 3, 100, &nr_free), 1);
	assert_int_equal(take(&q, 2, 100, &nr_free), 4);
	assert_int_equal(take(&q, 1, 100, &nr_free), 5);
	assert_int_equal(nr_free, 0);
	thinx_quotas_exit(&q);
}

static void test_reserve_is_refused_when_less_is_free(void **state)
{
	struct thinx_quotas q;
	u64 left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 101, 100, &left), -ENOSPC);
	assert_int_equal(left, 100);
	assert_false(thinx_quotas_has(&q, 1));
	assert_int_equal(reserve(&q, 1, 60, 100, &left), 0);
	assert_int_equal(reserve(&q, 2, 41, 100, &left), -ENOSPC);
	assert_int_equal(left, 40);
	assert_int_equal(thinx_quotas_unreserved(&q, 100), 40);
	assert_int_equal(reserve(&q, 2, 40, 100, &left), 0);
	/* Its own blocks do not count against it. */
	assert_int_equal(reserve(&q, 1, 61, 101, &left), 0);
	assert_int_equal(left, 61);
	assert_int_equal(reserve(&q, 1, U64_MAX, 101, &left), -ENOSPC);
	assert_int_equal(thinx_quotas_unreserved(&q, 200), 99);
	thinx_quotas_exit(&q);
}

/* A service that sets it again must not be refused because it is being used. */
static void test_reserve_may_stay_or_shrink_when_less_is_free(void **state)
{
	struct thinx_quotas q;
	u64 left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 60, 100, &left), 0);
	assert_int_equal(reserve(&q, 1, 60, 0, &left), 0);
	assert_int_equal(reserve(&q, 1, 61, 0, &left), -ENOSPC);
	assert_int_equal(reserve(&q, 1, 59, 0, &left), 0);
	assert_int_equal(thinx_quotas_unreserved(&q, 60), 1);
	assert_int_equal(reserve(&q, 1, 0, 0, &left), 0);
	assert_false(thinx_quotas_has(&q, 1));
	assert_int_equal(thinx_quotas_unreserved(&q, 60), 60);
	thinx_quotas_exit(&q);
}

/* But a used one does not get what belongs to others. */
static void test_used_reserve_set_again_takes_from_nobody(void **state)
{
	struct thinx_quotas q;
	u64 nr_free = 20, left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 10, nr_free, &left), 0);
	assert_int_equal(reserve(&q, 2, 10, nr_free, &left), 0);
	assert_int_equal(take(&q, 1, 8, &nr_free), 8);
	assert_int_equal(reserve(&q, 1, 10, nr_free, &left), 0);
	assert_int_equal(available(&q, 1, nr_free), 2);
	assert_int_equal(reserve(&q, 1, 5, nr_free, &left), 0);
	assert_int_equal(available(&q, 1, nr_free), 2);
	assert_int_equal(reserve(&q, 1, 6, nr_free, &left), -ENOSPC);
	assert_int_equal(left, 2);
	assert_int_equal(take(&q, 2, 100, &nr_free), 10);
	assert_int_equal(take(&q, 1, 100, &nr_free), 2);
	thinx_quotas_exit(&q);
}

static void test_what_is_claimed_is_free_for_nobody(void **state)
{
	struct thinx_quotas q;
	u64 nr_free = 100, left;

	thinx_quotas_init(&q);
	assert_int_equal(thinx_quotas_claim(&q, 1, 101, nr_free, &left), -ENOSPC);
	assert_int_equal(left, 100);
	assert_int_equal(see(&q, 2, nr_free).available, U64_MAX);
	assert_int_equal(thinx_quotas_claim(&q, 1, 60, nr_free, &left), 0);
	/* Not for others, nor for the same device without its claim. */
	assert_int_equal(available(&q, 1, nr_free), 40);
	assert_int_equal(available(&q, 2, nr_free), 40);
	assert_int_equal(thinx_quotas_unreserved(&q, nr_free), 40);
	assert_int_equal(thinx_quotas_claim(&q, 2, 41, nr_free, &left), -ENOSPC);
	assert_int_equal(left, 40);
	/* A block of the claim is taken: nobody else notices. */
	nr_free--;
	thinx_quotas_unclaim(&q, 1);
	assert_int_equal(available(&q, 2, nr_free), 40);
	thinx_quotas_unclaim(&q, 59);
	assert_int_equal(available(&q, 2, nr_free), 99);
	assert_int_equal(see(&q, 2, nr_free).available, U64_MAX);
	thinx_quotas_exit(&q);
}

static void test_claims_and_reserves_keep_clear_of_each_other(void **state)
{
	struct thinx_quotas q;
	u64 nr_free = 100, left;

	thinx_quotas_init(&q);
	assert_int_equal(reserve(&q, 1, 30, nr_free, &left), 0);
	assert_int_equal(reserve(&q, 2, 20, nr_free, &left), 0);
	assert_int_equal(thinx_quotas_claim(&q, 3, 51, nr_free, &left), -ENOSPC);
	assert_int_equal(left, 50);
	/* Out of its own reserve, as if it were taken. */
	assert_int_equal(thinx_quotas_claim(&q, 1, 60, nr_free, &left), 0);
	assert_int_equal(see(&q, 1, nr_free).left, 20);
	assert_int_equal(available(&q, 1, nr_free), 20);
	assert_int_equal(available(&q, 2, nr_free), 20);
	assert_int_equal(available(&q, 3, nr_free), 0);
	assert_int_equal(reserve(&q, 3, 1, nr_free, &left), -ENOSPC);
	assert_int_equal(take(&q, 2, 100, &nr_free), 20);
	/* What is given up makes the reserves whole. */
	thinx_quotas_unclaim(&q, 60);
	assert_int_equal(see(&q, 1, nr_free).left, 30);
	assert_int_equal(see(&q, 2, nr_free).left, 20);
	assert_int_equal(available(&q, 3, nr_free), 30);
	thinx_quotas_exit(&q);
}

static void test_limit_comes_and_goes(void **state)
{
	struct thinx_quotas q;
	u64 left;

	thinx_quotas_init(&q);
	limit(&q, 7, 5);
	has(&q, 7, 0, 5);
	has(&q, 8, 0, THINX_NO_LIMIT);
	assert_int_equal(see(&q, 8, 3).available, U64_MAX);
	assert_int_equal(reserve(&q, 7, 3, 3, &left), 0);
	has(&q, 7, 3, 5);
	limit(&q, 7, THINX_NO_LIMIT);
	has(&q, 7, 3, THINX_NO_LIMIT);
	limit(&q, 7, 9);
	assert_int_equal(reserve(&q, 7, 0, 3, &left), 0);
	has(&q, 7, 0, 9);
	limit(&q, 7, THINX_NO_LIMIT);
	assert_false(thinx_quotas_has(&q, 7));
	thinx_quotas_exit(&q);
}

static void test_device_that_is_gone_leaves_nothing(void **state)
{
	struct thinx_quotas q;
	u64 left;

	thinx_quotas_init(&q);
	forget(&q, 3);
	assert_int_equal(reserve(&q, 3, 4, 4, &left), 0);
	limit(&q, 3, 8);
	forget(&q, 3);
	assert_false(thinx_quotas_has(&q, 3));
	has(&q, 3, 0, THINX_NO_LIMIT);
	assert_int_equal(available(&q, 2, 4), 4);
	thinx_quotas_exit(&q);
}

static void test_devices_are_told_in_order(void **state)
{
	struct thinx_quotas q;
	struct thinx_quota_view view;
	u64 nr_free = 100, left;
	u32 id = 0;

	thinx_quotas_init(&q);
	assert_false(thinx_quotas_next(&q, &id, nr_free, &view));
	assert_int_equal(reserve(&q, 30, 20, nr_free, &left), 0);
	limit(&q, 20, 5);
	assert_int_equal(reserve(&q, 40, 80, nr_free, &left), 0);
	assert_int_equal(take(&q, 30, 15, &nr_free), 15);
	assert_true(thinx_quotas_next(&q, &id, nr_free, &view));
	assert_int_equal(id, 20);
	assert_int_equal(view.limit, 5);
	id++;
	assert_true(thinx_quotas_next(&q, &id, nr_free, &view));
	assert_int_equal(id, 30);
	assert_int_equal(view.reserve, 20);
	assert_int_equal(view.left, 5);
	assert_true(thinx_quotas_next(&q, &id, nr_free + 7, &view));
	assert_int_equal(view.left, 12);
	id = 31;
	assert_true(thinx_quotas_next(&q, &id, nr_free, &view));
	assert_int_equal(id, 40);
	id = 41;
	assert_false(thinx_quotas_next(&q, &id, nr_free, &view));
	thinx_quotas_exit(&q);
}

/* Whatever all the others take, this one still gets what it was told is left. */
static void others_take_all(struct thinx_quotas *q, u64 *nr_free)
{
	u32 lucky = rand() % NR_IDS, id, i;
	u64 left = see(q, lucky, *nr_free).left;

	for (i = 0; i < 3 * NR_IDS; i++) {
		id = rand() % NR_IDS;
		if (id != lucky)
			take(q, id, rand() % 60, nr_free);
	}
	for (id = 0; id < NR_IDS; id++)
		if (id != lucky)
			take(q, id, U64_MAX, nr_free);
	assert_true(available(q, lucky, *nr_free) >= left);
	assert_int_equal(thinx_quotas_unreserved(q, *nr_free), 0);
}

static void test_random_changes_keep_the_promises(void **state)
{
	u64 reserves[NR_IDS] = { 0 }, limits[NR_IDS], sum = 0, left, nr_free = 400;
	u64 claimed = 0, base;
	struct thinx_quotas q;
	unsigned int i, step;

	thinx_quotas_init(&q);
	for (i = 0; i < NR_IDS; i++)
		limits[i] = THINX_NO_LIMIT;
	srand(1);
	for (step = 0; step < 30000; step++) {
		u64 nr = rand() % 50, kept = 0;
		u32 id = rand() % NR_IDS;
		bool fits = nr <= reserves[id] ||
			    nr + sum - reserves[id] + claimed <= nr_free;

		switch (rand() % 10) {
		case 0:
			forget(&q, id);
			sum -= reserves[id];
			reserves[id] = 0;
			limits[id] = THINX_NO_LIMIT;
			break;
		case 1:
			limits[id] = nr ? nr : THINX_NO_LIMIT;
			limit(&q, id, limits[id]);
			break;
		case 2:
		case 3:
			assert_int_equal(reserve(&q, id, nr, nr_free, &left),
					 fits ? 0 : -ENOSPC);
			if (!fits)
				break;
			sum += nr - reserves[id];
			reserves[id] = nr;
			break;
		case 4:
			if (rand() % 20 == 0)
				others_take_all(&q, &nr_free);
			break;
		case 5:
			nr_free += nr;
			if (nr_free > 600)
				nr_free = 600;
			break;
		case 6:
			if (!thinx_quotas_claim(&q, id, nr, nr_free, &left))
				claimed += nr;
			else
				assert_true(left < nr);
			break;
		case 7:
			/* Some of it is taken, some given up. */
			nr = min(nr, claimed);
			claimed -= nr;
			thinx_quotas_unclaim(&q, nr);
			nr_free -= nr / 2;
			break;
		default:
			take(&q, id, nr, &nr_free);
		}
		assert_true(q.kept + claimed <= nr_free);
		base = nr_free - claimed;
		assert_int_equal(thinx_quotas_unreserved(&q, nr_free),
				 base > sum ? base - sum : 0);
		for (i = 0; i < NR_IDS; i++) {
			struct thinx_quota_view v = see(&q, i, nr_free);
			u64 others = sum - reserves[i];

			assert_int_equal(v.reserve, reserves[i]);
			assert_int_equal(v.limit, limits[i]);
			assert_true(v.left <= v.reserve);
			assert_true(v.available >= v.left);
			if (!reserves[i] || base >= sum)
				assert_int_equal(min(v.available, base),
						 base > others ?
						 base - others : 0);
			if (base > sum)
				assert_int_equal(v.left, v.reserve);
			assert_int_equal(thinx_quotas_has(&q, i),
					 reserves[i] ||
					 limits[i] != THINX_NO_LIMIT);
			kept += see(&q, i, 0).left;
		}
		assert_int_equal(kept, q.kept);
	}
	thinx_quotas_exit(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_any_nothing_is_kept_from_anybody),
		cmocka_unit_test(test_reserve_is_for_its_device_alone),
		cmocka_unit_test(test_used_up_reserve_stands_in_nobodys_way),
		cmocka_unit_test(test_what_comes_free_makes_reserves_whole_first),
		cmocka_unit_test(test_reserve_is_refused_when_less_is_free),
		cmocka_unit_test(test_reserve_may_stay_or_shrink_when_less_is_free),
		cmocka_unit_test(test_used_reserve_set_again_takes_from_nobody),
		cmocka_unit_test(test_what_is_claimed_is_free_for_nobody),
		cmocka_unit_test(test_claims_and_reserves_keep_clear_of_each_other),
		cmocka_unit_test(test_limit_comes_and_goes),
		cmocka_unit_test(test_device_that_is_gone_leaves_nothing),
		cmocka_unit_test(test_devices_are_told_in_order),
		cmocka_unit_test(test_random_changes_keep_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
