// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Removing: one entry, a range in steps, from trees that share nodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"
#include "persistent-data/space-map-counts.h"
#include "stores/stores.h"

#include <linux/kernel.h>
#include <linux/string.h>

static const u32 capacities[] = { 6, 9, 12, 252 };

static pd_block_t filled(struct bt_env *e, u64 begin, u64 end)
{
	pd_block_t root;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	bt_fill(e, &root, begin, end);
	return root;
}

static void assert_empty(struct bt_env *e, pd_block_t root, unsigned long used)
{
	bt_verify(e, &root, 1);
	assert_true(bt_is_leaf(e, root));
	assert_int_equal(bt_nr(e, root), 0);
	assert_int_equal(bt_nr_used(e), used);
}

/* ---- one entry ---- */

static void remove_all(u32 max_entries, u32 nr, u64 (*nth)(u32 i, u32 nr))
{
	unsigned long used;
	pd_block_t root, before;
	struct bt_env e;
	u32 i;

	bt_begin(&e, 1000, max_entries, 1);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	used = bt_nr_used(&e);
	before = root;
	bt_fill(&e, &root, 0, nr);
	for (i = 0; i < nr; i++) {
		u64 key = nth(i, nr);

		assert_int_equal(pd_btree_remove(&e.t, &root, &key), 0);
		assert_int_equal(pd_btree_remove(&e.t, &root, &key), -ENODATA);
		if (i % 11 == 0)
			bt_verify(&e, &root, 1);
	}
	assert_int_equal(root, before);
	assert_empty(&e, root, used);
	bt_end(&e);
}

static u64 upwards(u32 i, u32 nr)
{
	return i;
}

static u64 downwards(u32 i, u32 nr)
{
	return nr - 1 - i;
}

/* @nr is a prime. */
static u64 scattered(u32 i, u32 nr)
{
	return (u64)i * 1009 % nr;
}

static void test_entries_can_be_removed_in_any_order(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		u32 nr = capacities[c] > 100 ? 3001 : 401;

		remove_all(capacities[c], nr, upwards);
		remove_all(capacities[c], nr, downwards);
		remove_all(capacities[c], nr, scattered);
	}
}

static void test_a_missing_key_changes_nothing(void **state)
{
	struct bt_env e;
	pd_block_t root, before;
	u64 key = 500;

	bt_begin(&e, 1000, 6, 1);
	root = filled(&e, 0, 100);
	bt_commit(&e);
	before = root;
	assert_int_equal(pd_btree_remove(&e.t, &root, &key), -ENODATA);
	assert_int_equal(root, before);
	assert_int_equal(pd_sm_is_new(pd_tm_sm(e.tm), root), false);
	bt_end(&e);
}

static void test_the_value_is_let_go(void **state)
{
	struct bt_env e;
	pd_block_t root;
	u64 key = 50;

	bt_begin(&e, 1000, 6, 1);
	root = filled(&e, 0, 100);
	assert_int_equal(pd_btree_remove(&e.t, &root, &key), 0);
	assert_int_equal(e.things[50], 0);
	assert_int_equal(e.nr_dec, 1);
	bt_end(&e);
}

static void test_removing_from_a_clone_leaves_the_original_alone(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		u32 i, nr = capacities[c] > 100 ? 3001 : 401;
		pd_block_t roots[2];
		struct bt_env e;

		bt_begin(&e, 2000, capacities[c], 1);
		roots[0] = filled(&e, 0, nr);
		bt_commit(&e);
		roots[1] = bt_snap(&e, roots[0]);
		for (i = 0; i < nr; i++) {
			u64 key = scattered(i, nr);

			assert_int_equal(pd_btree_remove(&e.t, &roots[1],
							 &key), 0);
			if (i % 13 == 0)
				bt_verify(&e, roots, 2);
		}
		assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, nr);
		assert_int_equal(bt_size(&e.t, roots[1]).nr_entries, 0);
		bt_verify(&e, roots, 2);
		bt_end(&e);
	}
}

/* ---- ranges ---- */

struct told {
	u64 nr, next;
};

static int note(void *context, const __le64 *keys, const void *values, u32 nr)
{
	struct told *told = context;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 key = le64_to_cpu(keys[i]);

		assert_true(key >= told->next);
		assert_int_equal(le64_to_cpu(((const __le64 *)values)[i]) >> 8,
				 key % BT_NR_THINGS);
		told->next = key + 1;
	}
	told->nr += nr;
	return 0;
}

/* Removes [begin, end) in steps, verifying after each; returns the steps. */
static u32 remove_range(struct bt_env *e, pd_block_t *roots, u32 nr_roots,
			u32 which, u64 begin, u64 end, u32 max_leaves,
			struct told *told, u64 *nr_removed)
{
	struct pd_btree_range range = {
		.begin = begin, .end = end, .removed = note, .context = told,
	};
	u64 key = 0, last = begin;
	u32 steps = 0;

	memset(told, 0, sizeof(*told));
	*nr_removed = 0;
	do {
		assert_int_equal(pd_btree_remove_range(&e->t, &roots[which],
						       &key, &range,
						       max_leaves), 0);
		*nr_removed += range.nr_removed;
		assert_true(range.done || range.begin > last);
		last = range.begin;
		bt_verify(e, roots, nr_roots);
		steps++;
	} while (!range.done);
	return steps;
}

/* From a tree with keys [0, 1000). */
static void remove_exactly(u32 max_entries, u32 max_leaves, u64 begin, u64 end)
{
	struct bt_env e;
	pd_block_t root;
	struct told told;
	u64 nr, key;
	u32 steps;

	bt_begin(&e, 600, max_entries, 1);
	root = filled(&e, 0, 1000);
	steps = remove_range(&e, &root, 1, 0, begin, end, max_leaves, &told,
			     &nr);
	if (!end || end > 1000)
		end = 1000;
	assert_int_equal(nr, end - begin);
	assert_int_equal(told.nr, nr);
	assert_int_equal(e.nr_dec, nr);
	assert_int_equal(bt_size(&e.t, root).nr_entries, 1000 - nr);
	for (key = 0; key < 1000; key++)
		assert_int_equal(e.things[key], key < begin || key >= end);
	if (max_leaves == 1000)
		assert_int_equal(steps, 1);
	if (max_leaves == 1)
		assert_true(steps >= (end - begin) / max_entries);
	bt_end(&e);
}

static void test_a_range_is_removed_exactly(void **state)
{
	static const u64 ranges[][2] = {
		{ 0, 1000 }, { 0, 1 }, { 999, 1000 }, { 10, 20 }, { 1, 999 },
		{ 333, 667 }, { 0, 0 }, { 500, 0 }, { 700, 5000 }, { 0, 400 },
	};
	u32 c, i;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		for (i = 0; i < ARRAY_SIZE(ranges); i++) {
			const u64 *range = ranges[i];

			remove_exactly(capacities[c], 1, range[0], range[1]);
			remove_exactly(capacities[c], 3, range[0], range[1]);
			remove_exactly(capacities[c], 1000, range[0], range[1]);
		}
	}
}

static void test_a_step_of_one_leaf_is_small(void **state)
{
	struct pd_btree_range range = { .begin = 100 };
	struct bt_env e;
	pd_block_t root;
	u64 key = 0;

	bt_begin(&e, 600, 12, 1);
	root = filled(&e, 0, 1000);
	do {
		assert_int_equal(pd_btree_remove_range(&e.t, &root, &key,
						       &range, 1), 0);
		assert_true(range.nr_removed <= 12);
	} while (!range.done);
	assert_int_equal(bt_size(&e.t, root).nr_entries, 100);
	bt_end(&e);
}

static void test_everything_removed_leaves_one_empty_leaf(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		unsigned long used;
		struct bt_env e;
		pd_block_t root;
		struct told told;
		u64 nr;

		bt_begin(&e, 900, capacities[c], 1);
		assert_int_equal(pd_btree_empty(&e.t, &root), 0);
		used = bt_nr_used(&e);
		bt_fill(&e, &root, 0, 2000);
		remove_range(&e, &root, 1, 0, 0, 0, 5, &told, &nr);
		assert_int_equal(nr, 2000);
		assert_empty(&e, root, used);
		bt_fill(&e, &root, 0, 50);
		bt_verify(&e, &root, 1);
		bt_end(&e);
	}
}

static void test_the_end_is_exclusive_and_zero_means_the_very_end(void **state)
{
	struct bt_env e;
	pd_block_t root;
	struct told told;
	u64 nr, key = ~0ull;
	__le64 value;

	bt_begin(&e, 600, 6, 1);
	root = filled(&e, 0, 20);
	bt_insert(&e, &root, ~0ull, ~0ull % BT_NR_THINGS);
	remove_range(&e, &root, 1, 0, 10, ~0ull, 100, &told, &nr);
	assert_int_equal(nr, 10);
	assert_int_equal(pd_btree_lookup(&e.t, root, &key, &value), 0);
	remove_range(&e, &root, 1, 0, 10, 0, 100, &told, &nr);
	assert_int_equal(nr, 1);
	assert_int_equal(pd_btree_lookup(&e.t, root, &key, &value), -ENODATA);
	bt_end(&e);
}

static void test_a_range_without_entries_changes_nothing(void **state)
{
	struct bt_env e;
	pd_block_t root, before;
	struct told told;
	u64 nr, key = 0;
	struct pd_btree_range range = { .begin = 5, .end = 90 };

	bt_begin(&e, 600, 6, 1);
	root = filled(&e, 100, 200);
	bt_commit(&e);
	before = root;
	assert_int_equal(remove_range(&e, &root, 1, 0, 0, 100, 1, &told, &nr),
			 1);
	assert_int_equal(remove_range(&e, &root, 1, 0, 200, 0, 1, &told, &nr),
			 1);
	assert_int_equal(remove_range(&e, &root, 1, 0, 150, 150, 1, &told,
				      &nr), 1);
	assert_int_equal(remove_range(&e, &root, 1, 0, 150, 140, 1, &told,
				      &nr), 1);
	assert_int_equal(nr, 0);
	assert_int_equal(root, before);
	assert_int_equal(pd_btree_remove_range(&e.t, &root, &key, &range, 0),
			 -EINVAL);
	bt_end(&e);
}

static void remove_from_clone(u32 max_entries, u32 max_leaves)
{
	pd_block_t roots[2];
	struct bt_env e;
	struct told told;
	u64 nr;

	bt_begin(&e, 1500, max_entries, 1);
	roots[0] = filled(&e, 0, 1500);
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	remove_range(&e, roots, 2, 1, 100, 1400, max_leaves, &told, &nr);
	assert_int_equal(nr, 1300);
	assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, 1500);
	assert_int_equal(bt_size(&e.t, roots[1]).nr_entries, 200);

	/* The clone has let go of these: now the original's values go. */
	remove_range(&e, roots, 2, 0, 0, 0, max_leaves, &told, &nr);
	assert_int_equal(nr, 1500);
	remove_range(&e, roots, 2, 1, 0, 0, max_leaves, &told, &nr);
	assert_int_equal(nr, 200);
	bt_end(&e);
}

static void test_ranges_of_clones_leave_the_original_alone(void **state)
{
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		remove_from_clone(capacities[c], 1);
		remove_from_clone(capacities[c], 4);
		remove_from_clone(capacities[c], 1000);
	}
}

static void test_values_that_live_on_are_not_told(void **state)
{
	pd_block_t roots[2];
	struct bt_env e;
	struct told told;
	u64 nr;

	bt_begin(&e, 1500, 6, 1);
	roots[0] = filled(&e, 0, 600);
	roots[1] = bt_snap(&e, roots[0]);
	remove_range(&e, roots, 2, 1, 10, 590, 7, &told, &nr);
	assert_int_equal(nr, 580);
	assert_int_equal(told.nr, 0);
	bt_end(&e);
}

static void test_shared_leaves_are_let_go_without_being_copied(void **state)
{
	pd_block_t roots[2];
	unsigned long used;
	struct bt_env e;
	struct told told;
	u64 nr;

	bt_begin(&e, 1500, 12, 1);
	roots[0] = filled(&e, 0, 1200);		/* 100 leaves, 10 parents */
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	used = bt_nr_used(&e);
	remove_range(&e, roots, 2, 1, 5, 1195, 1000, &told, &nr);
	assert_int_equal(nr, 1190);
	/* Root and the two cut leaves; everything between was never copied. */
	assert_true(bt_nr_used(&e) <= used + 6);
	assert_true(e.nr_inc <= 12 * 4);
	bt_end(&e);
}

static void test_shared_parents_of_leaves_go_one_per_step(void **state)
{
	struct pd_btree_range range = { .begin = 0 };
	pd_block_t roots[2];
	struct bt_env e;
	u64 key = 0, nr = 0;
	u32 steps = 0;

	bt_begin(&e, 1500, 12, 1);
	roots[0] = filled(&e, 0, 1200);
	roots[1] = bt_snap(&e, roots[0]);
	do {
		assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], &key,
						       &range, 1), 0);
		nr += range.nr_removed;
		steps++;
	} while (!range.done);
	assert_int_equal(nr, 1200);
	assert_true(steps <= 30);
	assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, 1200);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_a_shared_last_child_is_taken_over_by_the_root(void **state)
{
	pd_block_t roots[2], last;
	struct bt_env e;
	struct told told;
	u64 nr;

	bt_begin(&e, 300, 6, 1);
	roots[0] = filled(&e, 0, 10);		/* two leaves */
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	last = bt_child(&e, roots[1], 1);
	remove_range(&e, roots, 2, 1, 0, 4, 1, &told, &nr);
	assert_int_equal(nr, 4);
	assert_true(bt_is_leaf(&e, roots[1]));
	assert_int_equal(bt_nr(&e, roots[1]), 6);
	assert_int_equal(bt_count(&e, last), 1);
	bt_end(&e);
}

static int refuse(void *context, const __le64 *keys, const void *values, u32 nr)
{
	return -ENOMEM;
}

/* Every third part of the clone of 1500 entries is its own. */
static void diverge(struct bt_env *e, pd_block_t *roots, u32 stride)
{
	u64 key;

	roots[0] = filled(e, 0, 1500);
	bt_commit(e);
	roots[1] = bt_snap(e, roots[0]);
	for (key = 0; key < 1500; key++)
		if (key / stride % 3 == 1)
			bt_insert(e, &roots[1], key, 2000 + key);
	bt_commit(e);
}

static void remove_own(u32 max_entries, u32 max_leaves, u32 stride)
{
	struct pd_btree_range range = { .own_only = true };
	pd_block_t roots[2];
	u64 nr = 0, key = 0, begin;
	unsigned long left;
	struct bt_env e;

	bt_begin(&e, 3000, max_entries, 1);
	diverge(&e, roots, stride);
	while (!range.done) {
		begin = range.begin;
		assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], &key,
						       &range, max_leaves), 0);
		assert_true(range.done || range.begin > begin);
		nr += range.nr_removed;
		left = bt_size(&e.t, roots[1]).nr_entries;
		assert_int_equal(left + nr, 1500);
		bt_verify(&e, roots, 2);
	}
	assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, 1500);
	assert_true(nr + max_entries >= 500);
	/* Nothing is left of its own but the root, which may be a leaf. */
	memset(&range, 0, sizeof(range));
	range.own_only = true;
	e.nr_dec = 0;
	assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], &key, &range,
					       10000), 0);
	assert_true(range.done);
	assert_int_equal(range.nr_removed, 0);
	assert_int_equal(e.nr_dec, 0);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_leaves_of_one_tree_alone_are_removed(void **state)
{
	static const u32 strides[] = { 1, 20, 200 };
	u32 c, s;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		for (s = 0; s < ARRAY_SIZE(strides); s++) {
			remove_own(capacities[c], 1, strides[s]);
			remove_own(capacities[c], 7, strides[s]);
			remove_own(capacities[c], 1000, strides[s]);
		}
	}
}

static void test_what_is_shared_is_not_even_read(void **state)
{
	struct pd_btree_range range = { .own_only = true };
	unsigned long reads;
	pd_block_t roots[2];
	struct bt_env e;
	u64 key = 0;

	bt_begin(&e, 3000, 12, 1);
	roots[0] = filled(&e, 0, 6000);		/* 1000 leaves at most */
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);
	for (key = 0; key < 6000; key += 1000)
		bt_insert(&e, &roots[1], key, 9000 + key);
	bt_reopen(&e);
	reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], &key, &range,
					       1000), 0);
	assert_true(range.done);
	assert_in_range(range.nr_removed, 6 * 4, 6 * 12);
	/* Six paths, neighbours of those that became small, the space map. */
	assert_true(ram_store_nr_ops(e.io, RAM_OP_READ) - reads <= 6 * 8);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_an_error_of_the_listener_comes_out(void **state)
{
	struct pd_btree_range range = { .begin = 50, .removed = refuse };
	struct bt_env e;
	pd_block_t root;
	u64 key = 0;

	bt_begin(&e, 600, 6, 1);
	root = filled(&e, 0, 200);
	assert_int_equal(pd_btree_remove_range(&e.t, &root, &key, &range, 9),
			 -ENOMEM);
	range.begin = 48;
	assert_int_equal(pd_btree_remove_range(&e.t, &root, &key, &range, 9),
			 -ENOMEM);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

/* ---- two levels ---- */

static void test_two_levels_remove_below_one_upper_key(void **state)
{
	struct pd_btree_range range = { .begin = 10, .end = 90 };
	pd_block_t roots[2];
	struct bt_env e;
	u64 keys[2];

	bt_begin(&e, 2000, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &roots[0]), 0);
	for (keys[0] = 0; keys[0] < 10; keys[0]++)
		for (keys[1] = 0; keys[1] < 100; keys[1]++) {
			__le64 value = cpu_to_le64(bt_value(&e, 5, 0));

			assert_int_equal(pd_btree_insert(&e.t, &roots[0], keys,
							 &value, NULL), 0);
		}
	bt_commit(&e);
	roots[1] = bt_snap(&e, roots[0]);

	keys[0] = 7;
	keys[1] = 95;
	assert_int_equal(pd_btree_remove(&e.t, &roots[1], keys), 0);
	assert_int_equal(pd_btree_remove(&e.t, &roots[1], keys), -ENODATA);
	bt_verify(&e, roots, 2);
	do {
		assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], keys,
						       &range, 2), 0);
		bt_verify(&e, roots, 2);
	} while (!range.done);
	assert_int_equal(bt_size(&e.t, roots[0]).nr_entries, 1000);
	assert_int_equal(bt_size(&e.t, roots[1]).nr_entries, 919);

	keys[0] = 11;
	assert_int_equal(pd_btree_remove(&e.t, &roots[1], keys), -ENODATA);
	assert_int_equal(pd_btree_remove_range(&e.t, &roots[1], keys, &range,
					       2), -ENODATA);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

/* ---- errors ---- */

static void test_read_errors_come_out(void **state)
{
	long n;
	int r = -EIO;

	for (n = 0; r; n++) {
		struct pd_btree_range range = { .begin = 7, .end = 90 };
		struct bt_env e;
		pd_block_t root;
		u64 key = 95;

		bt_begin(&e, 600, 6, 1);
		root = filled(&e, 0, 200);
		bt_snap(&e, bt_child(&e, root, 0));
		bt_reopen(&e);
		ram_store_fail(e.io, RAM_OP_READ, n, true);
		r = pd_btree_remove_range(&e.t, &root, &key, &range, 10);
		if (!r)
			r = pd_btree_remove(&e.t, &root, &key);
		if (r)
			assert_int_equal(r, -EIO);
		assert_int_equal(bt_held(&e), 0);
		bt_end(&e);
	}
	assert_true(n > 5);
}

static void test_few_buffers_are_held(void **state)
{
	struct bt_env e;
	pd_block_t root;
	struct told told;
	u64 nr;

	bt_begin(&e, 2000, 6, 1);
	root = filled(&e, 0, 3000);
	bt_watch(&e);
	remove_range(&e, &root, 1, 0, 500, 2500, 1, &told, &nr);
	assert_true(bt_max_held(&e) <= PD_BTREE_MAX_DEPTH);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_can_be_removed_in_any_order),
		cmocka_unit_test(test_a_missing_key_changes_nothing),
		cmocka_unit_test(test_the_value_is_let_go),
		cmocka_unit_test(test_removing_from_a_clone_leaves_the_original_alone),
		cmocka_unit_test(test_a_range_is_removed_exactly),
		cmocka_unit_test(test_a_step_of_one_leaf_is_small),
		cmocka_unit_test(test_everything_removed_leaves_one_empty_leaf),
		cmocka_unit_test(test_the_end_is_exclusive_and_zero_means_the_very_end),
		cmocka_unit_test(test_a_range_without_entries_changes_nothing),
		cmocka_unit_test(test_ranges_of_clones_leave_the_original_alone),
		cmocka_unit_test(test_values_that_live_on_are_not_told),
		cmocka_unit_test(test_shared_leaves_are_let_go_without_being_copied),
		cmocka_unit_test(test_shared_parents_of_leaves_go_one_per_step),
		cmocka_unit_test(test_a_shared_last_child_is_taken_over_by_the_root),
		cmocka_unit_test(test_leaves_of_one_tree_alone_are_removed),
		cmocka_unit_test(test_what_is_shared_is_not_even_read),
		cmocka_unit_test(test_an_error_of_the_listener_comes_out),
		cmocka_unit_test(test_two_levels_remove_below_one_upper_key),
		cmocka_unit_test(test_read_errors_come_out),
		cmocka_unit_test(test_few_buffers_are_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
