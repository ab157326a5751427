// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Look-ups in btrees: found, not found, between leaves, at the ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"
#include "tests/check/btree-check.h"
#include "tests/stores/stores.h"

#include <linux/kernel.h>
#include <linux/string.h>

static const u32 capacities[] = { 6, 9, 12, 0 };

/* A tree with keys 100, 103, 106 .. below 100 + 3 * @nr. */
static pd_block_t every_third(struct bt_env *e, u32 nr)
{
	pd_block_t root;
	u32 i;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	for (i = 0; i < nr; i++)
		bt_insert(e, &root, 100 + 3ull * i, i);
	return root;
}

static void test_an_empty_tree_has_nothing(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key = 5, got;
	__le64 value;

	bt_begin(&e, 64, 0, 1);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	assert_int_equal(pd_btree_lookup(&e.t, root, &key, &value), -ENODATA);
	assert_int_equal(pd_btree_lookup_next(&e.t, root, &key, &got, &value),
			 -ENODATA);
	assert_int_equal(pd_btree_lowest(&e.t, root, &key, &got, &value),
			 -ENODATA);
	assert_int_equal(pd_btree_highest(&e.t, root, &key, &got, &value),
			 -ENODATA);
	bt_end(&e);
}

static void test_lookups_find_what_is_there_and_nothing_else(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		struct bt_env e;
		pd_block_t root;
		u64 key, got;
		__le64 value;

		bt_begin(&e, 2000, capacities[c], 1);
		root = every_third(&e, 1000);
		for (key = 0; key < 3200; key++) {
			bool has = key >= 100 && key < 3100 &&
				   (key - 100) % 3 == 0;
			u64 next = key < 100 ? 100 :
				   key + (3 - (key - 100) % 3) % 3;

			assert_int_equal(pd_btree_lookup(&e.t, root, &key,
							 &value),
					 has ? 0 : -ENODATA);
			if (has)
				assert_int_equal(le64_to_cpu(value) >> 8,
						 (key - 100) / 3);
			assert_int_equal(pd_btree_lookup_next(&e.t, root, &key,
							      &got, &value),
					 next < 3100 ? 0 : -ENODATA);
			if (next < 3100) {
				assert_int_equal(got, next);
				assert_int_equal(le64_to_cpu(value) >> 8,
						 (next - 100) / 3);
			}
		}
		bt_end(&e);
	}
}

static void test_ends_are_found(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key = 1234, got;
	__le64 value;

	bt_begin(&e, 2000, 6, 1);
	root = every_third(&e, 500);
	assert_int_equal(pd_btree_lowest(&e.t, root, &key, &got, &value), 0);
	assert_int_equal(got, 100);
	assert_int_equal(le64_to_cpu(value) >> 8, 0);
	assert_int_equal(pd_btree_highest(&e.t, root, &key, &got, &value), 0);
	assert_int_equal(got, 100 + 3 * 499);
	assert_int_equal(le64_to_cpu(value) >> 8, 499);
	bt_end(&e);
}

static void test_the_last_possible_key_works(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key = ~0ull, got;
	__le64 value;

	bt_begin(&e, 2000, 6, 1);
	root = every_third(&e, 100);
	assert_int_equal(pd_btree_lookup(&e.t, root, &key, &value), -ENODATA);
	bt_insert(&e, &root, ~0ull, 77);
	assert_int_equal(pd_btree_lookup(&e.t, root, &key, &value), 0);
	key = 5000;
	assert_int_equal(pd_btree_lookup_next(&e.t, root, &key, &got, &value),
			 0);
	assert_int_equal(got, ~0ull);
	assert_int_equal(le64_to_cpu(value) >> 8, 77);
	bt_end(&e);
}

/* ---- whole leaves ---- */

struct seen {
	struct pd_btree_leaf l;
	u64 first, last_key, nr_calls;
};

static void see(void *context, const struct pd_btree_leaf *l)
{
	struct seen *s = context;

	s->l = *l;
	s->nr_calls++;
	if (!l->nr)
		return;
	s->first = le64_to_cpu(l->keys[0]);
	s->last_key = le64_to_cpu(l->keys[l->nr - 1]);
}

static void test_leaves_divide_all_keys_among_them(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		u64 key = 0, total = 0;
		struct bt_env e;
		pd_block_t root;
		struct seen s;

		bt_begin(&e, 2000, capacities[c], 1);
		root = every_third(&e, 1000);
		do {
			memset(&s, 0, sizeof(s));
			assert_int_equal(pd_btree_lookup_leaf(&e.t, root, &key,
							      see, &s), 0);
			assert_int_equal(s.nr_calls, 1);
			assert_int_equal(s.l.begin, key);
			assert_true(s.first >= s.l.begin);
			assert_true(s.last_key <= s.l.last);
			total += s.l.nr;
			key = s.l.last + 1;
		} while (key);
		assert_int_equal(total, 1000);
		bt_end(&e);
	}
}

static void test_any_key_leads_to_the_leaf_around_it(void **state)
{
	struct bt_env e;
	pd_block_t root;
	struct seen s;
	u64 key;

	bt_begin(&e, 2000, 6, 1);
	root = every_third(&e, 300);
	for (key = 0; key < 1100; key++) {
		assert_int_equal(pd_btree_lookup_leaf(&e.t, root, &key, see,
						      &s), 0);
		assert_true(s.l.begin <= key && key <= s.l.last);
	}
	bt_end(&e);
}

static void test_the_leaf_of_an_empty_tree_decides_about_everything(void **state)
{
	struct seen s = { .nr_calls = 0 };
	struct bt_env e;
	pd_block_t root;
	u64 key = 99;

	bt_begin(&e, 64, 0, 1);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	assert_int_equal(pd_btree_lookup_leaf(&e.t, root, &key, see, &s), 0);
	assert_int_equal(s.nr_calls, 1);
	assert_int_equal(s.l.nr, 0);
	assert_int_equal(s.l.begin, 0);
	assert_true(s.l.last == ~0ull);
	bt_end(&e);
}

/* ---- two levels, buffers, errors ---- */

static void test_a_missing_upper_key_is_reported(void **state)
{
	u64 keys[2] = { 3, 10 }, got;
	struct pd_btree_cursor *cursor;
	struct seen s = { .nr_calls = 0 };
	struct bt_env e;
	pd_block_t root;
	__le64 value;

	bt_begin(&e, 200, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	value = cpu_to_le64(bt_value(&e, 1, 0));
	assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value, NULL), 0);
	assert_int_equal(pd_btree_lookup(&e.t, root, keys, &value), 0);

	keys[0] = 4;
	assert_int_equal(pd_btree_lookup(&e.t, root, keys, &value), -ENODATA);
	assert_int_equal(pd_btree_lookup_next(&e.t, root, keys, &got, &value),
			 -ENODATA);
	assert_int_equal(pd_btree_highest(&e.t, root, keys, &got, &value),
			 -ENODATA);
	assert_int_equal(pd_btree_lookup_leaf(&e.t, root, keys, see, &s),
			 -ENODATA);
	assert_int_equal(s.nr_calls, 0);
	assert_int_equal(pd_btree_cursor_begin(&e.t, root, keys, false,
					       &cursor), -ENODATA);
	bt_end(&e);
}

static void test_readers_hold_one_block_at_a_time(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 keys[2] = { 1, 0 }, got;
	struct seen s;
	__le64 value;

	bt_begin(&e, 2000, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	for (; keys[1] < 500; keys[1]++) {
		value = cpu_to_le64(bt_value(&e, 1, 0));
		assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value,
						 NULL), 0);
	}
	keys[1] = 250;
	bt_watch(&e);
	assert_int_equal(pd_btree_lookup(&e.t, root, keys, &value), 0);
	assert_int_equal(pd_btree_lookup_next(&e.t, root, keys, &got, &value),
			 0);
	assert_int_equal(pd_btree_highest(&e.t, root, keys, &got, &value), 0);
	assert_int_equal(pd_btree_lookup_leaf(&e.t, root, keys, see, &s), 0);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), 0);
	assert_int_equal(bt_max_held(&e), 1);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

/* Look up as the data path does: wait for what is missing, try again. */
static int look_up_cached(struct bt_env *e, pd_block_t root, const u64 *keys,
			  struct seen *s, u32 *nr_missing)
{
	pd_block_t missing = 0;
	int r;

	for (*nr_missing = 0;; ++*nr_missing) {
		r = pd_btree_lookup_leaf_cached(&e->t, root, keys, see, s,
						&missing);
		if (r != -EAGAIN)
			return r;
		assert_int_equal(s->nr_calls, 0);
		assert_int_equal(bt_held(e), 0);
		r = pd_bm_wait(e->bm, missing);
		if (r)
			return r;
	}
}

static void test_a_cached_lookup_names_each_node_that_is_missing(void **state)
{
	struct seen s = { .nr_calls = 0 }, wanted = { .nr_calls = 0 };
	u64 keys[2] = { 1, 0 };
	u32 nr_missing;
	struct bt_env e;
	pd_block_t root;
	__le64 value;

	bt_begin(&e, 2000, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	for (; keys[1] < 500; keys[1]++) {
		value = cpu_to_le64(bt_value(&e, 1, 0));
		assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value,
						 NULL), 0);
	}
	keys[1] = 250;
	bt_reopen(&e);
	assert_int_equal(look_up_cached(&e, root, keys, &s, &nr_missing), 0);
	/* The only node of the top tree, and a path of at least three. */
	assert_true(nr_missing >= 4);
	assert_int_equal(s.nr_calls, 1);
	assert_int_equal(pd_btree_lookup_leaf(&e.t, root, keys, see, &wanted),
			 0);
	assert_int_equal(s.l.begin, wanted.l.begin);
	assert_int_equal(s.l.last, wanted.l.last);
	assert_int_equal(s.l.nr, wanted.l.nr);

	/* Now all of that is cached; other leaves are not. */
	s.nr_calls = 0;
	assert_int_equal(look_up_cached(&e, root, keys, &s, &nr_missing), 0);
	assert_int_equal(nr_missing, 0);
	keys[1] = 0;
	s.nr_calls = 0;
	assert_int_equal(look_up_cached(&e, root, keys, &s, &nr_missing), 0);
	assert_true(nr_missing >= 1);

	keys[0] = 2;
	s.nr_calls = 0;
	assert_int_equal(look_up_cached(&e, root, keys, &s, &nr_missing),
			 -ENODATA);
	assert_int_equal(s.nr_calls, 0);
	bt_end(&e);
}

static void test_a_cached_lookup_that_cannot_read_shows_nothing(void **state)
{
	struct seen s = { .nr_calls = 0 };
	struct bt_env e;
	pd_block_t root;
	u32 nr_missing;
	u64 key = 7;

	bt_begin(&e, 2000, 6, 1);
	root = every_third(&e, 300);
	bt_reopen(&e);
	ram_store_fail(e.io, RAM_OP_READ, 1, true);
	assert_int_equal(look_up_cached(&e, root, &key, &s, &nr_missing),
			 -EIO);
	assert_int_equal(s.nr_calls, 0);
	ram_store_fail(e.io, RAM_OP_READ, -1, false);
	assert_int_equal(look_up_cached(&e, root, &key, &s, &nr_missing), 0);
	assert_int_equal(s.nr_calls, 1);
	bt_end(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_tree_has_nothing),
		cmocka_unit_test(test_lookups_find_what_is_there_and_nothing_else),
		cmocka_unit_test(test_ends_are_found),
		cmocka_unit_test(test_the_last_possible_key_works),
		cmocka_unit_test(test_leaves_divide_all_keys_among_them),
		cmocka_unit_test(test_any_key_leads_to_the_leaf_around_it),
		cmocka_unit_test(test_the_leaf_of_an_empty_tree_decides_about_everything),
		cmocka_unit_test(test_a_missing_upper_key_is_reported),
		cmocka_unit_test(test_readers_hold_one_block_at_a_time),
		cmocka_unit_test(test_a_cached_lookup_names_each_node_that_is_missing),
		cmocka_unit_test(test_a_cached_lookup_that_cannot_read_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
