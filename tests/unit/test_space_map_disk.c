// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The data map: index in a btree, growing, damaged roots and indexes.
 */
#include "sm-env.h"
#include "tests/check/space-map-check.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define E PD_ENTRIES_PER_BITMAP

static struct sm_env env, *e = &env;

static struct pd_btree index_tree(void)
{
	return (struct pd_btree){
		.bm = e->bm, .tm = e->tm, .levels = 1, .value.size = 16, .name = "index",
	};
}

static void test_new_map_has_no_blocks(void **state)
{
	sm_begin(e, 100, 0);
	assert_int_equal(pd_sm_nr_blocks(e->data), 0);
	assert_int_equal(pd_sm_nr_allocated(e->data), 0);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_blocks(e->data), 0);
	sm_verify(e);
	sm_end(e);
}

static void test_index_of_many_leaves_is_read_back(void **state)
{
	const u64 n = 700;	/* 168 entries per leaf */
	u64 i;

	sm_begin(e, 3000, n * E - 5);
	sm_verify(e);
	for (i = 0; i < n; i += 3)
		ok(pd_sm_inc(e->data, i * E + i, i * E + i + 1));
	assert_int_equal(pd_sm_nr_dirty_bitmaps(e->data), 234);
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_blocks(e->data), n * E - 5);
	assert_int_equal(pd_sm_nr_allocated(e->data), 234);
	for (i = 0; i < n; i++)
		assert_int_equal(sm_count(e->data, i * E + i), i % 3 == 0);
	sm_verify(e);
	sm_end(e);
}

static unsigned long nr_resched;

static void count_resched(void)
{
	nr_resched++;
}

static void test_large_transactions_are_forgotten_in_slices(void **state)
{
	sm_begin(e, 100, 5 * E);
	ok(pd_sm_inc(e->data, 0, 4 * E));
	sm_close(e);
	shim_on_resched = count_resched;
	sm_complete(e);
	shim_on_resched = NULL;
	assert_true(nr_resched >= 4 * E / 1024);
	assert_true(xa_empty(pd_sm_closed_overlay(e->data)));
	sm_end(e);
}

static void test_growing_in_small_steps(void **state)
{
	static const pd_block_t sizes[] = { 1, 2, 100, E - 1, E, E + 1,
					    2 * E, 5 * E + 3 };
	pd_block_t n = 0;
	size_t i;

	sm_begin(e, 200, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ok(pd_sm_extend(e->data, sizes[i]));
		assert_int_equal(pd_sm_nr_allocatable(e->data), sizes[i] - n);
		/* Use all of it before the next step. */
		for (; n < sizes[i]; n++)
			assert_int_equal(sm_alloc(e->data), n);
		assert_int_equal(pd_sm_alloc(e->data, &(pd_block_t){ 0 }),
				 -ENOSPC);
		if (i % 2) {
			sm_commit(e);
			sm_verify(e);
		}
	}
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_allocated(e->data), 5 * E + 3);
	sm_verify(e);
	sm_end(e);
}

static void test_growing_beyond_the_metadata_is_undone_by_an_abort(void **state)
{
	pd_block_t free;

	sm_begin(e, 60, E);
	free = pd_sm_nr_blocks(e->meta) - pd_sm_nr_allocated(e->meta);
	assert_int_equal(pd_sm_extend(e->data, 100 * E), -ENOSPC);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_blocks(e->data), E);
	assert_int_equal(pd_sm_nr_blocks(e->meta) -
			 pd_sm_nr_allocated(e->meta), free);
	ok(pd_sm_extend(e->data, 20 * E));
	sm_commit(e);
	sm_verify(e);
	sm_end(e);
}

static void test_neighbours_cost_one_bitmap(void **state)
{
	unsigned long writes;
	pd_block_t b;

	sm_begin(e, 200, 5 * E);
	writes = ram_store_nr_ops(e->io, RAM_OP_WRITE);
	for (b = E + 10; b < E + 5000; b++)
		ok(pd_sm_inc(e->data, b, b + 1));
	sm_commit(e);
	/* Bitmap and index leaf; the metadata map's bitmap and index. */
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_WRITE) - writes, 4);
	sm_end(e);
}

static void test_nothing_is_written_while_the_transaction_is_open(void **state)
{
	struct ram_image *before, *after;
	pd_block_t b, i;

	sm_begin(e, 200, 5 * E);
	before = ram_store_image(e->io);
	for (i = 0; i < 500; i++) {
		b = sm_alloc(e->data);
		ok(pd_sm_inc(e->data, b, b + 1));
		ok(pd_sm_inc(e->data, b, b + 1));
	}
	ok(pd_bm_flush(e->bm));
	after = ram_store_image(e->io);
	for (b = 0; b < 200; b++)
		assert_memory_equal(ram_image_read(before, b),
				    ram_image_read(after, b), PD_BLOCK_SIZE);
	ram_image_destroy(before);
	ram_image_destroy(after);
	sm_end(e);
}

static void test_overflow_tree_holds_exactly_the_large_counts(void **state)
{
	u64 key, b;
	__le32 value;
	int r;

	sm_begin(e, 300, 2 * E);
	for (b = 0; b < 1000; b++) {
		ok(pd_sm_inc(e->data, b, b + 1 + b % 7));
		if (b % 3 == 0)
			ok(pd_sm_inc(e->data, b, b + 1));
	}
	sm_commit(e);
	for (b = 0; b < 1000; b += 2)
		while (sm_count(e->data, b))
			ok(pd_sm_dec(e->data, b, b + 1));
	sm_commit(e);
	sm_verify(e);
	for (b = 0; b < 1010; b++) {
		u32 count = sm_count(e->data, b);

		r = pd_btree_lookup(&e->data->overflow, e->data->overflow_root,
				    &b, &value);
		assert_int_equal(r, count >= 3 ? 0 : -ENODATA);
		if (!r)
			assert_int_equal(le32_to_cpu(value), count);
	}
	/* And it becomes empty again. */
	for (b = 0; b < 1010; b++)
		while (sm_count(e->data, b))
			ok(pd_sm_dec(e->data, b, b + 1));
	sm_commit(e);
	key = 0;
	assert_int_equal(pd_btree_lookup_next(&e->data->overflow,
					      e->data->overflow_root, &key,
					      &key, &value), -ENODATA);
	sm_verify(e);
	sm_end(e);
}

/* ---- damage ---- */

static int open_root(struct pd_disk_sm_root root)
{
	struct pd_sm *sm;
	int r = pd_sm_disk_open(e->tm, &root, &sm);

	if (!r)
		pd_sm_destroy(sm);
	return r;
}

static void test_damaged_roots_are_refused(void **state)
{
	struct pd_disk_sm_root good, root;

	sm_begin(e, 200, 3 * E);
	memcpy(&good, e->data_root, 32);
	ok(open_root(good));

	root = good;
	root.nr_blocks = cpu_to_le64(~0ull);
	assert_int_equal(open_root(root), -EINVAL);
	root.nr_blocks = cpu_to_le64(201ull * E);
	assert_int_equal(open_root(root), -EINVAL);
	/* More bitmaps than usable metadata blocks, on a larger device. */
	ram_store_grow(e->io, PD_MAX_METADATA_BLOCKS + 10);
	root.nr_blocks = cpu_to_le64((PD_MAX_METADATA_BLOCKS + 1) * E);
	assert_int_equal(open_root(root), -EINVAL);
	/* More bitmaps than the index has. */
	root.nr_blocks = cpu_to_le64(3 * E + 1);
	assert_int_equal(open_root(root), -EILSEQ);
	/* Fewer are fine: the rest is never used. */
	root.nr_blocks = cpu_to_le64(2 * E);
	ok(open_root(root));

	root = good;
	root.bitmap_root = 0;
	assert_int_equal(open_root(root), -EINVAL);
	root.bitmap_root = cpu_to_le64(3);
	assert_true(open_root(root) < 0);
	/* The overflow tree's values have another size. */
	root.bitmap_root = good.ref_count_root;
	assert_true(open_root(root) < 0);
	sm_end(e);
}

static void test_index_with_a_hole_is_refused(void **state)
{
	struct pd_btree t;
	u64 key = 1;

	sm_begin(e, 200, 3 * E);
	t = index_tree();
	ok(pd_btree_remove(&t, &e->data->index_root, &key));
	sm_commit(e);
	assert_int_equal(open_root(*(struct pd_disk_sm_root *)e->data_root),
			 -EILSEQ);
	assert_int_equal(pd_sm_check(e->data, NULL, NULL), -EILSEQ);
	sm_end(e);
}

static void test_empty_index_is_refused(void **state)
{
	struct pd_btree t;
	u64 key;

	sm_begin(e, 200, 3 * E);
	t = index_tree();
	for (key = 0; key < 3; key++)
		ok(pd_btree_remove(&t, &e->data->index_root, &key));
	sm_commit(e);
	assert_int_equal(open_root(*(struct pd_disk_sm_root *)e->data_root),
			 -EILSEQ);
	sm_end(e);
}

static void test_index_entry_of_an_impossible_block_is_refused(void **state)
{
	static const u64 bad[] = { 0, 200, ~0ull };
	struct pd_disk_index_entry entry;
	struct pd_btree t;
	u64 key = 1;
	size_t i;

	for (i = 0; i < 3; i++) {
		sm_begin(e, 200, 3 * E);
		t = index_tree();
		entry = sm_disk_entry(e, e->data, key);
		entry.blocknr = cpu_to_le64(bad[i]);
		ok(pd_btree_insert(&t, &e->data->index_root, &key, &entry,
				   NULL));
		sm_commit(e);
		assert_int_equal(open_root(*(struct pd_disk_sm_root *)
					   e->data_root), -EILSEQ);
		sm_end(e);
	}
}

static void test_bitmap_shared_by_two_entries_is_an_error_at_close(void **state)
{
	struct pd_disk_index_entry entry;
	unsigned char root[32];
	struct pd_btree t;
	u64 key = 1;

	sm_begin(e, 200, 3 * E);
	t = index_tree();
	entry = sm_disk_entry(e, e->data, 0);
	ok(pd_btree_insert(&t, &e->data->index_root, &key, &entry, NULL));
	sm_commit(e);
	sm_reopen(e);
	ok(pd_sm_inc(e->data, 5, 6));
	ok(pd_sm_inc(e->data, E + 7, E + 8));
	assert_int_equal(pd_sm_close(e->data, root), -EINVAL);
	sm_end(e);
}

static void test_every_failure_while_opening_is_reported(void **state)
{
	struct pd_sm *sm;
	long n;
	int r = -1;

	sm_begin(e, 3000, 700 * E);
	for (n = 0; r; n++) {
		ram_store_evict(e->io);
		ram_store_fail(e->io, RAM_OP_READ, n, false);
		r = pd_sm_disk_open(e->tm, e->data_root, &sm);
		assert_true(!r || r == -EIO);
		/* A failed prefetch is no error. */
		if (!r && n < 4) {
			pd_sm_destroy(sm);
			r = -EIO;
		}
	}
	pd_sm_destroy(sm);
	r = -1;
	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_disk_open(e->tm, e->data_root, &sm);
		shim_fail_alloc(-1, false);
		assert_true(!r || r == -ENOMEM);
	}
	assert_true(n > 3);
	pd_sm_destroy(sm);
	ram_store_fail(e->io, RAM_OP_READ, -1, false);
	sm_end(e);
}

static void test_every_failure_while_creating_is_reported(void **state)
{
	struct pd_sm *sm;
	long n;
	int r = -1;

	sm_begin(e, 100, 0);
	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_disk_create(e->tm, &sm);
		shim_fail_alloc(-1, false);
		assert_true(!r || r == -ENOMEM);
	}
	pd_sm_destroy(sm);
	sm_end(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_map_has_no_blocks),
		cmocka_unit_test(test_index_of_many_leaves_is_read_back),
		cmocka_unit_test(test_large_transactions_are_forgotten_in_slices),
		cmocka_unit_test(test_growing_in_small_steps),
		cmocka_unit_test(test_growing_beyond_the_metadata_is_undone_by_an_abort),
		cmocka_unit_test(test_neighbours_cost_one_bitmap),
		cmocka_unit_test(test_nothing_is_written_while_the_transaction_is_open),
		cmocka_unit_test(test_overflow_tree_holds_exactly_the_large_counts),
		cmocka_unit_test(test_damaged_roots_are_refused),
		cmocka_unit_test(test_index_with_a_hole_is_refused),
		cmocka_unit_test(test_empty_index_is_refused),
		cmocka_unit_test(test_index_entry_of_an_impossible_block_is_refused),
		cmocka_unit_test(test_bitmap_shared_by_two_entries_is_an_error_at_close),
		cmocka_unit_test(test_every_failure_while_opening_is_reported),
		cmocka_unit_test(test_every_failure_while_creating_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
