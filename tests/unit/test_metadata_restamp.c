// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The mapping tree: which blocks are exclusive, and are restamped.
 */
#include "md-env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void restamp(struct md_env *e, struct thinx_md_dev *dev, u64 v, u32 nr,
		    thinx_word_t *m, bool *exclusive)
{
	thinx_md_lock(e->md);
	md_insist(!thinx_md_restamp_locked(dev, v, nr, m, exclusive));
	thinx_md_unlock(e->md);
}

static void test_shared_block_is_not_exclusive(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m[3];
	bool ex[3];
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);	/* data block 0 at time 0: mapping value 0 */
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_map(&e, dev, 2, 1);	/* after the snapshot */
	md_commit(&e);
	restamp(&e, dev, 0, 3, m, ex);
	assert_true(m[0] == 0);
	assert_false(ex[0]);
	assert_true(m[1] == THINX_WORD_HOLE);
	assert_false(ex[1]);
	assert_int_equal(thinx_mapping_time(m[2]), 1);
	assert_true(ex[2]);
	assert_true(md_get(dev, 0) == 0);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_block_left_by_all_others_is_restamped(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m[4];
	bool ex[4];
	struct md_env e;
	int i;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 4);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	restamp(&e, dev, 0, 4, m, ex);
	for (i = 0; i < 4; i++) {
		assert_true(ex[i]);
		assert_int_equal(thinx_mapping_time(m[i]), 1);
		assert_true(md_get(dev, i) == m[i]);
	}
	assert_true(thinx_md_dev_is_dirty(dev));
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_block_a_crash_could_share_again_is_not_exclusive(void **state)
{
	struct thinx_md_dev *dev, *snap;
	thinx_word_t m[1];
	bool ex[1];
	struct md_env e;

	/* The leaves differ, so the block's own count decides. */
	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	snap = md_open(&e, 2);
	md_map(&e, snap, 50, 1);
	md_commit(&e);
	md_unmap(&e, snap, 0, 1);
	restamp(&e, dev, 0, 1, m, ex);
	assert_false(ex[0]);
	md_commit(&e);
	restamp(&e, dev, 0, 1, m, ex);
	assert_true(ex[0]);
	thinx_md_close_device(dev);
	thinx_md_close_device(snap);
	md_end(&e);
}

static void test_delete_makes_blocks_exclusive_only_when_durable(void **state)
{
	struct thinx_md_dev *snap;
	thinx_word_t m[1];
	struct md_env e;
	bool ex[1];

	/* The origin is deleted; no count of a data block ever changes. */
	md_begin(&e, 128, 100);
	snap = md_create(&e, 1);
	md_map(&e, snap, 0, 10);
	thinx_md_close_device(snap);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	snap = md_open(&e, 2);
	restamp(&e, snap, 0, 1, m, ex);
	assert_false(ex[0]);	/* a crash brings the origin back */
	md_commit(&e);
	restamp(&e, snap, 0, 1, m, ex);
	assert_true(ex[0]);
	thinx_md_close_device(snap);
	md_end(&e);
}

struct restamp_beneath {
	struct md_env *e;
	struct thinx_md_dev *dev;
	bool exclusive;
};

static int restamp_beneath(void *context)
{
	struct restamp_beneath *rb = context;
	thinx_word_t m;

	restamp(rb->e, rb->dev, 0, 1, &m, &rb->exclusive);
	return 0;
}

static void test_closing_a_delete_is_not_yet_durable(void **state)
{
	struct md_env e;
	struct restamp_beneath rb = { .e = &e, .exclusive = true };

	md_begin(&e, 128, 100);
	rb.dev = md_create(&e, 1);
	md_map(&e, rb.dev, 0, 10);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	assert_int_equal(md_commit_with(e.md, restamp_beneath, &rb), 0);
	assert_false(rb.exclusive);
	restamp_beneath(&rb);
	assert_true(rb.exclusive);
	thinx_md_close_device(rb.dev);
	md_end(&e);
}

static void test_discard_of_shared_leaves_makes_exclusive_when_durable(void **state)
{
	struct thinx_md_dev *dev, *snap;
	thinx_word_t m[1];
	struct md_env e;
	bool ex[1];

	md_begin(&e, 256, 5000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 3000);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_commit(&e);
	/* Whole leaves are released without looking at what they hold. */
	md_unmap(&e, dev, 0, 2900);
	snap = md_open(&e, 2);
	restamp(&e, snap, 1000, 1, m, ex);
	assert_false(ex[0]);
	md_commit(&e);
	restamp(&e, snap, 1000, 1, m, ex);
	assert_true(ex[0]);
	thinx_md_close_device(dev);
	thinx_md_close_device(snap);
	md_end(&e);
}

static void test_metadata_snapshot_keeps_blocks_from_being_exclusive(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m[1];
	bool ex[1];
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	restamp(&e, dev, 0, 1, m, ex);
	assert_false(ex[0]);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_commit(&e);
	restamp(&e, dev, 0, 1, m, ex);
	assert_true(ex[0]);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_restamp_over_several_leaves(void **state)
{
	enum { NR = 1024 };
	thinx_word_t *m = calloc(NR, sizeof(*m));
	bool *ex = calloc(NR, sizeof(*ex));
	struct thinx_md_dev *dev;
	struct md_env e;
	u32 i;

	md_begin(&e, 256, 4000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 100, 3000);
	md_unmap(&e, dev, 500, 700);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	restamp(&e, dev, 0, NR, m, ex);
	for (i = 0; i < NR; i++) {
		bool mapped = i >= 100 && (i < 500 || i >= 700);

		assert_int_equal(ex[i], mapped);
		assert_true(m[i] == md_get(dev, i));
		if (mapped)
			assert_int_equal(thinx_mapping_time(m[i]), 1);
	}
	thinx_md_close_device(dev);
	md_end(&e);
	free(m);
	free(ex);
}

static void test_restamp_refuses_impossible_arguments(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m[2];
	struct md_env e;
	bool ex[2];

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_restamp_locked(dev, 0, 0, m, ex), -EINVAL);
	assert_int_equal(thinx_md_restamp_locked(dev, ~0ULL, 2, m, ex),
			 -EINVAL);
	thinx_md_unlock(e.md);
	thinx_md_close_device(dev);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_block_is_not_exclusive),
		cmocka_unit_test(test_block_left_by_all_others_is_restamped),
		cmocka_unit_test(test_block_a_crash_could_share_again_is_not_exclusive),
		cmocka_unit_test(test_delete_makes_blocks_exclusive_only_when_durable),
		cmocka_unit_test(test_closing_a_delete_is_not_yet_durable),
		cmocka_unit_test(test_discard_of_shared_leaves_makes_exclusive_when_durable),
		cmocka_unit_test(test_metadata_snapshot_keeps_blocks_from_being_exclusive),
		cmocka_unit_test(test_restamp_over_several_leaves),
		cmocka_unit_test(test_restamp_refuses_impossible_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
