// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Deleting whole trees: what is not shared is freed, bounds are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"
#include "stores/stores.h"

#include <linux/kernel.h>

static pd_block_t filled(struct bt_env *e, u64 end)
{
	pd_block_t root;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	bt_fill(e, &root, 0, end);
	return root;
}

static void delete_tree_of(u32 max_entries, u64 nr)
{
	unsigned long used;
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1000, max_entries, 1);
	used = bt_nr_used(&e);
	root = filled(&e, nr);
	assert_int_equal(pd_btree_delete(&e.t, root, 1000), 0);
	assert_int_equal(bt_nr_used(&e), used);
	assert_int_equal(e.nr_dec, nr);
	bt_verify(&e, NULL, 0);
	bt_end(&e);
}

static void test_a_tree_of_its_own_is_freed_wholly(void **state)
{
	static const u64 sizes[] = { 0, 1, 6, 7, 100, 1500 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		delete_tree_of(6, sizes[i]);
		delete_tree_of(9, sizes[i]);
		delete_tree_of(252, sizes[i]);
	}
}

static void test_a_shared_tree_only_loses_a_reference(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1000, 6, 1);
	root = filled(&e, 300);
	bt_snap(&e, root);
	/* Nothing has to be freed: a bound of zero is enough. */
	assert_int_equal(pd_btree_delete(&e.t, root, 0), 0);
	assert_int_equal(bt_count(&e, root), 1);
	assert_int_equal(e.nr_dec, 0);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_only_what_is_not_shared_is_freed(void **state)
{
	u32 which;

	for (which = 0; which < 2; which++) {
		pd_block_t roots[2];
		struct bt_env e;
		u64 key;

		bt_begin(&e, 1000, 6, 1);
		roots[0] = filled(&e, 300);
		bt_commit(&e);
		roots[1] = bt_snap(&e, roots[0]);
		for (key = 0; key < 300; key += 60)
			bt_insert(&e, &roots[1], key, 1000 + key);
		assert_int_equal(pd_btree_delete(&e.t, roots[which], 1000), 0);
		bt_verify(&e, &roots[!which], 1);
		assert_int_equal(bt_size(&e.t, roots[!which]).nr_entries, 300);
		assert_int_equal(pd_btree_delete(&e.t, roots[!which], 1000), 0);
		bt_verify(&e, NULL, 0);
		bt_end(&e);
	}
}

static void test_the_bound_is_exact_and_changes_nothing(void **state)
{
	unsigned long nr;
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1000, 6, 1);
	root = filled(&e, 300);
	nr = bt_size(&e.t, root).nr_nodes;
	assert_int_equal(pd_btree_delete(&e.t, root, 0), -E2BIG);
	assert_int_equal(pd_btree_delete(&e.t, root, 1), -E2BIG);
	assert_int_equal(pd_btree_delete(&e.t, root, nr - 1), -E2BIG);
	bt_verify(&e, &root, 1);
	assert_int_equal(pd_btree_delete(&e.t, root, nr), 0);
	bt_verify(&e, NULL, 0);
	bt_end(&e);
}

static void test_the_bound_stops_the_count_early(void **state)
{
	unsigned long reads;
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1500, 6, 1);
	root = filled(&e, 4000);
	bt_reopen(&e);
	reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	assert_int_equal(pd_btree_delete(&e.t, root, 10), -E2BIG);
	assert_true(ram_store_nr_ops(e.io, RAM_OP_READ) <= reads + 20);
	bt_end(&e);
}

/*
 * Between the steps the other tree changes, and so do the counts of what both
 * share; each root in turn is the one that is deleted.
 */
static void delete_in_steps(u32 max_refs, u32 which)
{
	u64 begin = 0, last, key = 7;
	pd_block_t roots[2];
	int nr_steps = 0;
	bool done = false;
	struct bt_env e;

	bt_begin(&e, 2000, 6, 1);
	roots[0] = filled(&e, 1000);
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	for (key = 0; key < 1000; key += 90)
		bt_insert(&e, &roots[1], key, 1000 + key);
	bt_commit(&e);
	while (!done) {
		last = begin;
		assert_int_equal(pd_btree_delete_step(&e.t, roots[which],
						      &begin, max_refs, &done),
				 0);
		assert_true(done || begin > last);
		assert_int_equal(bt_held(&e), 0);
		nr_steps++;
		key = key * 7919 % 1000;
		bt_insert(&e, &roots[!which], key, 3000 + nr_steps);
	}
	assert_true(max_refs > 50 || nr_steps > 5);
	bt_verify(&e, &roots[!which], 1);
	assert_int_equal(bt_size(&e.t, roots[!which]).nr_entries, 1000);
	bt_end(&e);
}

static void test_steps_drop_what_one_delete_drops(void **state)
{
	static const u32 max_refs[] = { 1, 2, 7, 30, 100000 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(max_refs); i++) {
		delete_in_steps(max_refs[i], 0);
		delete_in_steps(max_refs[i], 1);
	}
}

static void test_a_step_is_small_and_reads_little(void **state)
{
	unsigned long reads, dropped;
	u64 begin = 0;
	bool done;
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1500, 6, 1);
	root = filled(&e, 2000);
	bt_reopen(&e);
	reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	assert_int_equal(pd_btree_delete_step(&e.t, root, &begin, 0, &done),
			 -EINVAL);
	assert_int_equal(pd_btree_delete_step(&e.t, root, &begin, 20, &done), 0);
	assert_false(done);
	dropped = e.nr_dec;
	assert_in_range(dropped, 10, 25);
	assert_true(ram_store_nr_ops(e.io, RAM_OP_READ) <= reads + 20);
	bt_end(&e);
}

static void test_trees_of_trees_are_refused(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 begin = 0;
	bool done;

	bt_begin(&e, 100, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	assert_int_equal(pd_btree_delete(&e.t, root, 100), -EINVAL);
	assert_int_equal(pd_btree_delete_step(&e.t, root, &begin, 100, &done),
			 -EINVAL);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_read_errors_come_out(void **state)
{
	long n;
	int r = -EIO;

	for (n = 0; r; n++) {
		struct bt_env e;
		pd_block_t root;

		bt_begin(&e, 400, 6, 1);
		root = filled(&e, 100);
		bt_reopen(&e);
		ram_store_fail(e.io, RAM_OP_READ, n, true);
		r = pd_btree_delete(&e.t, root, 1000);
		if (r)
			assert_int_equal(r, -EIO);
		assert_int_equal(bt_held(&e), 0);
		bt_end(&e);
	}
	assert_true(n > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tree_of_its_own_is_freed_wholly),
		cmocka_unit_test(test_a_shared_tree_only_loses_a_reference),
		cmocka_unit_test(test_only_what_is_not_shared_is_freed),
		cmocka_unit_test(test_the_bound_is_exact_and_changes_nothing),
		cmocka_unit_test(test_the_bound_stops_the_count_early),
		cmocka_unit_test(test_steps_drop_what_one_delete_drops),
		cmocka_unit_test(test_a_step_is_small_and_reads_little),
		cmocka_unit_test(test_trees_of_trees_are_refused),
		cmocka_unit_test(test_read_errors_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
