// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Holding free data blocks to trim them: which ones, in bounded steps, without
 * reading under the lock.
 */
#include "md-env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define E 16320

static struct thinx_md_free f;

static int hold(struct md_env *e)
{
	int r;

	thinx_md_lock(e->md);
	r = thinx_md_hold_free_locked(e->md, &f);
	thinx_md_unlock(e->md);
	return r;
}

static void release(struct md_env *e)
{
	u32 i;

	for (i = 0; i < f.nr; i++)
		thinx_md_unhold(e->md, f.runs[i].begin, f.runs[i].end);
}

static void begin_at(u64 begin, u64 max)
{
	memset(&f, 0, sizeof(f));
	f.begin = begin;
	f.max = max;
}

/* Steps to the end; returns the number of blocks, and of steps. */
static u64 hold_all(struct md_env *e, u64 max, unsigned int *nr_steps)
{
	u64 nr = 0;

	begin_at(0, max);
	*nr_steps = 0;
	while (!f.done) {
		assert_int_equal(hold(e), 0);
		assert_true(f.nr_held <= max && f.nr <= THINX_MD_RUN_MAX);
		nr += f.nr_held;
		release(e);
		++*nr_steps;
	}
	return nr;
}

static void test_only_what_is_durably_free_is_held(void **state)
{
	struct thinx_md_dev *dev;
	unsigned int steps;
	struct md_env e;

	md_begin(&e, 500, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 100);
	assert_int_equal(hold_all(&e, 1000, &steps), 900);
	md_commit(&e);
	md_unmap(&e, dev, 10, 20);
	assert_int_equal(hold_all(&e, 1000, &steps), 900);
	md_commit(&e);
	assert_int_equal(hold_all(&e, 1000, &steps), 910);
	assert_int_equal(steps, 1);
	/* Deleted here, but not in the last commit. */
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(hold_all(&e, 1000, &steps), 910);
	md_crash(&e);
	assert_int_equal(hold_all(&e, 1000, &steps), 910);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_commit(&e);
	assert_int_equal(hold_all(&e, 1000, &steps), 1000);
	md_end(&e);
}

static int look_at_steps(void *context)
{
	unsigned int steps;
	struct md_env *e = context;

	assert_int_equal(hold_all(e, 1000, &steps), 900);
	return 0;
}

static void test_what_a_commit_under_way_frees_is_not_held(void **state)
{
	struct thinx_md_dev *dev;
	unsigned int steps;
	struct md_env e;

	md_begin(&e, 500, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 100);
	md_commit(&e);
	md_unmap(&e, dev, 0, 50);
	assert_int_equal(md_commit_with(e.md, look_at_steps, &e), 0);
	assert_int_equal(hold_all(&e, 1000, &steps), 950);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_held_blocks_are_not_handed_out(void **state)
{
	struct thinx_md_space s;
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 500, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 10);
	begin_at(0, 85);
	assert_int_equal(hold(&e), 0);
	assert_int_equal(f.nr_held, 85);
	assert_int_equal(f.begin, 95);
	assert_false(f.done);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_allocatable, 5);
	assert_int_equal(s.data_pending, 85);
	md_map(&e, dev, 10, 5);
	assert_int_equal(md_try_map(&e, dev, 15, 1), -EXFULL);
	release(&e);
	md_map(&e, dev, 15, 85);
	thinx_md_close_device(dev);
	md_commit(&e);
	md_end(&e);
}

static void test_steps_are_bounded(void **state)
{
	struct thinx_md_dev *dev;
	unsigned int steps;
	struct md_env e;
	u64 v;

	md_begin(&e, 3000, 40 * E + 77);
	dev = md_create(&e, 1);
	assert_int_equal(hold_all(&e, ~0ULL, &steps), 40 * E + 77);
	assert_int_equal(steps, 6);
	assert_int_equal(hold_all(&e, E, &steps), 40 * E + 77);
	/* Every second block is free: runs are what there is too much of. */
	for (v = 0; v < 5000; v++) {
		md_map(&e, dev, 2 * v, 2);
		md_unmap(&e, dev, 2 * v + 1, 2 * v + 2);
	}
	md_commit(&e);
	assert_int_equal(hold_all(&e, ~0ULL, &steps), 40 * E + 77 - 5000);
	assert_true(steps >= 4 + 5);
	begin_at(0, ~0ULL);
	assert_int_equal(hold(&e), 0);
	assert_int_equal(f.nr, THINX_MD_RUN_MAX);
	release(&e);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_from_anywhere(void **state)
{
	struct md_env e;

	md_begin(&e, 500, 2 * E);
	begin_at(2 * E - 1, 10);
	assert_int_equal(hold(&e), 0);
	assert_int_equal(f.nr_held, 1);
	assert_true(f.done);
	release(&e);
	begin_at(2 * E, 10);
	assert_int_equal(hold(&e), 0);
	assert_true(f.done && !f.nr);
	thinx_md_read_ahead_free(e.md, ~0ULL);
	begin_at(~0ULL, 10);
	assert_int_equal(hold(&e), 0);
	assert_true(f.done && !f.nr);
	md_end(&e);
}

static void test_nothing_is_read_under_the_lock(void **state)
{
	unsigned long reads;
	struct md_env e;
	u64 nr = 0;

	md_begin(&e, 3000, 40 * E);
	begin_at(0, ~0ULL);
	while (!f.done) {
		ram_store_evict(e.io);
		thinx_md_read_ahead_free(e.md, f.begin);
		reads = ram_store_nr_ops(e.io, RAM_OP_READ);
		assert_int_equal(hold(&e), 0);
		assert_int_equal(ram_store_nr_ops(e.io, RAM_OP_READ), reads);
		nr += f.nr_held;
		release(&e);
	}
	assert_int_equal(nr, 40 * E);
	/* That the reads can be seen: */
	ram_store_evict(e.io);
	reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	begin_at(0, 1);
	assert_int_equal(hold(&e), 0);
	assert_true(ram_store_nr_ops(e.io, RAM_OP_READ) > reads);
	release(&e);
	md_end(&e);
}

static void test_failures_hold_nothing(void **state)
{
	struct thinx_md_space s;
	struct md_env e;

	md_begin(&e, 500, 3 * E);
	thinx_md_set_read_only(e.md);
	begin_at(0, 10);
	assert_int_equal(hold(&e), -EPERM);
	thinx_md_set_read_write(e.md);
	ram_store_evict(e.io);
	/* The second bitmap cannot be read. */
	ram_store_fail(e.io, RAM_OP_READ, 1, false);
	begin_at(0, ~0ULL);
	assert_int_equal(hold(&e), -EIO);
	assert_int_equal(f.nr, 0);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_allocatable, 3 * E);
	assert_false(thinx_md_is_broken(e.md));
	md_end(&e);
}

static void test_an_abort_forgets_the_hold(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 500, 100);
	begin_at(0, 100);
	assert_int_equal(hold(&e), 0);
	assert_int_equal(f.nr_held, 100);
	assert_int_equal(thinx_md_abort(e.md), 0);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 100);
	thinx_md_close_device(dev);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_durably_free_is_held),
		cmocka_unit_test(test_what_a_commit_under_way_frees_is_not_held),
		cmocka_unit_test(test_held_blocks_are_not_handed_out),
		cmocka_unit_test(test_steps_are_bounded),
		cmocka_unit_test(test_from_anywhere),
		cmocka_unit_test(test_nothing_is_read_under_the_lock),
		cmocka_unit_test(test_failures_hold_nothing),
		cmocka_unit_test(test_an_abort_forgets_the_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
