// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The layout of a btree node, moves of entries, and what the validator refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "persistent-data/btree-node.h"
#include "btree-env.h"
#include "stores/stores.h"

#include <linux/kernel.h>
#include <linux/string.h>

static const u32 value_sizes[] = { 4, 8, 16, 24 };

struct node {
	unsigned char bytes[PD_BLOCK_SIZE] __aligned(8);
};

static struct pd_disk_node *make(struct node *mem, u32 max, u32 value_size)
{
	struct pd_disk_node *n = (struct pd_disk_node *)mem->bytes;

	memset(mem, 0xa5, sizeof(*mem));
	pd_node_init(n, PD_NODE_LEAF, max, value_size);
	return n;
}

/* Key 10 * i + 5, value bytes all i. */
static void put(struct pd_disk_node *n, u32 at, u32 i)
{
	unsigned char value[64];

	memset(value, i, sizeof(value));
	pd_node_put(n, at, i * 10 + 5, value);
}

static void fill(struct pd_disk_node *n, u32 begin, u32 end)
{
	u32 i;

	for (i = begin; i < end; i++)
		put(n, pd_node_nr(n), i);
}

static void assert_entries(const struct pd_disk_node *n, u32 begin, u32 end)
{
	unsigned char value[64];
	u32 i;

	assert_int_equal(pd_node_nr(n), end - begin);
	for (i = begin; i < end; i++) {
		memset(value, i, sizeof(value));
		assert_int_equal(pd_node_key(n, i - begin), i * 10 + 5);
		assert_memory_equal(pd_node_value(n, i - begin), value,
				    pd_node_value_size(n));
	}
}

static void test_capacity_is_what_the_format_says(void **state)
{
	assert_int_equal(pd_node_capacity(8), 252);
	assert_int_equal(pd_node_capacity(24), 126);
	assert_int_equal(pd_node_capacity(16), 168);
	assert_int_equal(pd_node_capacity(4), 336);
}

static void test_values_begin_behind_all_keys(void **state)
{
	static const u32 offsets[] = { 0xaa0, 0x800, 0x560, 0x410 };
	struct node mem;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		u32 size = value_sizes[i];
		struct pd_disk_node *n = make(&mem, pd_node_capacity(size),
					      size);

		assert_int_equal((char *)pd_node_keys(n) - (char *)n, 32);
		assert_int_equal((char *)pd_node_value(n, 0) - (char *)n,
				 offsets[i]);
		assert_int_equal((char *)pd_node_value(n, 3) - (char *)n,
				 offsets[i] + 3 * size);
	}
}

static void test_searches_agree_with_a_linear_look(void **state)
{
	struct node mem;
	struct pd_disk_node *n = make(&mem, 12, 8);
	u32 nr;

	for (nr = 0; nr <= 12; nr++) {
		u64 key;

		for (key = 0; key < 140; key++) {
			u32 i, below = 0, index = 99;
			bool has = false;

			for (i = 0; i < nr; i++) {
				below += pd_node_key(n, i) < key;
				has |= pd_node_key(n, i) == key;
			}
			assert_int_equal(pd_node_lower_bound(n, key), below);
			assert_int_equal(pd_node_find(n, key),
					 (int)below - !has);
			assert_int_equal(pd_node_has_key(n, key, &index), has);
			assert_int_equal(index, has ? below : 99);
		}
		if (nr < 12)
			fill(n, nr, nr + 1);
	}
}

static void test_the_highest_key_can_be_found(void **state)
{
	struct node mem;
	struct pd_disk_node *n = make(&mem, 6, 8);
	u64 value = 0;
	u32 i;

	pd_node_put(n, 0, 0, &value);
	pd_node_put(n, 1, ~0ull, &value);
	assert_true(pd_node_has_key(n, ~0ull, &i));
	assert_int_equal(i, 1);
	assert_int_equal(pd_node_lower_bound(n, ~0ull), 1);
	assert_int_equal(pd_node_find(n, ~0ull - 1), 0);
}

static void test_gaps_keep_keys_with_their_values(void **state)
{
	struct node mem;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		u32 size = value_sizes[i];
		struct pd_disk_node *n = make(&mem, pd_node_capacity(size),
					      size);

		fill(n, 0, 20);
		fill(n, 30, 40);
		pd_node_open_gap(n, 20, 10);
		pd_node_set_nr(n, 20);
		fill(n, 20, 30);
		pd_node_set_nr(n, 40);
		assert_entries(n, 0, 40);

		pd_node_close_gap(n, 35, 5);
		pd_node_close_gap(n, 0, 15);
		assert_entries(n, 15, 35);

		put(n, 0, 14);
		put(n, 21, 35);
		assert_entries(n, 14, 36);
	}
}

static void test_a_node_can_be_filled_to_the_last_slot(void **state)
{
	struct node mem;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		u32 size = value_sizes[i], max = pd_node_capacity(size);
		struct pd_disk_node *n = make(&mem, max, size);

		fill(n, 0, max);
		assert_true(pd_node_is_full(n));
		assert_entries(n, 0, max);
		assert_true((unsigned char *)pd_node_value(n, max) <=
			    mem.bytes + sizeof(mem.bytes));
	}
}

static void test_shifts_move_entries_between_siblings(void **state)
{
	struct node a, b;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		u32 size = value_sizes[i];
		struct pd_disk_node *left = make(&a, 60, size);
		struct pd_disk_node *right = make(&b, 60, size);

		fill(left, 0, 50);
		fill(right, 50, 60);
		pd_node_shift_right(left, right, 30);
		assert_entries(left, 0, 20);
		assert_entries(right, 20, 60);
		pd_node_shift_left(left, right, 40);
		assert_entries(left, 0, 60);
		assert_entries(right, 60, 60);
		pd_node_shift_right(left, right, 60);
		assert_entries(left, 0, 0);
		assert_entries(right, 0, 60);
	}
}

static void test_shape_is_kind_capacity_and_value_size(void **state)
{
	struct node a, b;
	struct pd_disk_node *n = make(&a, 12, 8);

	assert_true(pd_node_same_shape(n, make(&b, 12, 8)));
	assert_false(pd_node_same_shape(n, make(&b, 9, 8)));
	assert_false(pd_node_same_shape(n, make(&b, 12, 4)));
	pd_node_init((struct pd_disk_node *)b.bytes, PD_NODE_INTERNAL, 12, 8);
	assert_false(pd_node_same_shape(n, (struct pd_disk_node *)b.bytes));
}

/* ---- the validator ---- */

static int check(const struct pd_disk_node *n)
{
	struct pd_bm *bm;
	int r;

	assert_int_equal(pd_bm_create(ram_store_create(8), &bm), 0);
	r = pd_btree_node_validator.check(bm, 5, n);
	pd_bm_destroy(bm);
	return r;
}

static void test_validator_accepts_good_nodes(void **state)
{
	struct node mem;
	struct pd_disk_node *n;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		u32 size = value_sizes[i], max = pd_node_capacity(size);

		n = make(&mem, max, size);
		assert_int_equal(check(n), 0);
		fill(n, 0, max);
		assert_int_equal(check(n), 0);
	}
	n = make(&mem, 3, 8);
	assert_int_equal(check(n), 0);
	n->header.flags = cpu_to_le32(PD_NODE_INTERNAL);
	assert_int_equal(check(n), 0);
}

static void test_validator_ignores_stale_slots(void **state)
{
	struct node mem;
	struct pd_disk_node *n = make(&mem, 12, 8);

	fill(n, 0, 12);
	pd_node_set_key(n, 11, 0);
	pd_node_set_nr(n, 11);
	assert_int_equal(check(n), 0);
}

static void assert_refused(u32 flags, u32 nr, u32 max, u32 value_size)
{
	unsigned long logged = shim_nr_logged;
	struct node mem = { { 0 } };
	struct pd_disk_node *n = (struct pd_disk_node *)mem.bytes;

	n->header.flags = cpu_to_le32(flags);
	n->header.nr_entries = cpu_to_le32(nr);
	n->header.max_entries = cpu_to_le32(max);
	n->header.value_size = cpu_to_le32(value_size);
	assert_int_equal(check(n), -EILSEQ);
	assert_int_equal(shim_nr_logged, logged + 1);
}

static void test_validator_refuses_bad_flags(void **state)
{
	assert_refused(0, 0, 252, 8);
	assert_refused(3, 0, 252, 8);
	assert_refused(4, 0, 252, 8);
	assert_refused(~0u, 0, 252, 8);
}

static void test_validator_refuses_bad_value_sizes(void **state)
{
	assert_refused(PD_NODE_LEAF, 0, 3, 0);
	assert_refused(PD_NODE_LEAF, 0, 3, 4065);
	assert_refused(PD_NODE_LEAF, 0, 3, ~0u);
	assert_refused(PD_NODE_LEAF, 0, 3, ~0u - 7);
	assert_refused(PD_NODE_INTERNAL, 0, 126, 24);
}

static void test_validator_refuses_bad_capacities(void **state)
{
	assert_refused(PD_NODE_LEAF, 0, 0, 8);
	assert_refused(PD_NODE_LEAF, 0, 251, 8);
	assert_refused(PD_NODE_LEAF, 0, 255, 8);
	assert_refused(PD_NODE_LEAF, 0, 3, 2000);
	assert_refused(PD_NODE_LEAF, 0, ~0u - 1, 8);
	assert_refused(PD_NODE_LEAF, 0, 0x20000001, 8);
}

static void test_validator_refuses_more_entries_than_fit(void **state)
{
	assert_refused(PD_NODE_LEAF, 253, 252, 8);
	assert_refused(PD_NODE_LEAF, ~0u, 252, 8);
}

static void test_validator_refuses_keys_out_of_order(void **state)
{
	struct node mem;
	struct pd_disk_node *n = make(&mem, 12, 8);

	fill(n, 0, 12);
	pd_node_set_key(n, 5, pd_node_key(n, 4));
	assert_int_equal(check(n), -EILSEQ);
	pd_node_set_key(n, 5, 0);
	assert_int_equal(check(n), -EILSEQ);
	pd_node_set_key(n, 5, 55);
	assert_int_equal(check(n), 0);
	pd_node_set_key(n, 11, 0);
	assert_int_equal(check(n), -EILSEQ);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity_is_what_the_format_says),
		cmocka_unit_test(test_values_begin_behind_all_keys),
		cmocka_unit_test(test_searches_agree_with_a_linear_look),
		cmocka_unit_test(test_the_highest_key_can_be_found),
		cmocka_unit_test(test_gaps_keep_keys_with_their_values),
		cmocka_unit_test(test_a_node_can_be_filled_to_the_last_slot),
		cmocka_unit_test(test_shifts_move_entries_between_siblings),
		cmocka_unit_test(test_shape_is_kind_capacity_and_value_size),
		cmocka_unit_test(test_validator_accepts_good_nodes),
		cmocka_unit_test(test_validator_ignores_stale_slots),
		cmocka_unit_test(test_validator_refuses_bad_flags),
		cmocka_unit_test(test_validator_refuses_bad_value_sizes),
		cmocka_unit_test(test_validator_refuses_bad_capacities),
		cmocka_unit_test(test_validator_refuses_more_entries_than_fit),
		cmocka_unit_test(test_validator_refuses_keys_out_of_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
