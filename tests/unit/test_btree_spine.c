// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Damaged trees: every function answers each kind of damage with the right
 * error, holds nothing afterwards and terminates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"
#include "persistent-data/btree-spine.h"
#include "stores/stores.h"
#include "tests/check/btree-check.h"

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#define CAPACITY	6
#define KEY(i)		(32 + 8 * (i))
#define VALUE(i)	(32 + 8 * CAPACITY + 8 * (i))
#define FLAGS		offsetof(struct pd_disk_node_header, flags)
#define NR_ENTRIES	offsetof(struct pd_disk_node_header, nr_entries)
#define MAX_ENTRIES	offsetof(struct pd_disk_node_header, max_entries)
#define VALUE_SIZE	offsetof(struct pd_disk_node_header, value_size)

#define FIRST_KEY	100
#define NR_KEYS		120	/* every other one */

/* A tree of three levels; the victims are on the path to @key. */
struct tree {
	struct bt_env e;
	pd_block_t root, parent, leaf;
	u64 key;
};

static void build(struct tree *t)
{
	u32 i;

	bt_begin(&t->e, 500, CAPACITY, 1);
	assert_int_equal(pd_btree_empty(&t->e.t, &t->root), 0);
	for (i = 0; i < NR_KEYS; i++)
		bt_insert(&t->e, &t->root, FIRST_KEY + 2 * i, i);
	t->parent = bt_child(&t->e, t->root, 1);
	t->leaf = bt_child(&t->e, t->parent, 1);
	assert_true(bt_is_leaf(&t->e, t->leaf));
	assert_true(bt_nr(&t->e, t->leaf) > 2);
	for (t->key = FIRST_KEY; ; t->key++) {
		struct pd_tree tree = pd_tree_lowest(&t->e.t);
		struct pd_place place;
		struct pd_block blk;

		assert_int_equal(pd_tree_find_leaf(&tree, t->root, t->key,
						   &blk, &place), 0);
		pd_bm_release(t->e.bm, &blk);
		if (blk.nr == t->leaf)
			break;
	}
}

/* ---- operations ---- */

typedef int (*op_fn)(struct tree *t);

static int op_lookup(struct tree *t)
{
	__le64 value;

	return pd_btree_lookup(&t->e.t, t->root, &t->key, &value);
}

static int op_next(struct tree *t)
{
	__le64 value;
	u64 key;

	return pd_btree_lookup_next(&t->e.t, t->root, &t->key, &key, &value);
}

static void see(void *context, const struct pd_btree_leaf *l)
{
}

static int op_lookup_leaf(struct tree *t)
{
	return pd_btree_lookup_leaf(&t->e.t, t->root, &t->key, see, NULL);
}

static int op_insert(struct tree *t)
{
	__le64 value = cpu_to_le64(bt_value(&t->e, 1, 0));

	return pd_btree_insert(&t->e.t, &t->root, &t->key, &value, NULL);
}

static int op_insert_run(struct tree *t)
{
	__le64 values[2 * NR_KEYS + 20] = { 0 };
	u64 key = FIRST_KEY - 10;
	u32 i, nr;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = cpu_to_le64(bt_value(&t->e, 1, 0));
	return pd_btree_insert_run(&t->e.t, &t->root, &key, values,
				   ARRAY_SIZE(values), &nr);
}

static int edit(void *context, u64 key, void *value)
{
	return 0;
}

static int op_update(struct tree *t)
{
	u64 key = 0;

	return pd_btree_update(&t->e.t, &t->root, &key, 1000, edit, NULL);
}

static int op_remove(struct tree *t)
{
	return pd_btree_remove(&t->e.t, &t->root, &t->key);
}

static int remove_all(struct tree *t, u64 begin, u32 max_leaves)
{
	struct pd_btree_range range = { .begin = begin };
	u64 key = 0;
	int r;

	do
		r = pd_btree_remove_range(&t->e.t, &t->root, &key, &range,
					  max_leaves);
	while (!r && !range.done);
	return r;
}

static int op_remove_range(struct tree *t)
{
	return remove_all(t, 0, 1);
}

static int op_remove_range_from_inside(struct tree *t)
{
	return remove_all(t, FIRST_KEY + 1, 7);
}

static int op_remove_shared(struct tree *t)
{
	int r = pd_tm_inc(t->e.tm, t->root);

	return r ? r : remove_all(t, 0, 100);
}

static int op_delete(struct tree *t)
{
	return pd_btree_delete(&t->e.t, t->root, 1000);
}

static int op_walk(struct tree *t)
{
	struct pd_btree_cursor *c;
	u64 key = 0;
	int r = pd_btree_cursor_begin(&t->e.t, t->root, &key, true, &c);

	if (r)
		return r;
	do
		r = pd_btree_cursor_next(c);
	while (!r);
	pd_btree_cursor_end(c);
	return r == -ENODATA ? 0 : r;
}

static int op_check(struct tree *t)
{
	return pd_btree_check(&t->e.t, t->root, NULL);
}

static const op_fn ops[] = {
	op_lookup, op_next, op_lookup_leaf, op_insert, op_insert_run, op_update,
	op_remove, op_remove_range, op_remove_range_from_inside,
	op_remove_shared, op_delete, op_walk, op_check,
};

static void test_a_good_tree_gives_no_errors(void **state)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		struct tree t;

		build(&t);
		assert_int_equal(ops[i](&t), 0);
		assert_int_equal(bt_held(&t.e), 0);
		bt_end(&t.e);
	}
}

/* ---- damage ---- */

typedef void (*damage_fn)(struct tree *t);

/* @or_else: the error if the counts notice first, before the node is read. */
static void all_ops_fail_or(damage_fn damage, int error, int or_else)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		unsigned long logged;
		struct tree t;
		int r;

		build(&t);
		damage(&t);
		logged = shim_nr_logged;
		r = ops[i](&t);
		if (r != or_else)
			assert_int_equal(r, error);
		assert_true(shim_nr_logged > logged);
		assert_int_equal(bt_held(&t.e), 0);
		bt_end(&t.e);
	}
}

static void all_ops_fail(damage_fn damage, int error)
{
	all_ops_fail_or(damage, error, error);
}

static void flip_value(struct tree *t)
{
	bt_corrupt(&t->e, t->leaf, 4000);
}

static void flip_parents_number(struct tree *t)
{
	bt_corrupt(&t->e, t->parent, 8);
}

static void flip_roots_checksum(struct tree *t)
{
	bt_corrupt(&t->e, t->root, 0);
}

static void test_flipped_bits_are_met(void **state)
{
	all_ops_fail(flip_value, -EILSEQ);
	all_ops_fail(flip_parents_number, -ENOTBLK);
	all_ops_fail(flip_roots_checksum, -EILSEQ);
}

static void no_flags(struct tree *t)
{
	bt_poke_le32(&t->e, t->leaf, FLAGS, 0);
}

static void both_flags(struct tree *t)
{
	bt_poke_le32(&t->e, t->parent, FLAGS, 3);
}

static void test_wrong_flags_are_met(void **state)
{
	all_ops_fail(no_flags, -EILSEQ);
	all_ops_fail(both_flags, -EILSEQ);
}

static void other_value_size(struct tree *t)
{
	bt_poke_le32(&t->e, t->leaf, VALUE_SIZE, 4);
}

static void parents_value_size(struct tree *t)
{
	bt_poke_le32(&t->e, t->parent, VALUE_SIZE, 16);
}

static void huge_capacity(struct tree *t)
{
	bt_poke_le32(&t->e, t->leaf, MAX_ENTRIES, 0x40000002);
}

static void many_entries(struct tree *t)
{
	bt_poke_le32(&t->e, t->parent, NR_ENTRIES, CAPACITY + 1);
}

static void test_wrong_sizes_are_met(void **state)
{
	all_ops_fail(other_value_size, -EILSEQ);
	all_ops_fail(parents_value_size, -EILSEQ);
	all_ops_fail(huge_capacity, -EILSEQ);
	all_ops_fail(many_entries, -EILSEQ);
}

static void empty_leaf(struct tree *t)
{
	bt_poke_le32(&t->e, t->leaf, NR_ENTRIES, 0);
}

static void empty_parent(struct tree *t)
{
	bt_poke_le32(&t->e, t->parent, NR_ENTRIES, 0);
}

static void empty_internal_root(struct tree *t)
{
	bt_poke_le32(&t->e, t->root, NR_ENTRIES, 0);
}

static void test_empty_nodes_are_met(void **state)
{
	all_ops_fail(empty_leaf, -EILSEQ);
	all_ops_fail(empty_parent, -EILSEQ);
	all_ops_fail(empty_internal_root, -EILSEQ);
}

static void equal_keys(struct tree *t)
{
	bt_poke_le64(&t->e, t->leaf, KEY(1), t->key);
}

static void key_below_the_range(struct tree *t)
{
	bt_poke_le64(&t->e, t->leaf, KEY(0), 3);
}

static void key_above_the_range(struct tree *t)
{
	u32 last = bt_nr(&t->e, t->leaf) - 1;

	bt_poke_le64(&t->e, t->leaf, KEY(last), 1u << 30);
}

static void parents_key_below_the_range(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, KEY(0), 3);
}

static void test_wrong_keys_are_met(void **state)
{
	all_ops_fail(equal_keys, -EILSEQ);
	all_ops_fail(key_below_the_range, -EILSEQ);
	all_ops_fail(key_above_the_range, -EILSEQ);
	all_ops_fail(parents_key_below_the_range, -EILSEQ);
}

static void child_zero(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, VALUE(1), 0);
}

static void child_beyond_the_device(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, VALUE(1), 500);
}

static void child_far_away(struct tree *t)
{
	bt_poke_le64(&t->e, t->root, VALUE(1), ~0ull);
}

static void test_impossible_children_are_met(void **state)
{
	all_ops_fail(child_zero, -EINVAL);
	all_ops_fail(child_beyond_the_device, -EINVAL);
	all_ops_fail(child_far_away, -EINVAL);
}

static void parent_is_its_own_child(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, VALUE(1), t->parent);
}

static void root_is_its_grandchild(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, VALUE(1), t->root);
}

static void root_is_its_child(struct tree *t)
{
	bt_poke_le64(&t->e, t->root, VALUE(1), t->root);
}

static void leaf_in_two_places(struct tree *t)
{
	bt_poke_le64(&t->e, t->parent, VALUE(1), bt_child(&t->e, t->parent, 0));
}

static void test_loops_and_double_use_are_met(void **state)
{
	all_ops_fail_or(parent_is_its_own_child, -EILSEQ, -EINVAL);
	all_ops_fail_or(root_is_its_grandchild, -EILSEQ, -EINVAL);
	all_ops_fail_or(root_is_its_child, -EILSEQ, -EINVAL);
	all_ops_fail_or(leaf_in_two_places, -EILSEQ, -EINVAL);
}

/* A root with one child, itself: no key range shows it, only the depth. */
static void endless_root(struct tree *t)
{
	bt_poke_le64(&t->e, t->root, VALUE(0), t->root);
	bt_poke_le32(&t->e, t->root, NR_ENTRIES, 1);
}

static void test_an_endless_path_ends(void **state)
{
	op_fn readers[] = {
		op_lookup, op_next, op_lookup_leaf, op_remove, op_update,
		op_remove_range, op_delete, op_walk, op_check,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		struct tree t;

		build(&t);
		endless_root(&t);
		assert_int_equal(readers[i](&t), -EILSEQ);
		assert_int_equal(bt_held(&t.e), 0);
		bt_end(&t.e);
	}
}

static void test_an_endless_path_ends_for_writers(void **state)
{
	struct tree t;
	__le64 value = 0;
	u64 key = 5000;

	build(&t);
	endless_root(&t);
	/* The root was copied, so the count of its old block, its child, is 0. */
	assert_int_equal(pd_btree_insert(&t.e.t, &t.root, &key, &value, NULL),
			 -EINVAL);
	assert_int_equal(bt_held(&t.e), 0);
	bt_end(&t.e);

	build(&t);
	endless_root(&t);
	bt_snap(&t.e, t.root);
	assert_int_equal(pd_btree_insert(&t.e.t, &t.root, &key, &value, NULL),
			 -EILSEQ);
	assert_int_equal(bt_held(&t.e), 0);
	bt_end(&t.e);
}

/* A sibling of another capacity is refused where entries would move. */
static void test_siblings_of_other_capacity_are_met(void **state)
{
	struct tree t;
	int r = 0;
	u32 i;

	build(&t);
	for (i = 0; i < bt_nr(&t.e, t.parent); i++)
		if (i != 1)
			bt_poke_le32(&t.e, bt_child(&t.e, t.parent, i),
				     MAX_ENTRIES, 9);
	for (i = 0; i < CAPACITY && !r; i++, t.key += 2)
		r = op_remove(&t);
	assert_int_equal(r, -EILSEQ);
	assert_int_equal(bt_held(&t.e), 0);
	bt_end(&t.e);

	build(&t);
	bt_poke_le32(&t.e, bt_child(&t.e, t.parent, 0), MAX_ENTRIES, 9);
	for (i = 0, r = 0, t.key++; i < CAPACITY && !r; i++, t.key += 2)
		r = op_insert(&t);
	assert_int_equal(r, -EILSEQ);
	assert_int_equal(bt_held(&t.e), 0);
	bt_end(&t.e);
}

static void test_a_count_of_zero_is_met(void **state)
{
	struct tree t;

	/* The tree refers to a leaf that the space map calls free. */
	build(&t);
	assert_int_equal(pd_tm_dec(t.e.tm, t.leaf), 0);
	assert_int_equal(op_delete(&t), -EINVAL);
	assert_int_equal(bt_held(&t.e), 0);
	bt_end(&t.e);
}

/* ---- failures around the tree ---- */

/* Arrange that the @n-th of something fails. */
typedef void (*trouble_fn)(struct tree *t, long n);

static void no_memory(struct tree *t, long n)
{
	shim_fail_alloc(n, true);
}

static void no_reading(struct tree *t, long n)
{
	ram_store_fail(t->e.io, RAM_OP_READ, n, true);
}

static void no_space(struct tree *t, long n)
{
	pd_block_t b;

	while (pd_sm_nr_allocatable(t->e.sm) > n)
		assert_int_equal(pd_sm_alloc(t->e.sm, &b), 0);
}

/* Each operation fails at each point it can, and then succeeds. */
static void all_ops_meet(trouble_fn trouble, int error, long at_least)
{
	long n, failures = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		int r = error;

		for (n = 0; r; n++) {
			struct tree t;

			build(&t);
			bt_reopen(&t.e);
			trouble(&t, n);
			r = ops[i](&t);
			shim_fail_alloc(-1, false);
			if (r) {
				assert_int_equal(r, error);
				failures++;
			}
			assert_int_equal(bt_held(&t.e), 0);
			bt_end(&t.e);
		}
	}
	assert_true(failures >= at_least);
}

static void test_out_of_memory_comes_out_of_everything(void **state)
{
	all_ops_meet(no_memory, -ENOMEM, 30);
}

static void test_read_errors_come_out_of_everything(void **state)
{
	all_ops_meet(no_reading, -EIO, 100);
}

static void test_out_of_space_comes_out_of_everything(void **state)
{
	all_ops_meet(no_space, -ENOSPC, 20);
}

/* ---- two levels ---- */

static void test_damaged_top_trees_are_met(void **state)
{
	u64 keys[2] = { 3, 5 };
	struct bt_env e;
	pd_block_t root;
	__le64 value;

	bt_begin(&e, 500, CAPACITY, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	value = cpu_to_le64(bt_value(&e, 1, 0));
	assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value, NULL), 0);

	/* A root beyond the device; then a tree of another kind. */
	bt_poke_le64(&e, root, VALUE(0), 12345);
	assert_int_equal(pd_btree_lookup(&e.t, root, keys, &value), -EINVAL);
	assert_int_equal(pd_btree_remove(&e.t, &root, keys), -EINVAL);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), -EINVAL);
	bt_poke_le32(&e, root, VALUE_SIZE, 4);
	assert_int_equal(pd_btree_lookup(&e.t, root, keys, &value), -EILSEQ);
	assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value, NULL),
			 -EILSEQ);
	assert_int_equal(bt_held(&e), 0);
	bt_end(&e);
}

/* ---- places ---- */

static void test_places_divide_the_keys_of_a_node(void **state)
{
	struct pd_place place, root_place = pd_place_root();
	struct pd_block blk;
	struct tree t;
	u64 next = 0;
	u32 i;

	build(&t);
	assert_int_equal(pd_bm_read(t.e.bm, t.root, &pd_btree_node_validator,
				    &blk), 0);
	for (i = 0; i < pd_node_nr(blk.data); i++) {
		place = pd_place_child(&root_place, blk.data, i);
		assert_int_equal(place.begin, next);
		assert_int_equal(place.first, pd_node_key(blk.data, i));
		assert_int_equal(place.depth, 1);
		next = place.last + 1;
	}
	assert_int_equal(next, 0);
	pd_bm_release(t.e.bm, &blk);
	bt_end(&t.e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_tree_gives_no_errors),
		cmocka_unit_test(test_flipped_bits_are_met),
		cmocka_unit_test(test_wrong_flags_are_met),
		cmocka_unit_test(test_wrong_sizes_are_met),
		cmocka_unit_test(test_empty_nodes_are_met),
		cmocka_unit_test(test_wrong_keys_are_met),
		cmocka_unit_test(test_impossible_children_are_met),
		cmocka_unit_test(test_loops_and_double_use_are_met),
		cmocka_unit_test(test_an_endless_path_ends),
		cmocka_unit_test(test_an_endless_path_ends_for_writers),
		cmocka_unit_test(test_siblings_of_other_capacity_are_met),
		cmocka_unit_test(test_a_count_of_zero_is_met),
		cmocka_unit_test(test_out_of_memory_comes_out_of_everything),
		cmocka_unit_test(test_read_errors_come_out_of_everything),
		cmocka_unit_test(test_out_of_space_comes_out_of_everything),
		cmocka_unit_test(test_damaged_top_trees_are_met),
		cmocka_unit_test(test_places_divide_the_keys_of_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
