// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Finding free blocks: order, wrapping, wrong hints, runs, holds, and how often
 * the device is read.
 */
#include "sm-env.h"

#include "persistent-data/space-map-bitmap.h"

#include <linux/errno.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define E PD_ENTRIES_PER_BITMAP

static struct sm_env env, *e = &env;

static bool is_held(pd_block_t b)
{
	u32 n, i = pd_sm_index_of(b, &n);

	return pd_sm_held_word(e->data, i, n / PD_SM_WORD_BLOCKS) &
	       pd_sm_word_bit(b);
}

static int setup(void **state)
{
	sm_begin(e, 600, 3 * E + 100);
	return 0;
}

static int teardown(void **state)
{
	sm_end(e);
	return 0;
}

/* Allocate everything in [begin, end). */
static void fill(pd_block_t begin, pd_block_t end)
{
	ok(pd_sm_inc(e->data, begin, end));
}

static void fill_and_commit(void)
{
	fill(0, pd_sm_nr_blocks(e->data));
	sm_commit(e);
}

static void test_blocks_come_in_order(void **state)
{
	pd_block_t b;

	for (b = 0; b < 2 * E; b++)
		assert_int_equal(sm_alloc(e->data), b);
}

static void test_cursor_begins_at_zero_after_opening(void **state)
{
	sm_alloc(e->data);
	sm_alloc(e->data);
	sm_commit(e);
	ok(pd_sm_dec(e->data, 0, 1));
	sm_commit(e);
	assert_int_equal(sm_alloc(e->data), 2);
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(sm_alloc(e->data), 0);
	assert_int_equal(sm_alloc(e->data), 3);
}

static void test_search_wraps_around_once(void **state)
{
	pd_block_t b;

	fill(10, 3 * E + 100);
	/* Put the cursor at the end. */
	for (b = 0; b < 5; b++)
		assert_int_equal(sm_alloc(e->data), b);
	for (; b < 10; b++)
		assert_int_equal(sm_alloc(e->data), b);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
}

static void test_last_block_of_a_partial_bitmap_is_used(void **state)
{
	pd_block_t b;

	fill(0, 3 * E + 99);
	assert_int_equal(sm_alloc(e->data), 3 * E + 99);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 0);
}

static void test_freed_block_in_the_middle_is_found_again(void **state)
{
	pd_block_t b;

	fill_and_commit();
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	ok(pd_sm_dec(e->data, E + 77, E + 78));
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	sm_close(e);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	sm_complete(e);
	assert_int_equal(sm_alloc(e->data), E + 77);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
}

static void test_full_map_is_not_read_again(void **state)
{
	unsigned long reads;
	pd_block_t b;
	int i;

	fill_and_commit();
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	ram_store_evict(e->io);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	for (i = 0; i < 1000; i++)
		assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_READ), reads);
}

static void test_full_bitmaps_are_skipped_by_their_hints(void **state)
{
	unsigned long reads;

	fill(0, 3 * E);
	sm_commit(e);
	sm_reopen(e);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	assert_int_equal(sm_alloc(e->data), 3 * E);
	/* The last bitmap alone. */
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_READ), reads + 1);
}

/* What waits for its commit is no reason to look at its bitmap. */
static void test_blocks_not_yet_free_are_not_looked_for(void **state)
{
	unsigned long reads;
	pd_block_t b;

	fill(0, 3 * E + 90);
	sm_commit(e);
	sm_reopen(e);
	ok(pd_sm_dec(e->data, 5, 50));
	ok(pd_sm_dec(e->data, E + 5, E + 50));
	ok(pd_sm_dec(e->data, 2 * E + 5, 2 * E + 50));
	sm_close(e);
	ram_store_evict(e->io);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	for (b = 3 * E + 90; b < 3 * E + 100; b++)
		assert_int_equal(sm_alloc(e->data), b);
	/* The last bitmap alone. */
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_READ), reads + 1);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	sm_complete(e);
	for (b = 5; b < 50; b++)
		assert_int_equal(sm_alloc(e->data), b);
	assert_int_equal(sm_alloc(e->data), E + 5);
	sm_commit(e);
	sm_verify(e);
}

/* A commit that frees nothing here leaves what is known of the bitmap. */
static void test_slots_live_on_after_a_commit(void **state)
{
	unsigned long reads;
	pd_block_t b;

	fill(0, 100);
	sm_commit(e);
	assert_int_equal(sm_alloc(e->data), 100);
	ok(pd_sm_dec(e->data, 7, 9));
	ok(pd_sm_hold(e->data, 8, 9));
	sm_commit(e);
	ram_store_evict(e->io);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	for (b = 101; b < E; b++)
		assert_int_equal(sm_alloc(e->data), b);
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_READ), reads);
	e->data->cursor = 0;
	assert_int_equal(sm_alloc(e->data), 7);
	e->data->cursor = 0;
	assert_int_equal(sm_alloc(e->data), E);
	pd_sm_unhold(e->data, 8, 9);
	e->data->cursor = 0;
	assert_int_equal(sm_alloc(e->data), 8);
}

/* Replace the hints of bitmap @i on disk. */
static void lie(u64 i, u32 nr_free, u32 none_free_before)
{
	struct pd_btree t = {
		.bm = e->bm, .tm = e->tm, .levels = 1, .value.size = 16, .name = "index",
	};
	struct pd_disk_index_entry entry;

	sm_commit(e);
	entry = sm_disk_entry(e, e->data, i);
	entry.nr_free = cpu_to_le32(nr_free);
	entry.none_free_before = cpu_to_le32(none_free_before);
	ok(pd_btree_insert(&t, &e->data->index_root, &i, &entry, NULL));
	sm_commit(e);
	sm_reopen(e);
}

static void test_hint_of_zero_does_not_hide_free_blocks(void **state)
{
	pd_block_t b, n = 0;

	fill(0, E);
	fill(E + 50, 3 * E);
	lie(1, 0, E);
	for (b = 3 * E; b < 3 * E + 100; b++)
		assert_int_equal(sm_alloc(e->data), b);
	/* Only the hint says that bitmap 1 is full. */
	while (!pd_sm_alloc(e->data, &b)) {
		assert_int_equal(b, E + n);
		n++;
	}
	assert_int_equal(n, 50);
	/* And now the right number is on disk. */
	ok(pd_sm_dec(e->data, E, E + 1));
	sm_commit(e);
	sm_verify(e);
}

static void test_trimmed_nr_free_of_the_last_bitmap_is_ignored(void **state)
{
	/* docs/format.md 13.4: as old tools write it. */
	fill(0, 3 * E);
	lie(3, 0, 100);
	assert_int_equal(sm_alloc(e->data), 3 * E);
}

static void test_growing_undoes_a_trimmed_nr_free(void **state)
{
	struct pd_disk_index_entry entry;

	fill(0, 3 * E + 100);
	lie(3, 0, 100);
	ok(pd_sm_extend(e->data, 3 * E + 200));
	sm_commit(e);
	entry = sm_disk_entry(e, e->data, 3);
	assert_int_equal(le32_to_cpu(entry.nr_free), E - 100);
	assert_int_equal(sm_alloc(e->data), 3 * E + 100);
}

static void test_too_large_none_free_before_hides_nothing(void **state)
{
	lie(0, E, 500);
	assert_int_equal(sm_alloc(e->data), 0);
}

/* Reopen with a root that says that @nr blocks are allocated. */
static void reopen_with_nr_allocated(u64 nr)
{
	struct pd_disk_sm_root root;

	sm_commit(e);
	memcpy(&root, e->data_root, 32);
	root.nr_allocated = cpu_to_le64(nr);
	memcpy(e->data_root, &root, 32);
	sm_reopen(e);
}

static void test_wrong_nr_allocated_wraps_nothing(void **state)
{
	pd_block_t b, n = 0;

	fill(200, 3 * E + 100);
	reopen_with_nr_allocated(~0ull);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 0);
	while (!pd_sm_alloc(e->data, &b)) {
		assert_int_equal(b, n++);
		assert_int_equal(pd_sm_nr_allocatable(e->data), 0);
	}
	assert_int_equal(n, 200);
}

static void test_too_small_nr_allocated_is_corrected_when_full(void **state)
{
	pd_block_t b, n = 0;

	fill(200, 3 * E + 100);
	reopen_with_nr_allocated(3 * E - 1000);
	while (!pd_sm_alloc(e->data, &b))
		assert_int_equal(b, n++);
	assert_int_equal(n, 200);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 0);
	assert_int_equal(pd_sm_nr_allocated(e->data), 3 * E + 100);
	ok(pd_sm_dec(e->data, 5, 10));
	sm_commit(e);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 5);
	sm_verify(e);
}

/* ---- runs ---- */

static void expect_run(pd_block_t want, pd_block_t begin, pd_block_t nr)
{
	pd_block_t b, n, i;

	ok(pd_sm_find_run(e->data, want, &b, &n));
	assert_int_equal(b, begin);
	assert_int_equal(n, nr);
	for (i = b; i < b + n; i++) {
		assert_true(is_held(i));
		assert_int_equal(sm_count(e->data, i), 0);
	}
}

static void test_runs_are_contiguous_and_follow_each_other(void **state)
{
	expect_run(100, 0, 100);
	expect_run(1, 100, 1);
	expect_run(5000, 101, 5000);
	assert_int_equal(sm_alloc(e->data), 5101);
	expect_run(10, 5102, 10);
}

static void test_first_run_long_enough_is_taken(void **state)
{
	fill(5, 10);	/* free before: 5 */
	fill(30, 40);	/* 20 */
	expect_run(20, 10, 20);
	expect_run(20, 40, 20);
}

static void test_longest_run_is_taken_if_none_is_long_enough(void **state)
{
	fill(0, 3 * E + 100);
	sm_commit(e);
	ok(pd_sm_dec(e->data, 100, 103));
	ok(pd_sm_dec(e->data, 200, 207));
	ok(pd_sm_dec(e->data, E + 7, E + 12));
	sm_commit(e);
	expect_run(50, 200, 7);
	expect_run(50, E + 7, 5);
	expect_run(50, 100, 3);
	assert_int_equal(pd_sm_find_run(e->data, 50, &(pd_block_t){ 0 },
					&(pd_block_t){ 0 }), -ENOSPC);
}

static void test_run_ends_at_the_end_of_the_space(void **state)
{
	fill(0, 3 * E);
	expect_run(1000, 3 * E, 100);
}

static void test_run_does_not_cross_a_bitmap(void **state)
{
	fill(0, E - 4);
	fill(E + 2, 3 * E + 100);
	expect_run(6, E - 4, 4);
	expect_run(6, E, 2);
}

static void test_look_around_is_bounded(void **state)
{
	unsigned long reads;
	pd_block_t b, n;

	/* Every other block of the first bitmap is used; the rest is free. */
	for (b = 0; b < E; b += 2)
		fill(b, b + 1);
	sm_commit(e);
	sm_reopen(e);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	ok(pd_sm_find_run(e->data, 64, &b, &n));
	assert_int_equal(n, 1);
	assert_true(ram_store_nr_ops(e->io, RAM_OP_READ) <= reads + 2);
}

static void test_run_used_in_part_gives_back_the_rest(void **state)
{
	pd_block_t free = pd_sm_nr_allocatable(e->data);

	expect_run(10, 0, 10);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 10);
	assert_int_equal(pd_sm_nr_allocated(e->data), 0);
	ok(pd_sm_inc(e->data, 0, 4));
	pd_sm_unhold(e->data, 0, 10);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 4);
	assert_int_equal(pd_sm_nr_allocated(e->data), 4);
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(sm_alloc(e->data), 4);
}

static void test_held_blocks_leak_nothing_when_the_map_is_opened_again(void **state)
{
	expect_run(10, 0, 10);
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_allocated(e->data), 0);
	assert_int_equal(sm_alloc(e->data), 0);
}

/* ---- holds ---- */

static void test_held_blocks_are_passed_over(void **state)
{
	ok(pd_sm_hold(e->data, 1, 3));
	ok(pd_sm_hold(e->data, E - 1, E + 2));
	assert_int_equal(sm_alloc(e->data), 0);
	assert_int_equal(sm_alloc(e->data), 3);
	fill(4, E - 1);
	assert_int_equal(sm_alloc(e->data), E + 2);
}

static void test_holds_survive_commits(void **state)
{
	ok(pd_sm_hold(e->data, 0, 5));
	sm_commit(e);
	assert_int_equal(sm_alloc(e->data), 5);
}

static void test_freed_and_held_block_waits_for_both(void **state)
{
	pd_block_t b;

	fill_and_commit();
	ok(pd_sm_hold(e->data, 9, 10));
	ok(pd_sm_dec(e->data, 9, 10));
	sm_commit(e);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	pd_sm_unhold(e->data, 0, 100);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 1);
	assert_int_equal(sm_alloc(e->data), 9);
}

static pd_block_t runs[20][2];
static int nr_runs;

static void note_run(void *context, pd_block_t begin, pd_block_t end)
{
	assert_ptr_equal(context, &nr_runs);
	assert_true(nr_runs < 20);
	runs[nr_runs][0] = begin;
	runs[nr_runs++][1] = end;
}

static void expect_unused(pd_block_t begin, pd_block_t end, int nr)
{
	nr_runs = 0;
	ok(pd_sm_hold_unused(e->data, begin, end, note_run, &nr_runs));
	assert_int_equal(nr_runs, nr);
}

static void test_unused_blocks_are_held_and_told_once(void **state)
{
	pd_block_t free;
	int i;

	fill(0, 2 * E);
	for (i = 0; i < 9; i++)
		fill(40, 50);		/* counts of ten, not yet applied */
	for (i = 0; i < 4; i++)
		fill(300, 310);
	sm_commit(e);
	for (i = 0; i < 5; i++)
		ok(pd_sm_dec(e->data, 300, 309));
	for (i = 0; i < 10; i++)
		ok(pd_sm_dec(e->data, 44, 47));
	ok(pd_sm_dec(e->data, 60, 70));
	ok(pd_sm_dec(e->data, E - 3, E + 3));
	ok(pd_sm_hold(e->data, 65, 66));
	free = pd_sm_nr_allocatable(e->data);

	expect_unused(0, 2 * E, 7);
	assert_int_equal(runs[0][0], 44);
	assert_int_equal(runs[0][1], 47);
	assert_int_equal(runs[1][0], 60);
	assert_int_equal(runs[1][1], 64);	/* a word ends */
	assert_int_equal(runs[2][0], 64);
	assert_int_equal(runs[2][1], 65);
	assert_int_equal(runs[3][0], 66);
	assert_int_equal(runs[3][1], 70);
	assert_int_equal(runs[4][0], 300);
	assert_int_equal(runs[4][1], 309);
	assert_int_equal(runs[5][1], E);
	assert_int_equal(runs[6][0], E);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free);
	expect_unused(0, 2 * E, 0);
	assert_int_equal(pd_sm_hold_unused(e->data, 0, 3 * E + 101, note_run,
					   &nr_runs), -EINVAL);
	sm_commit(e);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free);
	pd_sm_unhold(e->data, 0, 3 * E);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free + 28);
	sm_verify(e);
}

/* Hold at most @max free blocks of [begin, end): @nr runs are told. */
static void expect_free(pd_block_t begin, pd_block_t end, u64 max, int nr)
{
	nr_runs = 0;
	ok(pd_sm_hold_free(e->data, &begin, end, max, note_run, &nr_runs));
	assert_int_equal(nr_runs, nr);
	assert_true(begin <= end);
}

static void expect_told(int i, pd_block_t begin, pd_block_t end)
{
	assert_int_equal(runs[i][0], begin);
	assert_int_equal(runs[i][1], end);
}

static void test_free_blocks_are_held_and_told(void **state)
{
	pd_block_t free, b;

	fill(0, 3 * E + 100);
	sm_commit(e);
	ok(pd_sm_dec(e->data, 10, 20));
	ok(pd_sm_dec(e->data, 60, 70));
	ok(pd_sm_dec(e->data, E - 2, E + 2));
	sm_commit(e);
	ok(pd_sm_hold(e->data, 12, 14));
	ok(pd_sm_inc(e->data, 16, 17));
	free = pd_sm_nr_allocatable(e->data);
	expect_free(0, 2 * E, ~0ULL, 7);
	expect_told(0, 10, 12);
	expect_told(1, 14, 16);
	expect_told(2, 17, 20);
	expect_told(3, 60, 64);
	expect_told(4, 64, 70);
	expect_told(5, E - 2, E);
	expect_told(6, E, E + 2);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 21);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	expect_free(0, 3 * E + 100, ~0ULL, 0);
	pd_sm_unhold(e->data, 14, 3 * E);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - 2);
	assert_int_equal(sm_alloc(e->data), 14);
	sm_commit(e);
	sm_verify(e);
}

/* Those that a crash could bring back are not free enough. */
static void test_blocks_freed_but_not_durably_are_not_held_as_free(void **state)
{
	fill(0, 3 * E + 100);
	sm_commit(e);
	ok(pd_sm_dec(e->data, 5, 10));
	expect_free(0, 3 * E, ~0ULL, 0);
	sm_close(e);
	expect_free(0, 3 * E, ~0ULL, 0);
	/* In use again, and free again, in the next transaction. */
	ok(pd_sm_inc(e->data, 6, 7));
	ok(pd_sm_dec(e->data, 6, 7));
	ok(pd_sm_dec(e->data, 20, 21));
	sm_complete(e);
	expect_free(0, 3 * E, ~0ULL, 2);
	expect_told(0, 5, 6);
	expect_told(1, 7, 10);
	sm_close(e);
	expect_free(0, 3 * E, ~0ULL, 0);
	sm_complete(e);
	expect_free(0, 3 * E, ~0ULL, 2);
	expect_told(0, 6, 7);
	expect_told(1, 20, 21);
}

static void test_free_blocks_are_held_up_to_a_number(void **state)
{
	pd_block_t b, begin = 0;
	u64 nr = 0;

	for (b = 0; b < 200; b += 2)
		fill(b, b + 1);
	nr_runs = 0;
	ok(pd_sm_hold_free(e->data, &begin, 3 * E, 3, note_run, &nr_runs));
	assert_int_equal(nr_runs, 3);
	expect_told(2, 5, 6);
	assert_int_equal(begin, 7);
	nr_runs = 0;
	ok(pd_sm_hold_free(e->data, &begin, 3 * E, 1, note_run, &nr_runs));
	expect_told(0, 7, 8);
	/* At the end of a word, and of the range. */
	begin = 120;
	nr_runs = 0;
	ok(pd_sm_hold_free(e->data, &begin, 129, 4, note_run, &nr_runs));
	assert_int_equal(begin, 128);
	ok(pd_sm_hold_free(e->data, &begin, 129, 4, note_run, &nr_runs));
	assert_int_equal(begin, 129);
	assert_int_equal(nr_runs, 4);
	ok(pd_sm_hold_free(e->data, &begin, 129, 4, note_run, &nr_runs));
	begin = 200;
	while (begin < 2 * E) {
		nr_runs = 0;
		ok(pd_sm_hold_free(e->data, &begin, 2 * E, 1000, note_run,
				   &nr_runs));
		while (nr_runs--)
			nr += runs[nr_runs][1] - runs[nr_runs][0];
	}
	assert_int_equal(nr, 2 * E - 200);
	begin = 0;
	assert_int_equal(pd_sm_hold_free(e->data, &begin, 3 * E + 101, 1,
					 note_run, &nr_runs), -EINVAL);
}

static void test_full_bitmaps_are_not_read_for_free_blocks(void **state)
{
	unsigned long reads;
	pd_block_t b;

	fill_and_commit();
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	ram_store_evict(e->io);
	reads = ram_store_nr_ops(e->io, RAM_OP_READ);
	expect_free(0, 3 * E + 100, ~0ULL, 0);
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_READ), reads);
}

static void test_hold_of_a_used_block_outlives_its_use(void **state)
{
	pd_block_t b;

	fill_and_commit();
	ok(pd_sm_hold(e->data, 9, 10));
	pd_sm_unhold(e->data, 9, 10);
	assert_int_equal(pd_sm_alloc(e->data, &b), -ENOSPC);
	assert_int_equal(pd_sm_nr_allocatable(e->data), 0);
	assert_int_equal(sm_count(e->data, 9), 1);
}

static void test_impossible_holds_are_refused(void **state)
{
	pd_block_t end = pd_sm_nr_blocks(e->data);

	assert_int_equal(pd_sm_hold(e->data, end, end + 1), -EINVAL);
	assert_int_equal(pd_sm_hold(e->data, 5, 4), -EINVAL);
	pd_sm_unhold(e->data, 0, ~0ull);
	ok(pd_sm_hold(e->data, 7, 7));
	assert_int_equal(sm_alloc(e->data), 0);
}

static void test_holds_survive_failed_allocations(void **state)
{
	pd_block_t free = pd_sm_nr_allocatable(e->data);
	long n;
	int r = -ENOMEM;

	ok(pd_sm_hold(e->data, E - 10, E - 9));
	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_hold(e->data, E - 10, 2 * E + 10);
		shim_fail_alloc(-1, false);
		assert_true(r == 0 || r == -ENOMEM);
		/* What was held before stays held. */
		assert_true(is_held(E - 10));
		if (r)
			pd_sm_unhold(e->data, E - 9, 3 * E);
		if (r)
			assert_int_equal(pd_sm_nr_allocatable(e->data),
					 free - 1);
	}
	assert_true(n > 1);
	assert_int_equal(pd_sm_nr_allocatable(e->data), free - E - 20);
}

static void test_unreadable_bitmap_is_an_error_not_full(void **state)
{
	pd_block_t b;

	sm_reopen(e);
	ram_store_fail(e->io, RAM_OP_READ, 0, false);
	assert_int_equal(pd_sm_alloc(e->data, &b), -EIO);
	assert_int_equal(sm_alloc(e->data), 0);
}

static void test_empty_map_has_no_space(void **state)
{
	struct sm_env other;
	pd_block_t b;

	sm_begin(&other, 100, 0);
	assert_int_equal(pd_sm_alloc(other.data, &b), -ENOSPC);
	assert_int_equal(pd_sm_nr_allocatable(other.data), 0);
	sm_end(&other);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_blocks_come_in_order),
		t(test_cursor_begins_at_zero_after_opening),
		t(test_search_wraps_around_once),
		t(test_last_block_of_a_partial_bitmap_is_used),
		t(test_freed_block_in_the_middle_is_found_again),
		t(test_full_map_is_not_read_again),
		t(test_full_bitmaps_are_skipped_by_their_hints),
		t(test_blocks_not_yet_free_are_not_looked_for),
		t(test_slots_live_on_after_a_commit),
		t(test_hint_of_zero_does_not_hide_free_blocks),
		t(test_trimmed_nr_free_of_the_last_bitmap_is_ignored),
		t(test_growing_undoes_a_trimmed_nr_free),
		t(test_too_large_none_free_before_hides_nothing),
		t(test_wrong_nr_allocated_wraps_nothing),
		t(test_too_small_nr_allocated_is_corrected_when_full),
		t(test_runs_are_contiguous_and_follow_each_other),
		t(test_first_run_long_enough_is_taken),
		t(test_longest_run_is_taken_if_none_is_long_enough),
		t(test_run_ends_at_the_end_of_the_space),
		t(test_run_does_not_cross_a_bitmap),
		t(test_look_around_is_bounded),
		t(test_run_used_in_part_gives_back_the_rest),
		t(test_held_blocks_leak_nothing_when_the_map_is_opened_again),
		t(test_held_blocks_are_passed_over),
		t(test_holds_survive_commits),
		t(test_freed_and_held_block_waits_for_both),
		t(test_unused_blocks_are_held_and_told_once),
		t(test_free_blocks_are_held_and_told),
		t(test_blocks_freed_but_not_durably_are_not_held_as_free),
		t(test_free_blocks_are_held_up_to_a_number),
		t(test_full_bitmaps_are_not_read_for_free_blocks),
		t(test_hold_of_a_used_block_outlives_its_use),
		t(test_impossible_holds_are_refused),
		t(test_holds_survive_failed_allocations),
		t(test_unreadable_bitmap_is_an_error_not_full),
		t(test_empty_map_has_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
