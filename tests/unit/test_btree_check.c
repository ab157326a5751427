// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The full check: what it reports to its visitor, and what it finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"
#include "tests/check/btree-check.h"

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#define NR_ENTRIES	offsetof(struct pd_disk_node_header, nr_entries)
#define MAX_ENTRIES	offsetof(struct pd_disk_node_header, max_entries)

/* Three levels of nodes: root, parents of leaves, leaves. */
static pd_block_t three_levels(struct bt_env *e)
{
	pd_block_t root;

	bt_begin(e, 500, 6, 1);
	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	bt_fill(e, &root, 100, 220);
	assert_false(bt_is_leaf(e, bt_child(e, root, 0)));
	assert_true(bt_is_leaf(e, bt_child(e, bt_child(e, root, 0), 0)));
	return root;
}

struct visit {
	u64 nr_nodes, nr_leaves, nr_entries;
	pd_block_t skip;
	int fail_node, fail_leaf;
	u64 upper[8];
};

static int node(void *context, pd_block_t b, bool *descend)
{
	struct visit *v = context;

	v->nr_nodes++;
	*descend = b != v->skip;
	return v->fail_node;
}

static int leaf(void *context, const u64 *upper_keys, const __le64 *keys,
		const void *values, u32 nr)
{
	struct visit *v = context;

	if (v->nr_leaves < 8)
		v->upper[v->nr_leaves] = *upper_keys;
	v->nr_leaves++;
	v->nr_entries += nr;
	return v->fail_leaf;
}

static int check(struct bt_env *e, pd_block_t root, struct visit *v)
{
	struct pd_btree_visitor visitor = {
		.node = node, .leaf = leaf, .context = v,
	};

	return pd_btree_check(&e->t, root, &visitor);
}

static void test_a_visitor_sees_all_nodes_and_entries(void **state)
{
	struct visit v = { 0 };
	struct bt_env e;
	pd_block_t root = three_levels(&e);
	u32 i, nr_nodes = 1;

	assert_int_equal(pd_btree_check(&e.t, root, NULL), 0);
	assert_int_equal(check(&e, root, &v), 0);
	for (i = 0; i < bt_nr(&e, root); i++)
		nr_nodes += 1 + bt_nr(&e, bt_child(&e, root, i));
	assert_int_equal(v.nr_nodes, nr_nodes);
	assert_int_equal(v.nr_leaves, nr_nodes - 1 - bt_nr(&e, root));
	assert_int_equal(v.nr_entries, 120);
	bt_end(&e);
}

static void test_a_visitor_can_skip_nodes(void **state)
{
	struct visit all = { 0 }, v = { 0 };
	struct bt_env e;
	pd_block_t root = three_levels(&e);

	assert_int_equal(check(&e, root, &all), 0);
	v.skip = bt_child(&e, root, 0);
	assert_int_equal(check(&e, root, &v), 0);
	assert_int_equal(v.nr_leaves,
			 all.nr_leaves - bt_nr(&e, bt_child(&e, root, 0)));
	assert_int_equal(v.nr_nodes,
			 all.nr_nodes - bt_nr(&e, bt_child(&e, root, 0)));
	bt_end(&e);
}

static void test_a_visitors_error_comes_out(void **state)
{
	struct visit v = { .fail_node = -EAGAIN }, w = { .fail_leaf = -EBUSY };
	struct bt_env e;
	pd_block_t root = three_levels(&e);

	assert_int_equal(check(&e, root, &v), -EAGAIN);
	assert_int_equal(check(&e, root, &w), -EBUSY);
	assert_int_equal(w.nr_leaves, 1);
	bt_end(&e);
}

static void test_upper_keys_are_reported(void **state)
{
	struct visit v = { 0 };
	struct bt_env e;
	pd_block_t root;
	u64 keys[2];

	bt_begin(&e, 100, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	for (keys[0] = 5; keys[0] < 8; keys[0]++) {
		__le64 value = cpu_to_le64(bt_value(&e, 1, 0));

		keys[1] = 1;
		assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value,
						 NULL), 0);
	}
	assert_int_equal(check(&e, root, &v), 0);
	assert_int_equal(v.nr_leaves, 3);
	assert_int_equal(v.nr_nodes, 4);
	assert_int_equal(v.upper[0], 5);
	assert_int_equal(v.upper[1], 6);
	assert_int_equal(v.upper[2], 7);
	bt_end(&e);
}

static void test_too_few_entries_are_found(void **state)
{
	unsigned long logged;
	struct bt_env e;
	pd_block_t root = three_levels(&e);
	pd_block_t first = bt_child(&e, bt_child(&e, root, 0), 0);

	bt_poke_le32(&e, first, NR_ENTRIES, 2);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), 0);
	bt_poke_le32(&e, first, NR_ENTRIES, 1);
	logged = shim_nr_logged;
	assert_int_equal(pd_btree_check(&e.t, root, NULL), -EILSEQ);
	assert_int_equal(shim_nr_logged, logged + 1);
	bt_end(&e);
}

static void test_a_small_root_is_fine(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 100, 252, 1);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), 0);
	bt_fill(&e, &root, 0, 1);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), 0);
	bt_end(&e);
}

static void test_leaves_of_unequal_depth_are_found(void **state)
{
	struct bt_env e;
	pd_block_t root = three_levels(&e);
	pd_block_t leaf_b = bt_child(&e, bt_child(&e, root, 1), 0);

	/* Values of the root begin after six keys. */
	bt_poke_le64(&e, root, 32 + 6 * 8 + 1 * 8, leaf_b);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), -EILSEQ);
	bt_end(&e);
}

static void test_a_node_of_other_capacity_is_found(void **state)
{
	struct bt_env e;
	pd_block_t root = three_levels(&e);
	pd_block_t first = bt_child(&e, bt_child(&e, root, 0), 0);

	bt_poke_le32(&e, first, MAX_ENTRIES, 9);
	assert_int_equal(pd_btree_check(&e.t, root, NULL), -EILSEQ);
	bt_end(&e);
}

static void test_keys_outside_the_parents_promise_are_found(void **state)
{
	u32 which;

	for (which = 0; which < 2; which++) {
		struct bt_env e;
		pd_block_t root = three_levels(&e);
		pd_block_t middle = bt_child(&e, bt_child(&e, root, 1), 1);
		u32 last = bt_nr(&e, middle) - 1;

		if (which)
			bt_poke_le64(&e, middle, 32, 1);
		else
			bt_poke_le64(&e, middle, 32 + last * 8, 5000);
		assert_int_equal(pd_btree_check(&e.t, root, NULL), -EILSEQ);
		bt_end(&e);
	}
}

static void test_out_of_memory_is_reported(void **state)
{
	struct bt_env e;
	pd_block_t root = three_levels(&e);
	int r = -ENOMEM;
	long n;

	for (n = 0; r; n++) {
		shim_fail_alloc(n, true);
		r = pd_btree_check(&e.t, root, NULL);
		if (r)
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(bt_held(&e), 0);
	}
	shim_fail_alloc(-1, false);
	assert_true(n > 20);
	bt_end(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_visitor_sees_all_nodes_and_entries),
		cmocka_unit_test(test_a_visitor_can_skip_nodes),
		cmocka_unit_test(test_a_visitors_error_comes_out),
		cmocka_unit_test(test_upper_keys_are_reported),
		cmocka_unit_test(test_too_few_entries_are_found),
		cmocka_unit_test(test_a_small_root_is_fine),
		cmocka_unit_test(test_leaves_of_unequal_depth_are_found),
		cmocka_unit_test(test_a_node_of_other_capacity_is_found),
		cmocka_unit_test(test_keys_outside_the_parents_promise_are_found),
		cmocka_unit_test(test_out_of_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
