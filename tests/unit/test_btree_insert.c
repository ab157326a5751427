// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Inserting: how full nodes get, what is overwritten, what is shared.
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
#include <linux/string.h>

static pd_block_t empty(struct bt_env *e)
{
	pd_block_t root;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	return root;
}

static u64 lookup(struct bt_env *e, pd_block_t root, u64 key)
{
	__le64 value;

	assert_int_equal(pd_btree_lookup(&e->t, root, &key, &value), 0);
	return le64_to_cpu(value);
}

static void insert_run(struct bt_env *e, pd_block_t *root, u64 key, u32 nr,
		       u32 thing, u32 wanted)
{
	__le64 values[600];
	u32 i, nr_inserted;

	for (i = 0; i < nr; i++)
		values[i] = cpu_to_le64(bt_value(e, thing + i, 0));
	assert_int_equal(pd_btree_insert_run(&e->t, root, &key, values, nr,
					     &nr_inserted), 0);
	assert_int_equal(nr_inserted, wanted);
}

/* ---- fill ---- */

static double mean_fill(struct bt_env *e, pd_block_t root)
{
	struct bt_size s = bt_size(&e->t, root);

	return (double)s.nr_entries / s.nr_leaves;
}

static void test_keys_in_order_leave_full_leaves(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 2000, 0, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 60000);
	assert_true(mean_fill(&e, root) >= 248);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_runs_in_order_leave_full_leaves(void **state)
{
	static const u32 lengths[] = { 2, 7, 64, 128, 252, 500 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct bt_env e;
		pd_block_t root;
		u64 key = 0;

		bt_begin(&e, 2000, 0, 1);
		root = empty(&e);
		for (; key < 50000; key += lengths[i])
			insert_run(&e, &root, key, lengths[i], 1, lengths[i]);
		assert_true(mean_fill(&e, root) >= 244);
		bt_verify(&e, &root, 1);
		bt_end(&e);
	}
}

static void test_keys_in_falling_order_leave_leaves_well_filled(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key;

	bt_begin(&e, 2000, 0, 1);
	root = empty(&e);
	for (key = 30000; key; key--)
		bt_insert(&e, &root, key, 1);
	assert_true(mean_fill(&e, root) >= 200);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_random_keys_leave_leaves_well_filled(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 i, x = 1;

	bt_begin(&e, 2000, 0, 1);
	root = empty(&e);
	for (i = 0; i < 30000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		bt_insert(&e, &root, x, 1);
	}
	assert_true(mean_fill(&e, root) >= 190);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_every_step_of_a_load_is_well_formed(void **state)
{
	static const u32 capacities[] = { 6, 9, 12, 252 };
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		u32 i, nr = capacities[c] > 100 ? 700 : 300;
		struct bt_env e;
		pd_block_t root;

		bt_begin(&e, 600, capacities[c], 1);
		root = empty(&e);
		for (i = 0; i < nr; i++) {
			/* First upwards, then between, then downwards. */
			u64 key = i < nr / 3 ? 1000 + 2 * i :
				  i < 2 * nr / 3 ? 1001 + 2 * (i - nr / 3) :
				  999 - (i - 2 * nr / 3);

			bt_insert(&e, &root, key, i);
			if (i % 7 == 0)
				bt_verify(&e, &root, 1);
		}
		assert_int_equal(bt_size(&e.t, root).nr_entries, nr);
		bt_end(&e);
	}
}

static void test_a_root_splits_beneath_itself(void **state)
{
	struct bt_env e;
	pd_block_t root, before;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	before = root;
	bt_fill(&e, &root, 0, 6);
	assert_true(bt_is_leaf(&e, root));
	bt_fill(&e, &root, 6, 7);
	assert_false(bt_is_leaf(&e, root));
	assert_int_equal(bt_nr(&e, root), 2);
	assert_int_equal(root, before);
	bt_fill(&e, &root, 7, 100);
	assert_int_equal(root, before);
	bt_end(&e);
}

/* ---- overwriting ---- */

static void test_overwriting_lets_the_old_value_go(void **state)
{
	struct bt_env e;
	pd_block_t root;
	__le64 value;
	bool inserted;
	u64 key = 5;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	value = cpu_to_le64(bt_value(&e, 10, 0));
	assert_int_equal(pd_btree_insert(&e.t, &root, &key, &value, &inserted),
			 0);
	assert_true(inserted);
	value = cpu_to_le64(bt_value(&e, 11, 0));
	assert_int_equal(pd_btree_insert(&e.t, &root, &key, &value, &inserted),
			 0);
	assert_false(inserted);
	assert_int_equal(e.things[10], 0);
	assert_int_equal(e.things[11], 1);
	assert_int_equal(e.nr_dec, 1);
	bt_end(&e);
}

static void test_an_equal_value_is_replaced_without_counting(void **state)
{
	struct bt_env e;
	pd_block_t root;
	__le64 value;
	u64 key = 5;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	bt_insert(&e, &root, key, 10);
	value = cpu_to_le64(10 << 8 | 99);
	assert_int_equal(pd_btree_insert(&e.t, &root, &key, &value, NULL), 0);
	assert_int_equal(lookup(&e, root, 5), 10 << 8 | 99);
	assert_int_equal(e.things[10], 1);
	assert_int_equal(e.nr_dec, 0);
	bt_end(&e);
}

static void test_overwriting_splits_no_full_leaf(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 6);
	for (key = 0; key < 6; key++)
		bt_insert(&e, &root, key, 500 + key);
	assert_true(bt_is_leaf(&e, root));
	assert_int_equal(bt_nr(&e, root), 6);
	bt_end(&e);
}

static void test_a_run_mixes_new_and_old_keys(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key;

	bt_begin(&e, 600, 9, 1);
	root = empty(&e);
	for (key = 0; key < 300; key += 3)
		bt_insert(&e, &root, key, 1);
	insert_run(&e, &root, 50, 200, 1000, 133);
	for (key = 50; key < 250; key++)
		assert_int_equal(lookup(&e, root, key) >> 8, 950 + key);
	assert_int_equal(lookup(&e, root, 48) >> 8, 1);
	assert_int_equal(lookup(&e, root, 252) >> 8, 1);
	assert_int_equal(e.things[1], 33);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_a_run_lets_replaced_values_go_together(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 200, 0, 1);
	root = empty(&e);
	insert_run(&e, &root, 0, 200, 1, 200);
	insert_run(&e, &root, 50, 100, 1000, 0);
	assert_int_equal(e.nr_dec, 100);
	assert_int_equal(e.nr_dec_calls, 1);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_a_run_counts_equal_values_out(void **state)
{
	__le64 values[3];
	struct bt_env e;
	pd_block_t root;
	u64 key = 10;
	u32 nr;

	bt_begin(&e, 200, 0, 1);
	root = empty(&e);
	insert_run(&e, &root, 10, 3, 40, 3);
	values[0] = cpu_to_le64(bt_value(&e, 90, 0));
	values[1] = cpu_to_le64(41 << 8 | 7);
	values[2] = cpu_to_le64(bt_value(&e, 92, 0));
	assert_int_equal(pd_btree_insert_run(&e.t, &root, &key, values, 3,
					     &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(e.things[40], 0);
	assert_int_equal(e.things[41], 1);
	assert_int_equal(e.things[42], 0);
	assert_int_equal(lookup(&e, root, 11), 41 << 8 | 7);
	bt_end(&e);
}

static void test_a_run_may_reach_the_last_key_but_not_beyond(void **state)
{
	__le64 values[3] = { 0 };
	u64 key = ~0ull - 1;
	struct bt_env e;
	pd_block_t root;
	u32 nr;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 20);
	assert_int_equal(pd_btree_insert_run(&e.t, &root, &key, values, 3,
					     &nr), -EINVAL);
	assert_int_equal(pd_btree_insert_run(&e.t, &root, &key, values, 0,
					     &nr), -EINVAL);
	insert_run(&e, &root, key, 2, 70, 2);
	assert_int_equal(lookup(&e, root, ~0ull) >> 8, 71);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_a_key_below_all_others_lowers_its_parents(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 200, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 1000, 1100);
	bt_insert(&e, &root, 3, 9);
	assert_int_equal(lookup(&e, root, 3) >> 8, 9);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_values_of_all_sizes_survive(void **state)
{
	static const u32 sizes[] = { 4, 16, 24 };
	unsigned char value[24], got[24];
	struct bt_env e;
	u32 i;

	bt_begin(&e, 600, 0, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pd_btree t = {
			.bm = e.bm, .tm = e.tm, .levels = 1, .name = "plain",
			.value = { .size = sizes[i] },
		};
		pd_block_t root;
		u64 key;

		assert_int_equal(pd_btree_empty(&t, &root), 0);
		for (key = 0; key < 3000; key++) {
			memset(value, key, sizeof(value));
			assert_int_equal(pd_btree_insert(&t, &root, &key,
							 value, NULL), 0);
		}
		assert_int_equal(bt_size(&t, root).nr_entries, 3000);
		for (key = 0; key < 3000; key++) {
			memset(value, key, sizeof(value));
			assert_int_equal(pd_btree_lookup(&t, root, &key, got),
					 0);
			assert_memory_equal(got, value, sizes[i]);
		}
	}
	bt_end(&e);
}

/* ---- sharing ---- */

static void test_changing_a_clone_leaves_the_original_alone(void **state)
{
	pd_block_t roots[2];
	struct bt_env e;
	u64 key;

	bt_begin(&e, 2000, 9, 1);
	roots[0] = empty(&e);
	bt_fill(&e, &roots[0], 0, 400);
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	for (key = 0; key < 400; key += 5)
		bt_insert(&e, &roots[1], key, 5000 + key);
	insert_run(&e, &roots[1], 380, 40, 6000, 20);
	bt_verify(&e, roots, 2);

	assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, 400);
	assert_int_equal(bt_size(&e.t, roots[1]).nr_entries, 420);
	for (key = 0; key < 400; key++) {
		assert_int_equal(lookup(&e, roots[0], key) >> 8, key);
		assert_int_equal(lookup(&e, roots[1], key) >> 8,
				 key >= 380 ? 5620 + key :
				 key % 5 ? key : 5000 + key);
	}
	bt_end(&e);
}

static void test_a_shared_sibling_is_not_made_to_take_entries(void **state)
{
	pd_block_t roots[2], left;
	struct bt_env e;

	bt_begin(&e, 200, 6, 1);
	roots[0] = empty(&e);
	bt_fill(&e, &roots[0], 0, 10);
	roots[1] = bt_snap(&e, roots[0]);
	left = bt_child(&e, roots[1], 0);
	assert_int_equal(bt_nr(&e, left), 4);
	assert_int_equal(bt_nr(&e, bt_child(&e, roots[1], 1)), 6);
	bt_insert(&e, &roots[1], 10, 10);
	bt_insert(&e, &roots[1], 11, 11);
	bt_insert(&e, &roots[1], 12, 12);
	assert_int_equal(bt_child(&e, roots[1], 0), left);
	assert_int_equal(bt_count(&e, left), 2);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_nothing_committed_is_changed(void **state)
{
	struct bt_env e;
	pd_block_t root, before;
	struct ram_image *img, *later;
	pd_block_t b;

	bt_begin(&e, 300, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 200);
	bt_commit(&e);
	before = root;
	img = ram_store_image(e.io);
	bt_fill(&e, &root, 200, 300);
	assert_int_equal(pd_bm_flush(e.bm), 0);
	later = ram_store_image(e.io);
	assert_int_not_equal(root, before);

	/* Everything the old root reaches is unchanged. */
	for (b = before; ; b = bt_child(&e, b, 0)) {
		assert_memory_equal(ram_image_read(img, b),
				    ram_image_read(later, b), PD_BLOCK_SIZE);
		if (bt_is_leaf(&e, b))
			break;
	}
	ram_image_destroy(img);
	ram_image_destroy(later);
	bt_end(&e);
}

/* ---- two levels ---- */

static void insert2(struct bt_env *e, pd_block_t *root, u64 upper, u64 lower,
		    u32 thing)
{
	u64 keys[2] = { upper, lower };
	__le64 value = cpu_to_le64(bt_value(e, thing, 0));

	assert_int_equal(pd_btree_insert(&e->t, root, keys, &value, NULL), 0);
}

static void test_missing_lower_trees_are_made(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 upper, lower;

	bt_begin(&e, 3000, 6, 2);
	root = empty(&e);
	for (lower = 0; lower < 20; lower++)
		for (upper = 0; upper < 50; upper++)
			insert2(&e, &root, upper, lower, upper * 20 + lower);
	bt_verify(&e, &root, 1);
	for (upper = 0; upper < 50; upper++)
		for (lower = 0; lower < 20; lower++) {
			u64 keys[2] = { upper, lower };
			__le64 value;

			assert_int_equal(pd_btree_lookup(&e.t, root, keys,
							 &value), 0);
			assert_int_equal(le64_to_cpu(value) >> 8,
					 upper * 20 + lower);
		}
	bt_end(&e);
}

static void test_shadowing_a_shared_top_leaf_counts_the_trees_below(void **state)
{
	pd_block_t roots[2];
	struct bt_env e;
	u64 upper;

	bt_begin(&e, 3000, 6, 2);
	roots[0] = empty(&e);
	for (upper = 0; upper < 20; upper++)
		insert2(&e, &roots[0], upper, 1, upper);
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	insert2(&e, &roots[1], 7, 2, 99);
	bt_verify(&e, roots, 2);
	insert2(&e, &roots[1], 100, 2, 99);
	insert2(&e, &roots[0], 3, 2, 98);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

/* ---- limits and errors ---- */

static void test_few_buffers_are_held(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 lower;

	bt_begin(&e, 3000, 6, 2);
	root = empty(&e);
	bt_watch(&e);
	for (lower = 0; lower < 1000; lower++)
		insert2(&e, &root, lower % 20, lower * 77 % 1009, 1);
	assert_true(bt_max_held(&e) <= 8);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

static void test_a_full_device_is_reported(void **state)
{
	struct bt_env e;
	pd_block_t root;
	__le64 value;
	int r = 0;
	u64 key;

	bt_begin(&e, 60, 6, 1);
	root = empty(&e);
	for (key = 0; key < 1000 && !r; key++) {
		value = cpu_to_le64(bt_value(&e, 1, 0));
		r = pd_btree_insert(&e.t, &root, &key, &value, NULL);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

static void test_a_read_only_device_is_reported(void **state)
{
	struct bt_env e;
	pd_block_t root;
	__le64 value = 0;
	u64 key = 7;

	bt_begin(&e, 100, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 20);
	bt_commit(&e);
	pd_bm_set_read_only(e.bm);
	assert_int_equal(pd_btree_insert(&e.t, &root, &key, &value, NULL),
			 -EPERM);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

/* Whatever read fails: the error comes out and nothing stays held. */
static void test_read_errors_come_out(void **state)
{
	long n;
	int r = -EIO;

	for (n = 0; r; n++) {
		__le64 values[40];
		struct bt_env e;
		pd_block_t root;
		u64 key = 95;
		u32 i, nr;

		bt_begin(&e, 400, 6, 1);
		root = empty(&e);
		bt_fill(&e, &root, 0, 100);
		bt_reopen(&e);
		for (i = 0; i < 40; i++)
			values[i] = cpu_to_le64(bt_value(&e, i, 0));
		ram_store_fail(e.io, RAM_OP_READ, n, true);
		r = pd_btree_insert_run(&e.t, &root, &key, values, 40, &nr);
		if (r)
			assert_int_equal(r, -EIO);
		assert_int_equal(bt_held(&e), 0);
		bt_end(&e);
	}
	assert_true(n > 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_in_order_leave_full_leaves),
		cmocka_unit_test(test_runs_in_order_leave_full_leaves),
		cmocka_unit_test(test_keys_in_falling_order_leave_leaves_well_filled),
		cmocka_unit_test(test_random_keys_leave_leaves_well_filled),
		cmocka_unit_test(test_every_step_of_a_load_is_well_formed),
		cmocka_unit_test(test_a_root_splits_beneath_itself),
		cmocka_unit_test(test_overwriting_lets_the_old_value_go),
		cmocka_unit_test(test_an_equal_value_is_replaced_without_counting),
		cmocka_unit_test(test_overwriting_splits_no_full_leaf),
		cmocka_unit_test(test_a_run_mixes_new_and_old_keys),
		cmocka_unit_test(test_a_run_lets_replaced_values_go_together),
		cmocka_unit_test(test_a_run_counts_equal_values_out),
		cmocka_unit_test(test_a_run_may_reach_the_last_key_but_not_beyond),
		cmocka_unit_test(test_a_key_below_all_others_lowers_its_parents),
		cmocka_unit_test(test_values_of_all_sizes_survive),
		cmocka_unit_test(test_changing_a_clone_leaves_the_original_alone),
		cmocka_unit_test(test_a_shared_sibling_is_not_made_to_take_entries),
		cmocka_unit_test(test_nothing_committed_is_changed),
		cmocka_unit_test(test_missing_lower_trees_are_made),
		cmocka_unit_test(test_shadowing_a_shared_top_leaf_counts_the_trees_below),
		cmocka_unit_test(test_few_buffers_are_held),
		cmocka_unit_test(test_a_full_device_is_reported),
		cmocka_unit_test(test_a_read_only_device_is_reported),
		cmocka_unit_test(test_read_errors_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
