// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata snapshot: what it pins, what releasing it frees.
 */
#include "md-env.h"

#include <linux/sched.h>
#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "include/thinx-format.h"
#include "tests/check/metadata-check.h"

static struct thinx_md_space space(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s;
}

static void test_one_at_a_time(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_held_root(e.md), 0);
	assert_int_equal(thinx_md_release_snap(e.md), -EINVAL);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	assert_int_not_equal(thinx_md_held_root(e.md), 0);
	assert_int_equal(thinx_md_reserve_snap(e.md), -EBUSY);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	assert_int_equal(thinx_md_held_root(e.md), 0);
	assert_int_equal(thinx_md_release_snap(e.md), -EINVAL);
	md_end(&e);
}

static int count_flush(void *context)
{
	++*(int *)context;
	return 0;
}

static void test_reserve_commits_first(void **state)
{
	struct md_env e;
	int flushes = 0;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(md_reserve_snap_with(e.md, count_flush, &flushes), 0);
	assert_int_equal(flushes, 1);
	assert_true(thinx_md_is_dirty(e.md));
	md_crash(&e);
	/* The device is there, but the snapshot of it was not committed. */
	assert_int_equal(thinx_md_create_thin(e.md, 1), -EEXIST);
	assert_int_equal(thinx_md_held_root(e.md), 0);
	md_end(&e);
}

static void test_copy_is_what_user_space_wants_to_see(void **state)
{
	const struct thinx_disk_superblock *copy, *sb;
	const u8 zeros[128] = { 0 };
	struct thinx_md_dev *dev;
	struct ram_image *img;
	struct md_env e;
	u64 held;

	md_begin(&e, 128, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 500);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 0, 7), 0);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 7, 8), 0);
	md_map(&e, dev, 300, 1);
	md_commit(&e);
	held = thinx_md_held_root(e.md);

	img = ram_store_image(e.io);
	copy = ram_image_read(img, held);
	sb = ram_image_read(img, 0);
	assert_int_equal(le64_to_cpu(sb->held_root), held);
	assert_int_equal(le64_to_cpu(copy->blocknr), held);
	assert_int_equal(le64_to_cpu(copy->held_root), 0);
	assert_int_equal(le64_to_cpu(copy->trans_id), 7);
	assert_int_equal(le64_to_cpu(sb->trans_id), 8);
	assert_memory_equal(copy->data_sm_root, zeros, 128);
	assert_memory_equal(copy->metadata_sm_root, zeros, 128);
	assert_true(copy->data_mapping_root != sb->data_mapping_root);
	ram_image_destroy(img);
	assert_true(md_tools_check(&e));

	thinx_md_close_device(dev);
	md_crash(&e);
	assert_int_equal(thinx_md_held_root(e.md), held);
	md_end(&e);
}

static void test_pinned_blocks_stay_until_release(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 meta_free;

	md_begin(&e, 256, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1000);
	md_commit(&e);
	meta_free = space(&e).meta_free;
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_unmap(&e, dev, 0, 1000);
	md_commit(&e);
	assert_int_equal(space(&e).data_used, 1000);
	assert_int_equal(space(&e).data_allocatable, 0);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	md_check(&e);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_commit(&e);
	assert_int_equal(space(&e).data_used, 0);
	assert_int_equal(space(&e).data_allocatable, 1000);
	/* The device's tree is one leaf now. */
	assert_true(space(&e).meta_free >= meta_free);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_deleted_devices_live_on_in_it(void **state)
{
	struct md_env e;
	u32 id;

	md_begin(&e, 2048, 20000);
	for (id = 0; id < 300; id++) {
		struct thinx_md_dev *dev = md_create(&e, id);

		md_map(&e, dev, id, 50);
		thinx_md_close_device(dev);
	}
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	for (id = 0; id < 300; id++)
		assert_int_equal(thinx_md_delete(e.md, id), 0);
	md_commit(&e);
	assert_int_equal(space(&e).data_used, 300 * 50);
	md_check(&e);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_check(&e);
	assert_int_equal(space(&e).data_used, 0);
	md_commit(&e);
	md_end(&e);
}

static void test_large_one_is_released_in_steps(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u32 i;

	/* Hundreds of leaves that are the snapshot's alone. */
	md_begin(&e, 4096, 50000);
	dev = md_create(&e, 1);
	for (i = 0; i < 20000; i++)
		md_map(&e, dev, i * 7919ULL % 20000 * 2, 1);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	assert_int_equal(space(&e).data_used, 20000);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_check(&e);
	assert_int_equal(space(&e).data_used, 0);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static struct md_env *other_env;
static int other_release, other_reserve;

static void release_and_reserve(void)
{
	/* Only once. */
	shim_on_resched = NULL;
	other_release = thinx_md_release_snap(other_env->md);
	other_reserve = thinx_md_reserve_snap(other_env->md);
}

static void test_nobody_reserves_another_between_two_steps(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v;

	md_begin(&e, 3000, 200000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 50000);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	/* Unshare all leaves, so that the release takes them apart. */
	for (v = 0; v < 50000; v += 100)
		md_map(&e, dev, v, 1);
	md_commit(&e);
	other_env = &e;
	shim_on_resched = release_and_reserve;
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	assert_null(shim_on_resched);
	assert_int_equal(other_release, -EBUSY);
	assert_int_equal(other_reserve, -EBUSY);
	assert_int_equal(thinx_md_held_root(e.md), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_half_released_one_can_be_released_again(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int r, tries;
	u32 i;

	/* So little space that a release takes several commits. */
	md_begin(&e, 330, 50000);
	dev = md_create(&e, 1);
	for (i = 0; i < 20000; i++) {
		md_map(&e, dev, i * 7919ULL % 20000 * 2, 1);
		if (i % 1000 == 0)
			md_commit(&e);
	}
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	for (tries = 0, r = -ENOSPC; r && tries < 100; tries++) {
		r = thinx_md_delete(e.md, 1);
		assert_true(!r || r == -ENOSPC);
		md_commit(&e);
	}
	assert_int_equal(r, 0);
	for (tries = 0, r = -ENOSPC; r && tries < 100; tries++) {
		r = thinx_md_release_snap(e.md);
		assert_true(!r || r == -ENOSPC);
		md_check(&e);
		md_commit(&e);
		md_crash(&e);
		assert_true(md_tools_check(&e));
	}
	assert_int_equal(r, 0);
	assert_int_equal(space(&e).data_used, 0);
	md_end(&e);
}

static void test_wild_held_root_is_noticed(void **state)
{
	static const u64 wild[] = { 9, 63, 64, 1ULL << 50, ~0ULL };
	struct ram_image *img;
	struct md_env e;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		__le64 v = cpu_to_le64(wild[i]);

		md_begin(&e, 64, 100);
		img = md_pull_image(&e);
		md_poke(img, 0, offsetof(struct thinx_disk_superblock,
					 held_root), &v, sizeof(v),
			PD_SUPERBLOCK_CSUM_XOR);
		assert_int_equal(md_push_image(&e, img), 0);
		assert_true(thinx_md_release_snap(e.md) < 0);
		assert_true(thinx_md_check(e.md) < 0);
		/* Nothing was changed by the refusal. */
		assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
		md_close(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_reserve_commits_first),
		cmocka_unit_test(test_copy_is_what_user_space_wants_to_see),
		cmocka_unit_test(test_pinned_blocks_stay_until_release),
		cmocka_unit_test(test_deleted_devices_live_on_in_it),
		cmocka_unit_test(test_large_one_is_released_in_steps),
		cmocka_unit_test(test_nobody_reserves_another_between_two_steps),
		cmocka_unit_test(test_half_released_one_can_be_released_again),
		cmocka_unit_test(test_wild_held_root_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
