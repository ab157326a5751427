// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Walking a tree in key order.
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
#include <linux/slab.h>

/* Even keys below @end. */
static pd_block_t evens(struct bt_env *e, u64 end)
{
	pd_block_t root;
	u64 key;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	for (key = 0; key < end; key += 2)
		bt_insert(e, &root, key, key);
	return root;
}

/* Walks from @begin: expects the even keys below @end. */
static void walk(struct bt_env *e, pd_block_t root, u64 begin, u64 end,
		 bool prefetch)
{
	struct pd_btree_cursor *c;
	u64 key, wanted = begin + begin % 2;
	__le64 value;
	int r = pd_btree_cursor_begin(&e->t, root, &begin, prefetch, &c);

	assert_int_equal(r, wanted < end ? 0 : -ENODATA);
	if (r)
		return;
	for (;; wanted += 2) {
		assert_int_equal(bt_held(e), 0);
		pd_btree_cursor_get(c, &key, &value);
		assert_int_equal(key, wanted);
		assert_int_equal(le64_to_cpu(value) >> 8, key);
		r = pd_btree_cursor_next(c);
		if (r)
			break;
	}
	assert_int_equal(r, -ENODATA);
	assert_int_equal(wanted + 2, end);
	assert_int_equal(pd_btree_cursor_next(c), -ENODATA);
	pd_btree_cursor_end(c);
}

static void test_a_walk_meets_every_entry_in_order(void **state)
{
	static const u32 capacities[] = { 6, 9, 12, 252 };
	u32 c;

	for (c = 0; c < ARRAY_SIZE(capacities); c++) {
		struct bt_env e;
		pd_block_t root;
		u64 begin;

		bt_begin(&e, 1000, capacities[c], 1);
		root = evens(&e, 2000);
		for (begin = 0; begin < 2100; begin += 37) {
			walk(&e, root, begin, 2000, false);
			walk(&e, root, begin, 2000, true);
		}
		bt_end(&e);
	}
}

static void test_an_empty_tree_has_no_walk(void **state)
{
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 100, 6, 1);
	root = evens(&e, 0);
	walk(&e, root, 0, 0, false);
	bt_end(&e);
}

static void test_prefetch_reads_no_node_twice(void **state)
{
	unsigned long reads;
	struct bt_size s;
	struct bt_env e;
	pd_block_t root;

	bt_begin(&e, 1000, 12, 1);
	root = evens(&e, 4000);
	s = bt_size(&e.t, root);
	bt_reopen(&e);
	reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	walk(&e, root, 0, 4000, true);
	assert_int_equal(ram_store_nr_ops(e.io, RAM_OP_READ) - reads,
			 s.nr_nodes);
	bt_end(&e);
}

static void test_a_walk_below_an_upper_key_stays_there(void **state)
{
	struct pd_btree_cursor *c;
	u64 keys[2], key, n = 0;
	struct bt_env e;
	pd_block_t root;
	__le64 value;

	bt_begin(&e, 1000, 6, 2);
	assert_int_equal(pd_btree_empty(&e.t, &root), 0);
	for (keys[0] = 0; keys[0] < 5; keys[0]++)
		for (keys[1] = 0; keys[1] < 50; keys[1]++) {
			value = cpu_to_le64(bt_value(&e, keys[0], 0));
			assert_int_equal(pd_btree_insert(&e.t, &root, keys,
							 &value, NULL), 0);
		}
	keys[0] = 3;
	keys[1] = 20;
	assert_int_equal(pd_btree_cursor_begin(&e.t, root, keys, true, &c), 0);
	do {
		pd_btree_cursor_get(c, &key, &value);
		assert_int_equal(key, 20 + n++);
		assert_int_equal(le64_to_cpu(value) >> 8, 3);
	} while (!pd_btree_cursor_next(c));
	assert_int_equal(n, 30);
	pd_btree_cursor_end(c);
	bt_end(&e);
}

static void test_out_of_memory_is_reported(void **state)
{
	struct pd_btree_cursor *c;
	struct bt_env e;
	pd_block_t root;
	u64 key = 0;
	long n;

	bt_begin(&e, 1000, 6, 1);
	root = evens(&e, 100);
	for (n = 0; n < 2; n++) {
		shim_fail_alloc(n, false);
		assert_int_equal(pd_btree_cursor_begin(&e.t, root, &key, false,
						       &c), -ENOMEM);
	}
	shim_fail_alloc(-1, false);
	bt_end(&e);
}

static void test_read_errors_come_out(void **state)
{
	bool ended = false;
	long n;

	for (n = 0; !ended; n++) {
		struct pd_btree_cursor *c;
		struct bt_env e;
		pd_block_t root;
		u64 key = 0;
		int r;

		bt_begin(&e, 1000, 6, 1);
		root = evens(&e, 100);
		bt_reopen(&e);
		ram_store_fail(e.io, RAM_OP_READ, n, true);
		r = pd_btree_cursor_begin(&e.t, root, &key, n & 1, &c);
		if (r) {
			assert_int_equal(r, -EIO);
		} else {
			do
				r = pd_btree_cursor_next(c);
			while (!r);
			ended = r == -ENODATA;
			assert_true(ended || r == -EIO);
			pd_btree_cursor_end(c);
		}
		assert_int_equal(bt_held(&e), 0);
		bt_end(&e);
	}
	assert_true(n > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_walk_meets_every_entry_in_order),
		cmocka_unit_test(test_an_empty_tree_has_no_walk),
		cmocka_unit_test(test_prefetch_reads_no_node_twice),
		cmocka_unit_test(test_a_walk_below_an_upper_key_stays_there),
		cmocka_unit_test(test_out_of_memory_is_reported),
		cmocka_unit_test(test_read_errors_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
