// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Space: numbers, space for changes, growth, the threshold.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "include/thinx-format.h"
#include "metadata/space.h"

static struct thinx_md_space space(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s;
}

static void test_numbers_add_up(void **state)
{
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	struct md_env e;

	md_begin(&e, 1000, 500);
	s = space(&e);
	assert_int_equal(s.meta_total, 1000);
	assert_int_equal(s.meta_reserve, 100);
	assert_int_equal(s.data_total, 500);
	assert_int_equal(s.data_used, 0);
	assert_int_equal(s.data_allocatable, 500);
	assert_int_equal(s.data_pending, 0);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 100);
	md_commit(&e);
	md_unmap(&e, dev, 0, 30);
	s = space(&e);
	assert_int_equal(s.data_used, 70);
	assert_int_equal(s.data_allocatable, 400);
	assert_int_equal(s.data_pending, 30);
	md_commit(&e);
	s = space(&e);
	assert_int_equal(s.data_allocatable, 430);
	assert_int_equal(s.data_pending, 0);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_data_space_grows(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 512, 10);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 10);
	assert_int_equal(md_try_map(&e, dev, 10, 1), -EXFULL);
	assert_int_equal(thinx_md_resize_data(e.md, 100000), 0);
	md_map(&e, dev, 10, 20000);
	md_commit(&e);
	thinx_md_close_device(dev);
	md_crash(&e);
	assert_int_equal(space(&e).data_total, 100000);
	assert_int_equal(space(&e).data_used, 20010);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_data_space_neither_shrinks_nor_overflows(void **state)
{
	struct md_env e;

	md_begin(&e, 512, 100);
	assert_int_equal(thinx_md_resize_data(e.md, 99), -EINVAL);
	assert_int_equal(thinx_md_resize_data(e.md, 100), -EINVAL);
	assert_int_equal(thinx_md_resize_data(e.md, THINX_DATA_BLOCK_MAX + 1),
			 -EINVAL);
	/* Its bitmaps would not fit the metadata. */
	assert_int_equal(thinx_md_resize_data(e.md, 16320ULL * 1000), -ENOSPC);
	assert_false(thinx_md_is_dirty(e.md));
	assert_int_equal(thinx_md_resize_data(e.md, 16320ULL * 300), 0);
	md_commit(&e);
	md_end(&e);
}

static void test_metadata_space_grows(void **state)
{
	const struct thinx_disk_superblock *sb;
	struct thinx_md_dev *dev;
	struct ram_image *img;
	struct md_env e;

	md_begin(&e, 64, 50000);
	assert_int_equal(thinx_md_resize_metadata(e.md, 64), -EINVAL);
	assert_int_equal(thinx_md_resize_metadata(e.md, 65), -EINVAL);
	assert_int_equal(thinx_md_device_blocks(e.md), 64);
	ram_store_grow(e.io, 20000);
	assert_int_equal(thinx_md_device_blocks(e.md), 20000);
	assert_int_equal(thinx_md_resize_metadata(e.md, 63), -EINVAL);
	assert_int_equal(thinx_md_resize_metadata(e.md, 20001), -EINVAL);
	assert_int_equal(thinx_md_resize_metadata(e.md, 20000), 0);
	assert_int_equal(space(&e).meta_total, 20000);
	md_check(&e);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 40000);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	img = ram_store_image(e.io);
	sb = ram_image_read(img, 0);
	assert_int_equal(le64_to_cpu(sb->metadata_nr_blocks), 20000);
	ram_image_destroy(img);
	md_crash(&e);
	assert_int_equal(space(&e).meta_total, 20000);
	md_end(&e);
}

static void test_full_metadata_grows(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v;
	int r;

	md_begin(&e, 64, 50000);
	dev = md_create(&e, 1);
	md_commit(&e);
	for (v = 0, r = 0; !r; v += 1000) {
		r = md_try_map(&e, dev, v * 2, 1);
		md_commit(&e);
	}
	assert_int_equal(r, -ENOSPC);
	ram_store_grow(e.io, 1000);
	assert_int_equal(thinx_md_resize_metadata(e.md, 1000), 0);
	md_commit(&e);
	md_map(&e, dev, 0, 20000);
	thinx_md_close_device(dev);
	md_commit(&e);
	md_crash(&e);
	md_end(&e);
}

/*
 * Change until there is no space: each refusal comes before anything changed, so
 * the transaction can always be committed.
 */
static void fill_up(pd_block_t nr_meta, unsigned int commit_each,
		    u64 stride, bool snaps)
{
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	u32 next_snap = 2;
	struct md_env e;
	u64 n = 0, used;
	int r, refused = 0;

	md_begin(&e, nr_meta, 60000);
	dev = md_create(&e, 1);
	md_commit(&e);
	while (refused < 3) {
		r = md_try_map(&e, dev, n * stride % 1000003, 1);
		if (!r && snaps && n % 20 == 19)
			r = thinx_md_create_snap(e.md, next_snap++, 1);
		n++;
		if (r) {
			assert_int_equal(r, -ENOSPC);
			refused++;
			md_check(&e);
		} else {
			refused = 0;
		}
		if (r || n % commit_each == 0)
			md_commit(&e);
	}
	s = space(&e);
	used = nr_meta - s.meta_free;
	print_message("%llu metadata blocks, a commit each %u%s: %llu changes, %llu blocks used\n",
		      (unsigned long long)nr_meta, commit_each,
		      snaps ? ", snapshots" : "", (unsigned long long)n,
		      (unsigned long long)used);
	/* Most of it is usable; snapshots need more in reserve. */
	assert_true(used >= nr_meta / (snaps ? 3 : 2));
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_small_metadata_can_be_filled_to_a_good_part(void **state)
{
	fill_up(64, 1, 7919, false);
	fill_up(64, 1000000, 7919, false);
	fill_up(64, 10, 1, false);
	fill_up(64, 10, 7919, true);
	fill_up(128, 10, 7919, false);
	fill_up(128, 10, 7919, true);
	fill_up(512, 100, 7919, true);
}

static void test_full_metadata_can_still_be_emptied(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v = 0;
	u32 i;

	md_begin(&e, 128, 100000);
	dev = md_create(&e, 1);
	md_commit(&e);
	while (!md_try_map(&e, dev, v * 7919 % 1000003, 1)) {
		if (v++ % 16 == 0)
			md_commit(&e);
	}
	md_commit(&e);
	/* Discard all of it, with commits between failing steps. */
	for (i = 0; i < 1000 && thinx_md_dev_mapped_blocks(dev); i++) {
		int r = md_try_unmap(&e, dev, 0, ~0ULL);

		assert_true(r > 0 || r == -ENOSPC);
		md_commit(&e);
	}
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_commit(&e);
	assert_int_equal(space(&e).data_used, 0);
	md_end(&e);
}

static void test_device_that_fills_the_metadata_can_be_deleted(void **state)
{
	static const pd_block_t sizes[] = { 64, 128, 300 };
	struct thinx_md_dev *dev;
	struct md_env e;
	unsigned int i;
	u64 v;
	int r;

	for (i = 0; i < 3; i++) {
		md_begin(&e, sizes[i], 60000);
		dev = md_create(&e, 1);
		md_commit(&e);
		for (v = 0, r = 0; !r; v++)
			r = md_try_map(&e, dev, v * 7919 % 1000003, 1);
		assert_int_equal(r, -ENOSPC);
		md_commit(&e);
		while (!md_try_map(&e, dev, v++ * 7919 % 1000003, 1))
			;
		thinx_md_close_device(dev);
		for (v = 0, r = -ENOSPC; r && v < 20; v++) {
			r = thinx_md_delete(e.md, 1);
			assert_true(!r || r == -ENOSPC);
			md_check(&e);
			md_commit(&e);
		}
		print_message("%llu metadata blocks: deleted in %llu transactions\n",
			      (unsigned long long)sizes[i],
			      (unsigned long long)v);
		assert_int_equal(r, 0);
		assert_int_equal(space(&e).data_used, 0);
		md_end(&e);
	}
}

static void test_full_metadata_with_snapshots_can_be_emptied(void **state)
{
	struct thinx_md_dev *dev;
	u32 id, nr_snaps = 2, left;
	struct md_env e;
	u64 v;
	int r;

	md_begin(&e, 128, 16000);
	dev = md_create(&e, 1);
	md_commit(&e);
	for (v = 0, r = 0; !r; v++) {
		r = md_try_map(&e, dev, v * 7919 % 10007, 1);
		if (!r && v % 100 == 99)
			r = thinx_md_create_snap(e.md, nr_snaps++, 1);
		if (v % 20 == 0)
			md_commit(&e);
	}
	assert_int_equal(r, -ENOSPC);
	thinx_md_close_device(dev);
	md_commit(&e);
	for (v = 0, left = nr_snaps - 1; left && v < 100; v++) {
		for (id = 1; id < nr_snaps; id++) {
			r = thinx_md_delete(e.md, id);
			assert_true(!r || r == -ENOSPC || r == -ENODATA);
			left -= !r;
		}
		md_check(&e);
		md_commit(&e);
	}
	print_message("%u devices deleted in %llu rounds\n", nr_snaps - 1,
		      (unsigned long long)v);
	assert_int_equal(left, 0);
	assert_int_equal(space(&e).data_used, 0);
	md_end(&e);
}

/*
 * Snapshots that differ in every leaf: the next one to copy a leaf changes 252
 * counts of three and more, each leaf in another part of the overflow tree.
 */
static u32 make_diverging_snaps(struct md_env *e, u64 nr_mapped, u32 nr_snaps)
{
	struct thinx_md_dev *dev = md_create(e, 0);
	u32 i;
	u64 v;

	md_map(e, dev, 0, nr_mapped);
	thinx_md_close_device(dev);
	md_commit(e);
	for (i = 1; i < nr_snaps; i++) {
		assert_int_equal(thinx_md_create_snap(e->md, i, 0), 0);
		md_commit(e);
		dev = md_open(e, i);
		for (v = 0; v < nr_mapped; v += 248) {
			md_unmap(e, dev, v, v + 1);
			if (v / 248 % 10 == 9)
				md_commit(e);
		}
		thinx_md_close_device(dev);
		md_commit(e);
	}
	assert_int_equal(thinx_md_create_snap(e->md, nr_snaps, 0), 0);
	md_commit(e);
	return nr_snaps;
}

/* Changes that were accepted can be committed, whatever is left. */
static void diverge_with_little_left(u64 nr_mapped, pd_block_t left)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v, n = 0;
	u32 snap;
	int r;

	md_begin(&e, 1024, 200000);
	snap = make_diverging_snaps(&e, nr_mapped, 4);
	dev = md_create(&e, 100);
	md_commit(&e);
	for (v = 0; space(&e).meta_free > left; v++) {
		if (md_try_map(&e, dev, v, 1))
			break;
		if (v % 60 == 59)
			md_commit(&e);
	}
	thinx_md_close_device(dev);
	md_commit(&e);
	dev = md_open(&e, snap);
	for (v = 0, r = 0; v < nr_mapped && r >= 0; v += 248, n++)
		r = md_try_unmap(&e, dev, v, v + 1);
	assert_true(r >= 0 || r == -ENOSPC);
	print_message("%llu left: %llu leaves copied\n",
		      (unsigned long long)left, (unsigned long long)n);
	md_commit(&e);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_what_was_accepted_with_many_references_is_committed(void **s)
{
	diverge_with_little_left(24000, 300);
	diverge_with_little_left(24000, 160);
	diverge_with_little_left(10000, 110);
	diverge_with_little_left(10000, 600);
}

/*
 * Use up metadata in the open transaction while there is more space than a change
 * of @nr_blocks and @nr_values needs; only a commit gives it back.
 */
static void use_up(struct md_env *e, u64 nr_blocks, u64 nr_values)
{
	struct pd_sm *sm = pd_tm_sm(e->md->tm);
	pd_block_t b;

	thinx_md_lock(e->md);
	while (!thinx_space_ensure(e->md, nr_blocks + 1, nr_values)) {
		assert_int_equal(pd_sm_alloc(sm, &b), 0);
		assert_int_equal(pd_sm_dec(sm, b, b + 1), 0);
	}
	thinx_md_unlock(e->md);
}

static void test_deleting_an_empty_device_takes_hardly_any_room(void **state)
{
	struct md_env e;

	md_begin(&e, 1024, 16320ULL * 300);
	thinx_md_close_device(md_create(&e, 1));
	thinx_md_close_device(md_create(&e, 2));
	md_commit(&e);
	use_up(&e, 8, 0);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_commit(&e);
	md_end(&e);
}

static void test_new_bitmaps_can_be_entered_in_the_index(void **state)
{
	struct md_env e;

	md_begin(&e, 1024, 100);
	assert_int_equal(thinx_md_resize_data(e.md, 16320ULL * 600), 0);
	use_up(&e, 0, 0);
	md_commit(&e);
	md_end(&e);
}

static void test_metadata_grows_by_enough_to_commit_or_not_at_all(void **state)
{
	struct pd_sm *sm;
	struct md_env e;
	pd_block_t b;
	int r;

	md_begin(&e, 64, 100);
	ram_store_grow(e.io, 1000);
	sm = pd_tm_sm(e.md->tm);
	thinx_md_lock(e.md);
	do {
		r = pd_sm_alloc(sm, &b);
		if (!r)
			r = pd_sm_dec(sm, b, b + 1);
	} while (!r);
	thinx_md_unlock(e.md);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(thinx_md_resize_metadata(e.md, 65), -ENOSPC);
	assert_false(thinx_md_is_broken(e.md));
	assert_false(thinx_md_is_dirty(e.md));
	assert_int_equal(space(&e).meta_total, 64);
	assert_int_equal(thinx_md_resize_metadata(e.md, 1000), 0);
	md_commit(&e);
	assert_int_equal(space(&e).meta_total, 1000);
	md_end(&e);
}

static void count_call(void *context)
{
	++*(int *)context;
}

static void test_threshold_is_reported_once(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int calls = 0;
	u64 v;

	md_begin(&e, 512, 100000);
	dev = md_create(&e, 1);
	md_commit(&e);
	md_set_threshold(e.md, 400, count_call, &calls);
	for (v = 0; !calls; v++) {
		assert_true(space(&e).meta_free > 390);
		md_map(&e, dev, v * 7919 % 1000003, 1);
	}
	for (v = 0; v < 1000; v++)
		md_map(&e, dev, v * 7919 % 1000003, 1);
	assert_int_equal(calls, 1);

	/* It survives an abort. */
	assert_int_equal(thinx_md_abort(e.md), 0);
	calls = 0;
	for (v = 0; !calls; v++) {
		assert_true(space(&e).meta_free > 390);
		md_map(&e, dev, v * 7919 % 1000003, 1);
	}
	assert_int_equal(thinx_md_abort(e.md), 0);

	/* Each commit comes closer to the mark: a few blocks are copies. */
	calls = 0;
	for (v = 0; !calls; v++) {
		assert_true(space(&e).meta_free > 390);
		md_map(&e, dev, v * 7919 % 1000003, 1);
		md_commit(&e);
	}
	assert_true(space(&e).meta_free < 420);
	md_set_threshold(e.md, 300, NULL, NULL);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_threshold_is_reported_if_opened_below_it(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int calls = 0;

	md_begin(&e, 512, 100000);
	dev = md_create(&e, 1);
	md_commit(&e);
	md_set_threshold(e.md, 511, count_call, &calls);
	assert_int_equal(calls, 0);
	md_map(&e, dev, 0, 1);
	assert_int_equal(calls, 1);
	md_commit(&e);
	md_map(&e, dev, 1, 1);
	md_set_threshold(e.md, 511, count_call, &calls);
	md_map(&e, dev, 2, 1);
	assert_int_equal(calls, 1);
	md_set_threshold(e.md, 300, NULL, NULL);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_refused_change_says_what_it_would_have_taken(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 v = 0;
	int r;

	md_begin(&e, 128, 100000);
	dev = md_create(&e, 1);
	md_commit(&e);
	assert_int_equal(space(&e).meta_wanted, 0);
	do {
		r = md_try_map(&e, dev, v, 100);
		v += 100;
		md_commit(&e);
	} while (!r);
	assert_int_equal(r, -ENOSPC);
	assert_true(space(&e).meta_wanted > space(&e).meta_free);
	assert_true(space(&e).meta_wanted < space(&e).meta_free + 8);
	/* Enough of it comes back: then it is accepted. */
	while (space(&e).meta_wanted > space(&e).meta_free) {
		assert_true(v >= 100);
		v -= 100;
		md_unmap(&e, dev, v, v + 100);
		md_commit(&e);
	}
	assert_int_equal(md_try_map(&e, dev, v, 100), 0);
	assert_int_equal(space(&e).meta_wanted, 0);
	md_commit(&e);
	thinx_md_close_device(dev);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_add_up),
		cmocka_unit_test(test_data_space_grows),
		cmocka_unit_test(test_data_space_neither_shrinks_nor_overflows),
		cmocka_unit_test(test_metadata_space_grows),
		cmocka_unit_test(test_full_metadata_grows),
		cmocka_unit_test(test_small_metadata_can_be_filled_to_a_good_part),
		cmocka_unit_test(test_full_metadata_can_still_be_emptied),
		cmocka_unit_test(test_device_that_fills_the_metadata_can_be_deleted),
		cmocka_unit_test(test_full_metadata_with_snapshots_can_be_emptied),
		cmocka_unit_test(test_what_was_accepted_with_many_references_is_committed),
		cmocka_unit_test(test_deleting_an_empty_device_takes_hardly_any_room),
		cmocka_unit_test(test_new_bitmaps_can_be_entered_in_the_index),
		cmocka_unit_test(test_metadata_grows_by_enough_to_commit_or_not_at_all),
		cmocka_unit_test(test_threshold_is_reported_once),
		cmocka_unit_test(test_threshold_is_reported_if_opened_below_it),
		cmocka_unit_test(test_refused_change_says_what_it_would_have_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
