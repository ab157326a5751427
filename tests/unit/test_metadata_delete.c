// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Deleting devices and releasing a metadata snapshot: in steps, with and without
 * room, while others are at work.
 */
#include "md-env.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "metadata/metadata.h"

/* ---- delete ---- */

static void test_delete_errors(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_delete(e.md, 1), -ENODATA);
	dev = md_create(&e, 1);
	assert_int_equal(thinx_md_delete(e.md, 1), -EBUSY);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(thinx_md_delete(e.md, 1), -ENODATA);
	md_end(&e);
}

static void test_delete_frees_what_nobody_shares(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 before;

	md_begin(&e, 256, 1000);
	md_commit(&e);
	before = md_meta_free(&e);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 600);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	dev = md_open(&e, 2);
	md_map(&e, dev, 100, 50);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), 650);

	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(md_data_used(&e), 600);
	md_check(&e);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	assert_int_equal(md_meta_free(&e), before);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_deleted_and_made_again_it_is_empty(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 256, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 10);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	dev = md_create(&e, 1);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	assert_true(md_get(dev, 0) == THINX_WORD_HOLE);
	thinx_md_close_device(dev);
	md_commit(&e);
	md_end(&e);
}

/* Many scattered mappings: hundreds of leaves. */
static void fill_scattered(struct md_env *e, struct thinx_md_dev *dev, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		md_map(e, dev, (u64)i * 7919 % nr * 3, 1);
}

static void begin_with_large_device(struct md_env *e, pd_block_t nr_meta)
{
	struct thinx_md_dev *dev;

	md_begin(e, nr_meta, 50000);
	dev = md_create(e, 1);
	fill_scattered(e, dev, 30000);
	thinx_md_close_device(dev);
	md_commit(e);
	assert_int_equal(md_data_used(e), 30000);
}

static void test_large_device_is_deleted_in_steps(void **state)
{
	struct md_env e;

	begin_with_large_device(&e, 4096);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(md_data_used(&e), 0);
	assert_null(md_dump(e.md, 1));
	md_check(&e);
	md_commit(&e);
	md_end(&e);
}

struct committer {
	struct md_env *e;
	int nr;
	int fail_at;
};

static int commit_between(void *context)
{
	struct committer *c = context;

	if (++c->nr == c->fail_at)
		return -EIO;
	md_insist(thinx_md_is_heavy(c->e->md));
	md_commit(c->e);
	md_insist(!thinx_md_is_heavy(c->e->md));
	return 0;
}

/* Data blocks without neighbours: what weighs most. */
#define NR_LONELY	131072
#define DISTANCE	64

static void map_lonely(struct md_env *e, u32 id)
{
	struct thinx_md_dev *dev = md_create(e, id);
	thinx_word_t m;
	u64 v;

	thinx_md_lock(e->md);
	for (v = 0; v < NR_LONELY; v++)
		md_insist(!thinx_md_insert_run_locked(dev, v, v * DISTANCE, 1,
						      &m));
	thinx_md_unlock(e->md);
	thinx_md_close_device(dev);
	md_commit(e);
}

/* Deleting it takes more than one transaction. */
static void begin_with_heavy_device(struct md_env *e)
{
	md_begin(e, 8192, NR_LONELY * DISTANCE);
	map_lonely(e, 1);
}

static void test_heavy_delete_is_committed_between_steps(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e };

	begin_with_heavy_device(&e);
	assert_int_equal(md_delete_with(e.md, 1, commit_between, &c), 0);
	assert_in_range(c.nr, 3, 5);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

/* A thread that commits, and whose writes end when the next changes are there. */
static struct {
	struct md_env *e;
	sem_t asked;
	bool ends;
	int nr, nr_overtaken;
} background;

static void ask_background(void *context)
{
	sem_post(&background.asked);
}

static int no_commit(void *context)
{
	md_insist(!"another thread commits");
	return -EIO;
}

static int slow_flush(void *context)
{
	int ms;

	for (ms = 0; ms < 1000; ms++) {
		if (thinx_md_is_dirty(background.e->md)) {
			background.nr_overtaken++;
			break;
		}
		usleep(1000);
	}
	return 0;
}

static void *commit_in_background(void *context)
{
	for (;;) {
		sem_wait(&background.asked);
		if (background.ends)
			return NULL;
		md_commit(background.e);
		background.nr++;
	}
}

static void test_delete_goes_on_while_a_generation_is_written(void **state)
{
	static const struct thinx_md_hooks hooks = {
		.start_flush = slow_flush,
		.commit = no_commit,
		.commit_soon = ask_background,
	};
	struct md_env e;
	pthread_t thread;

	begin_with_heavy_device(&e);
	background.e = &e;
	assert_int_equal(sem_init(&background.asked, 0, 0), 0);
	thinx_md_set_hooks(e.md, &hooks, NULL);
	assert_int_equal(pthread_create(&thread, NULL, commit_in_background,
					NULL), 0);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	background.ends = true;
	sem_post(&background.asked);
	pthread_join(thread, NULL);
	thinx_md_set_hooks(e.md, NULL, NULL);
	assert_in_range(background.nr, 2, 5);
	assert_int_equal(background.nr_overtaken, background.nr);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

static void test_delete_whose_commit_fails_can_be_repeated(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e, .fail_at = 3 };

	begin_with_heavy_device(&e);
	assert_int_equal(md_delete_with(e.md, 1, commit_between, &c), -EIO);
	assert_int_equal(c.nr, 3);
	md_crash(&e);
	md_check(&e);
	assert_in_range(md_data_used(&e), 50000, NR_LONELY - 2 * 28000);
	assert_int_equal(md_delete_with(e.md, 1, commit_between, &c), 0);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

/* Neighbours weigh next to nothing. */
static void test_many_neighbours_are_not_heavy(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v;

	md_begin(&e, 8192, 400000);
	dev = md_create(&e, 1);
	for (v = 0; v < 300000; v += 10000)
		md_map(&e, dev, v, 10000);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_false(thinx_md_is_heavy(e.md));
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

static void test_heavy_release_is_committed_between_steps(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e };
	struct thinx_md_dev *dev;

	md_begin(&e, 16384, NR_LONELY * DISTANCE);
	map_lonely(&e, 1);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	/* From now on only the snapshot has these. */
	dev = md_open(&e, 1);
	md_unmap(&e, dev, 0, NR_LONELY);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), NR_LONELY);
	assert_int_equal(md_release_snap_with(e.md, commit_between, &c), 0);
	assert_in_range(c.nr, 3, 5);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

static int ask_for_it_between(void *context)
{
	struct committer *c = context;
	struct thinx_md_dev *dev;

	md_insist(thinx_md_open_device(c->e->md, 1, &dev) == -EBUSY);
	md_insist(thinx_md_delete(c->e->md, 1) == -EBUSY);
	thinx_md_lock(c->e->md);
	md_insist(thinx_md_check_device_locked(c->e->md, 1) == -EBUSY);
	thinx_md_unlock(c->e->md);
	md_insist(thinx_md_create_snap(c->e->md, 2, 1) == -ENODATA);
	md_insist(thinx_md_create_thin(c->e->md, 1) == -EEXIST);
	md_check(c->e);
	return commit_between(context);
}

static void test_device_half_deleted_is_refused(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e };

	begin_with_heavy_device(&e);
	assert_int_equal(md_delete_with(e.md, 1, ask_for_it_between, &c), 0);
	assert_in_range(c.nr, 3, 5);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_check(&e);
	md_end(&e);
}

static void *delete_one(void *context)
{
	struct md_env *e = context;
	int r;

	do {
		r = thinx_md_delete(e->md, 1);
	} while (r == -EBUSY);
	md_insist(!r);
	return NULL;
}

static void test_others_get_in_between_the_steps_of_a_delete(void **state)
{
	int r, nr_busy = 0;
	struct thinx_md_dev *dev;
	struct md_env e;
	pthread_t thread;

	begin_with_large_device(&e, 4096);
	assert_int_equal(pthread_create(&thread, NULL, delete_one, &e), 0);
	do {
		r = thinx_md_open_device(e.md, 1, &dev);
		if (!r)
			thinx_md_close_device(dev);
		if (r != -EBUSY)
			continue;
		nr_busy++;
		/* By now the delete may have finished. */
		assert_true(thinx_md_delete(e.md, 1) < 0);
		assert_int_equal(thinx_md_create_snap(e.md, 2, 1), -ENODATA);
		md_check(&e);
		md_commit(&e);
	} while (r != -ENODATA);
	pthread_join(thread, NULL);
	print_message("%d times between two steps\n", nr_busy);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), 0);
	md_end(&e);
}

static void test_failed_delete_is_undone_by_an_abort(void **state)
{
	struct md_env e;
	char *before, *after;

	begin_with_large_device(&e, 4096);
	before = md_dump(e.md, 1);
	ram_store_evict(e.io);
	/* One that fails once, ahead of a step, is made again. */
	ram_store_fail(e.io, RAM_OP_READ, 120, true);
	assert_int_equal(thinx_md_delete(e.md, 1), -EIO);
	ram_store_fail(e.io, RAM_OP_READ, -1, false);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EUCLEAN);
	assert_int_equal(thinx_md_abort(e.md), 0);
	md_check(&e);
	after = md_dump(e.md, 1);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_end(&e);
}

static void test_delete_without_metadata_room_can_be_repeated(void **state)
{
	struct thinx_md_space s;
	int r, tries = 0;
	struct md_env e;

	/* The device takes about 190 blocks of these. */
	begin_with_large_device(&e, 260);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	do {
		r = thinx_md_delete(e.md, 1);
		assert_true(!r || r == -ENOSPC);
		md_check(&e);
		md_commit(&e);
		thinx_md_get_space(e.md, &s);
	} while (r && ++tries < 100);
	assert_int_equal(r, 0);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), 0);
	md_end(&e);
}

#define SPREAD_BITMAPS	1000
#define SPREAD_BLOCKS	10000

/* Device 1 has a block or more in each of many data bitmaps. */
static struct thinx_md_dev *spread_device(struct md_env *e)
{
	u64 nr_data = SPREAD_BITMAPS * 16320ULL, i;
	struct thinx_md_dev *dev = md_create(e, 1);
	thinx_word_t m;

	for (i = 0; i < SPREAD_BLOCKS; i++) {
		thinx_md_lock(e->md);
		assert_int_equal(thinx_md_insert_run_locked(dev, i,
				 i * 16411 % nr_data, 1, &m), 0);
		thinx_md_unlock(e->md);
		if (i % 200 == 199)
			md_commit(e);
	}
	md_commit(e);
	return dev;
}

/* Device @id takes all metadata blocks but @left. */
static void leave_meta_free(struct md_env *e, u32 id, u64 left)
{
	struct thinx_md_dev *dev = md_create(e, id);
	u64 v = 0;

	while (md_meta_free(e) > left) {
		if (md_try_map(e, dev, v, 100))
			break;
		v += 100;
		md_commit(e);
	}
	thinx_md_close_device(dev);
	md_commit(e);
	print_message("%llu metadata blocks are free\n",
		      (unsigned long long)md_meta_free(e));
}

static int commit_for_room(void *context)
{
	struct committer *c = context;

	if (++c->nr == c->fail_at)
		return -EIO;
	md_commit(c->e);
	return 0;
}

/* The closing of a transaction that touches all bitmaps would not fit. */
static void test_delete_commits_where_room_is_short(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e };
	struct thinx_md_space s;

	md_begin(&e, 2100, SPREAD_BITMAPS * 16320ULL);
	thinx_md_close_device(spread_device(&e));
	leave_meta_free(&e, 2, 850);
	assert_int_equal(md_delete_with(e.md, 1, commit_for_room, &c), 0);
	print_message("deleted in %d transactions\n", c.nr + 1);
	assert_true(c.nr > 1);
	md_commit(&e);
	thinx_md_get_space(e.md, &s);
	assert_true(s.data_used < 60000);
	assert_null(md_dump(e.md, 1));
	md_end(&e);
}

static void test_delete_that_finds_no_room_after_a_commit_says_so(void **state)
{
	struct committer c = { };
	struct md_env e;

	begin_with_large_device(&e, 4096);
	c.e = &e;
	thinx_md_lock(e.md);
	while (pd_sm_nr_allocatable(pd_tm_sm(e.md->tm)) > 10) {
		pd_block_t b;

		assert_int_equal(pd_sm_alloc(pd_tm_sm(e.md->tm), &b), 0);
	}
	thinx_md_unlock(e.md);
	assert_int_equal(md_delete_with(e.md, 1, commit_for_room, &c), -ENOSPC);
	assert_int_equal(c.nr, 1);
	assert_false(thinx_md_is_broken(e.md));
	/* It can be repeated, and opened. */
	thinx_md_close_device(md_open(&e, 1));
	md_close(&e);
}

static void test_release_commits_where_room_is_short(void **state)
{
	struct md_env e;
	struct committer c = { .e = &e };
	struct thinx_md_dev *dev;
	u32 i;

	md_begin(&e, 2200, SPREAD_BITMAPS * 16320ULL);
	dev = spread_device(&e);
	leave_meta_free(&e, 2, 900);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	for (i = 0; i < 200 && thinx_md_dev_mapped_blocks(dev); i++) {
		int r = md_try_unmap(&e, dev, 0, SPREAD_BLOCKS);

		assert_true(r > 0 || r == -ENOSPC);
		md_commit(&e);
	}
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(md_release_snap_with(e.md, commit_for_room, &c), 0);
	print_message("released in %d transactions\n", c.nr + 1);
	assert_true(c.nr > 1);
	md_commit(&e);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete_errors),
		cmocka_unit_test(test_delete_frees_what_nobody_shares),
		cmocka_unit_test(test_deleted_and_made_again_it_is_empty),
		cmocka_unit_test(test_large_device_is_deleted_in_steps),
		cmocka_unit_test(test_heavy_delete_is_committed_between_steps),
		cmocka_unit_test(test_delete_goes_on_while_a_generation_is_written),
		cmocka_unit_test(test_delete_whose_commit_fails_can_be_repeated),
		cmocka_unit_test(test_many_neighbours_are_not_heavy),
		cmocka_unit_test(test_heavy_release_is_committed_between_steps),
		cmocka_unit_test(test_device_half_deleted_is_refused),
		cmocka_unit_test(test_others_get_in_between_the_steps_of_a_delete),
		cmocka_unit_test(test_failed_delete_is_undone_by_an_abort),
		cmocka_unit_test(test_delete_without_metadata_room_can_be_repeated),
		cmocka_unit_test(test_delete_commits_where_room_is_short),
		cmocka_unit_test(test_delete_that_finds_no_room_after_a_commit_says_so),
		cmocka_unit_test(test_release_commits_where_room_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
