// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thin devices: create, snapshot, delete in steps, open, close.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "metadata/metadata.h"
#include "metadata/superblock.h"

static u64 data_used(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s.data_used;
}

static u64 meta_free(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s.meta_free;
}

/* ---- create ---- */

static void test_create_twice_is_refused(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 3), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_commit(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_crash(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_end(&e);
}

static void test_ids_have_24_bits(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, THINX_DEV_ID_MAX + 1),
			 -EINVAL);
	assert_int_equal(thinx_md_create_thin(e.md, THINX_DEV_ID_MAX), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 0), 0);
	assert_int_equal(thinx_md_create_snap(e.md, THINX_DEV_ID_MAX + 1, 0),
			 -EINVAL);
	assert_int_equal(thinx_md_create_snap(e.md, 1, THINX_DEV_ID_MAX + 1),
			 -ENODATA);
	assert_int_equal(thinx_md_delete(e.md, THINX_DEV_ID_MAX + 1), -ENODATA);
	dev = md_open(&e, THINX_DEV_ID_MAX);
	assert_int_equal(thinx_md_dev_id(dev), THINX_DEV_ID_MAX);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_many_devices(void **state)
{
	enum { NR = 1000 };
	struct md_env e;
	u32 i;

	md_begin(&e, 4096, 100);
	for (i = 0; i < NR; i++)
		assert_int_equal(thinx_md_create_thin(e.md, i * 7919 % NR), 0);
	md_check(&e);
	md_commit(&e);
	for (i = 0; i < NR; i += 2)
		assert_int_equal(thinx_md_create_snap(e.md, NR + i, i), 0);
	md_crash(&e);	/* the snapshots are gone */
	for (i = 0; i < NR; i++)
		assert_int_equal(thinx_md_delete(e.md, i), 0);
	md_commit(&e);
	assert_null(md_dump(e.md, 0));
	md_end(&e);
}

/* ---- open and close ---- */

static void test_opening_twice_gives_one_object(void **state)
{
	struct thinx_md_dev *a, *b;
	struct md_env e;

	md_begin(&e, 128, 100);
	a = md_create(&e, 1);
	b = md_open(&e, 1);
	assert_ptr_equal(a, b);
	thinx_md_close_device(a);
	assert_int_equal(thinx_md_delete(e.md, 1), -EBUSY);
	thinx_md_close_device(b);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_end(&e);
}

static void test_unknown_device_cannot_be_opened(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_open_device(e.md, 1, &dev), -ENODATA);
	assert_int_equal(thinx_md_open_device(e.md, ~0U, &dev), -ENODATA);
	md_end(&e);
}

static void test_device_closed_with_changes_stays_dirty(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	assert_false(thinx_md_dev_is_dirty(dev));
	md_map(&e, dev, 0, 3);
	assert_true(thinx_md_dev_is_dirty(dev));
	thinx_md_close_device(dev);

	dev = md_open(&e, 1);
	assert_true(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 3);
	thinx_md_close_device(dev);
	md_commit(&e);
	dev = md_open(&e, 1);
	assert_false(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 3);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_new_device_is_dirty_until_committed(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	assert_true(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_generation(dev),
			 thinx_md_open_generation(e.md));
	md_commit(&e);
	assert_false(thinx_md_dev_is_dirty(dev));
	thinx_md_close_device(dev);
	md_end(&e);
}

/* ---- snapshots ---- */

static void test_snapshot_shares_everything(void **state)
{
	struct thinx_md_dev *origin, *snap;
	struct md_env e;
	u64 used, v;

	md_begin(&e, 256, 1000);
	origin = md_create(&e, 1);
	md_map(&e, origin, 10, 500);
	used = data_used(&e);
	assert_int_equal(used, 500);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(data_used(&e), used);

	snap = md_open(&e, 2);
	assert_int_equal(thinx_md_dev_mapped_blocks(snap), 500);
	assert_int_equal(thinx_md_dev_snapshotted_time(snap), 1);
	assert_int_equal(thinx_md_dev_snapshotted_time(origin), 1);
	for (v = 9; v <= 510; v++)
		assert_true(md_get(origin, v) == md_get(snap, v));

	/* They diverge. */
	md_map(&e, snap, 10, 1);
	assert_true(md_get(origin, 10) != md_get(snap, 10));
	assert_int_equal(thinx_mapping_time(md_get(snap, 10)), 1);
	assert_int_equal(thinx_mapping_time(md_get(origin, 10)), 0);
	assert_int_equal(data_used(&e), used + 1);
	md_check(&e);
	thinx_md_close_device(origin);
	thinx_md_close_device(snap);
	md_end(&e);
}

static void test_snapshot_copies_what_is_not_committed_yet(void **state)
{
	struct thinx_md_dev *origin, *snap;
	struct md_env e;

	md_begin(&e, 256, 1000);
	origin = md_create(&e, 1);
	md_commit(&e);
	md_map(&e, origin, 0, 7);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_unmap(&e, origin, 0, 2);
	md_commit(&e);
	md_crash(&e);
	origin = md_open(&e, 1);
	snap = md_open(&e, 2);
	assert_int_equal(thinx_md_dev_mapped_blocks(origin), 5);
	assert_int_equal(thinx_md_dev_mapped_blocks(snap), 7);
	assert_int_equal(thinx_md_dev_snapshotted_time(origin), 1);
	thinx_md_close_device(origin);
	thinx_md_close_device(snap);
	md_end(&e);
}

static void test_snapshot_of_a_closed_device_sets_its_time(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 256, 1000);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_commit(&e);
	md_crash(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	dev = md_open(&e, 2);
	md_map(&e, dev, 0, 1);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_create_snap(e.md, 3, 2), 0);
	md_commit(&e);
	md_crash(&e);
	dev = md_open(&e, 1);
	assert_int_equal(thinx_md_dev_snapshotted_time(dev), 1);
	thinx_md_close_device(dev);
	dev = md_open(&e, 2);
	assert_int_equal(thinx_md_dev_snapshotted_time(dev), 2);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_snapshot_errors(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), -ENODATA);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 2), -ENODATA);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), -EEXIST);
	/* The id in use is reported first. */
	assert_int_equal(thinx_md_create_snap(e.md, 2, 9), -EEXIST);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 2), -EEXIST);
	md_end(&e);
}

static void test_snapshots_end_when_the_time_is_used_up(void **state)
{
	__le32 time = cpu_to_le32(THINX_TIME_MAX - 1);
	struct thinx_md_dev *dev;
	struct ram_image *img;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	thinx_md_close_device(dev);
	md_commit(&e);
	img = md_pull_image(&e);
	md_poke(img, 0, 44, &time, sizeof(time), PD_SUPERBLOCK_CSUM_XOR);
	assert_int_equal(md_push_image(&e, img), 0);

	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	/* Nothing was mapped with the last time yet. */
	assert_int_equal(thinx_md_create_snap(e.md, 4, 1), 0);
	dev = md_open(&e, 4);
	assert_int_equal(thinx_md_dev_snapshotted_time(dev), THINX_TIME_MAX);
	thinx_md_close_device(dev);
	/* This breaks nothing. */
	dev = md_open(&e, 2);
	md_map(&e, dev, 1, 1);
	assert_int_equal(thinx_md_create_snap(e.md, 3, 1), -EOVERFLOW);
	assert_int_equal(thinx_mapping_time(md_get(dev, 1)), THINX_TIME_MAX);
	assert_int_equal(thinx_mapping_block(md_get(dev, 1)), 1);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_null(md_dump(e.md, 3));
	md_end(&e);
}

static u32 pool_time(struct md_env *e)
{
	return e->md->time;
}

static void test_time_is_used_again_if_nothing_has_it(void **state)
{
	struct thinx_md_dev *a, *b;
	struct md_env e;

	md_begin(&e, 256, 1000);
	a = md_create(&e, 1);
	b = md_create(&e, 2);
	md_map(&e, a, 0, 3);
	assert_int_equal(thinx_md_create_snap(e.md, 3, 1), 0);
	assert_int_equal(pool_time(&e), 1);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 1), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 5, 2), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 6, 3), 0);
	assert_int_equal(pool_time(&e), 1);
	assert_int_equal(thinx_md_dev_snapshotted_time(b), 1);
	/* All that is shared is older. */
	assert_int_equal(thinx_mapping_time(md_get(a, 2)), 0);

	/* It does not matter in which device something is mapped. */
	md_map(&e, b, 7, 1);
	assert_int_equal(thinx_md_create_snap(e.md, 7, 1), 0);
	assert_int_equal(pool_time(&e), 2);
	/* A commit does not change what was mapped. */
	md_map(&e, b, 8, 1);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 8, 1), 0);
	assert_int_equal(pool_time(&e), 3);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 9, 2), 0);
	assert_int_equal(pool_time(&e), 3);
	thinx_md_close_device(a);
	thinx_md_close_device(b);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

/* A block that only looked shared, claimed by its device with the present time. */
static void test_time_of_a_claimed_block_is_not_used_again(void **state)
{
	struct thinx_md_dev *a;
	thinx_word_t m;
	struct md_env e;
	bool ex;

	md_begin(&e, 256, 1000);
	a = md_create(&e, 1);
	md_map(&e, a, 0, 3);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	md_commit(&e);
	assert_int_equal(pool_time(&e), 1);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_restamp_locked(a, 1, 1, &m, &ex), 0);
	thinx_md_unlock(e.md);
	assert_true(ex);
	assert_int_equal(thinx_mapping_time(m), 1);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(pool_time(&e), 2);
	thinx_md_close_device(a);
	md_end(&e);
}

/* What was mapped before, nobody knows. */
static void test_time_is_not_used_again_after_a_crash_or_an_abort(void **state)
{
	struct thinx_md_dev *a;
	struct md_env e;

	md_begin(&e, 256, 1000);
	a = md_create(&e, 1);
	md_map(&e, a, 0, 3);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	thinx_md_close_device(a);
	md_commit(&e);
	md_crash(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 3, 1), 0);
	assert_int_equal(pool_time(&e), 2);
	md_commit(&e);
	a = md_open(&e, 1);
	md_map(&e, a, 0, 3);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 1), 0);
	assert_int_equal(pool_time(&e), 3);
	/* Back to time 2, which has mappings. */
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(pool_time(&e), 2);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 1), 0);
	assert_int_equal(pool_time(&e), 3);
	thinx_md_close_device(a);
	md_end(&e);
}

/* The mappings came from a device that has been deleted since. */
static void test_time_is_that_of_all_devices(void **state)
{
	struct thinx_md_pair p = { 1, 2 };
	struct thinx_md_dev *a;
	struct md_env e;

	md_begin(&e, 256, 1000);
	a = md_create(&e, 1);
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 3, 2), 0);
	md_map(&e, a, 0, 3);
	assert_int_equal(thinx_md_swap(e.md, &p, 1), 0);
	thinx_md_close_device(a);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	/* Device 2 itself had nothing mapped since. */
	assert_int_equal(thinx_md_create_snap(e.md, 4, 2), 0);
	assert_int_equal(pool_time(&e), 2);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

/* ---- many snapshots ---- */

#define SNAPS(e, ...) thinx_md_create_snaps((e)->md, \
	(struct thinx_md_pair []){ __VA_ARGS__ }, \
	sizeof((struct thinx_md_pair []){ __VA_ARGS__ }) / \
	sizeof(struct thinx_md_pair))
#define SWAP(e, ...) thinx_md_swap((e)->md, \
	(struct thinx_md_pair []){ __VA_ARGS__ }, \
	sizeof((struct thinx_md_pair []){ __VA_ARGS__ }) / \
	sizeof(struct thinx_md_pair))

/* All there is, as text. */
static char *dump_all(struct md_env *e)
{
	char *text = NULL, *dump;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	u32 id;

	fprintf(f, "time %u\n", e->md->time);
	for (id = 0; id < 200; id++) {
		dump = md_dump_runs(e->md, id);
		if (dump)
			fprintf(f, "%s\n", dump);
		free(dump);
	}
	fclose(f);
	return text;
}

static void begin_with_three(struct md_env *e)
{
	struct thinx_md_dev *dev;
	u32 id;

	md_begin(e, 256, 1000);
	for (id = 1; id <= 3; id++) {
		dev = md_create(e, id);
		md_map(e, dev, id * 10, id);
		thinx_md_close_device(dev);
	}
	md_commit(e);
}

static void test_snapshots_of_several_devices(void **state)
{
	struct md_env e;
	char *dump;

	begin_with_three(&e);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 13, 3 }, { 12, 2 }, { 21, 1 }),
			 0);
	assert_int_equal(pool_time(&e), 1);
	md_commit(&e);
	md_crash(&e);
	dump = md_dump_runs(e.md, 13);
	assert_string_equal(dump, "13 s1 n3: 30+3>3@0 ");
	free(dump);
	dump = md_dump_runs(e.md, 3);
	assert_string_equal(dump, "3 s1 n3: 30+3>3@0 ");
	free(dump);
	dump = md_dump_runs(e.md, 21);
	assert_string_equal(dump, "21 s1 n1: 10>0@0 ");
	free(dump);
	assert_int_equal(data_used(&e), 6);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_refused_snapshots_change_nothing(void **state)
{
	struct thinx_md_pair many[THINX_MD_PAIRS_MAX + 1];
	struct thinx_md_dev *dev;
	char *before, *after;
	struct md_env e;
	u32 i;

	begin_with_three(&e);
	dev = md_open(&e, 2);
	before = dump_all(&e);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, 2 }, { 3, 3 }), -EEXIST);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, 2 }, { 2, 3 }), -EEXIST);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, 9 }, { 13, 3 }), -ENODATA);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, 2 }, { 11, 3 }), -EINVAL);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 11, 1 }), -EINVAL);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { THINX_DEV_ID_MAX + 1, 2 }),
			 -EINVAL);
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, THINX_DEV_ID_MAX + 1 }),
			 -ENODATA);
	/* An origin that is made by the same change was not there before. */
	assert_int_equal(SNAPS(&e, { 11, 1 }, { 12, 11 }), -ENODATA);
	assert_int_equal(SNAPS(&e, { 12, 11 }, { 11, 1 }), -ENODATA);
	assert_int_equal(SNAPS(&e, { 11, 11 }), -ENODATA);
	for (i = 0; i <= THINX_MD_PAIRS_MAX; i++)
		many[i] = (struct thinx_md_pair){ 100 + i, 1 + i % 3 };
	assert_int_equal(thinx_md_create_snaps(e.md, many, 0), -EINVAL);
	assert_int_equal(thinx_md_create_snaps(e.md, many,
					       THINX_MD_PAIRS_MAX + 1), -EINVAL);
	assert_false(thinx_md_is_dirty(e.md));
	after = dump_all(&e);
	assert_string_equal(after, before);
	free(before);
	free(after);
	/* No object is left of what was refused. */
	assert_int_equal(thinx_md_create_thin(e.md, 11), 0);
	assert_int_equal(thinx_md_create_snaps(e.md, many, THINX_MD_PAIRS_MAX),
			 0);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

/* As many as there may be, in trees of one leaf and of several levels. */
static void test_snapshots_in_all_shapes_of_trees(void **state)
{
	struct thinx_md_pair p[THINX_MD_PAIRS_MAX];
	struct md_env e;
	u32 i, n;

	for (n = 1; n < 700; n = n * 3 / 2 + 1) {
		md_begin(&e, 2048, 100);
		for (i = 0; i < n; i++)
			assert_int_equal(thinx_md_create_thin(e.md, i * 5), 0);
		md_commit(&e);
		for (i = 0; i < THINX_MD_PAIRS_MAX; i++)
			p[i] = (struct thinx_md_pair){ i * 55 + 1, i % n * 5 };
		assert_int_equal(thinx_md_create_snaps(e.md, p,
						       THINX_MD_PAIRS_MAX), 0);
		md_commit(&e);
		for (i = 0; i < THINX_MD_PAIRS_MAX; i++)
			p[i].other = n > 5 * THINX_MD_PAIRS_MAX ? i * 25 : 0;
		i = n > 5 * THINX_MD_PAIRS_MAX ? THINX_MD_PAIRS_MAX : 1;
		assert_int_equal(thinx_md_swap(e.md, p, i), 0);
		md_commit(&e);
		md_end(&e);
	}
}

/* Whatever room there is: all of them or none, and nothing breaks. */
static void test_snapshots_without_room_change_nothing(void **state)
{
	struct thinx_md_pair p[THINX_MD_PAIRS_MAX];
	int r, refused = 0, accepted = 0;
	struct thinx_md_dev *dev;
	char *before, *after;
	struct md_env e;
	u32 i, nr;

	for (nr = 64; nr < 320; nr += 8) {
		md_begin(&e, nr, 20000);
		dev = md_create(&e, 0);
		for (i = 0; i < 3000 && !md_try_map(&e, dev, i * 300, 3); i++)
			;
		thinx_md_close_device(dev);
		md_commit(&e);
		for (i = 0; i < THINX_MD_PAIRS_MAX; i++)
			p[i] = (struct thinx_md_pair){ 100 + i, 0 };
		before = dump_all(&e);
		r = thinx_md_create_snaps(e.md, p, THINX_MD_PAIRS_MAX);
		if (r) {
			assert_int_equal(r, -ENOSPC);
			after = dump_all(&e);
			assert_string_equal(after, before);
			free(after);
			refused++;
		} else {
			accepted++;
		}
		free(before);
		md_commit(&e);
		/* Nobody waits for room that only this wanted. */
		assert_int_equal(thinx_md_delete(e.md, 0), 0);
		md_commit(&e);
		md_end(&e);
	}
	assert_true(refused && accepted);
}

/* ---- swap ---- */

static void test_swap_exchanges_contents(void **state)
{
	struct thinx_md_dev *a, *b;
	struct md_env e;
	char *dump;

	begin_with_three(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 2), 0);
	md_commit(&e);
	a = md_open(&e, 1);
	b = md_open(&e, 2);
	assert_int_equal(SWAP(&e, { 1, 2 }), 0);
	assert_true(thinx_md_dev_is_dirty(a));
	assert_true(thinx_md_dev_is_dirty(b));
	assert_int_equal(thinx_md_dev_mapped_blocks(a), 2);
	assert_int_equal(thinx_md_dev_snapshotted_time(a), 1);
	assert_int_equal(thinx_md_dev_mapped_blocks(b), 1);
	assert_int_equal(thinx_md_dev_snapshotted_time(b), 0);
	assert_true(md_get(a, 10) == THINX_WORD_HOLE);
	assert_int_equal(thinx_mapping_block(md_get(a, 20)), 1);
	/* Changes go to what they show now. */
	md_map(&e, a, 20, 1);
	md_map(&e, b, 500, 1);
	thinx_md_close_device(a);
	thinx_md_close_device(b);
	md_commit(&e);
	md_crash(&e);
	dump = md_dump_runs(e.md, 1);
	assert_string_equal(dump, "1 s1 n2: 20>6@1 21>2@0 ");
	free(dump);
	dump = md_dump_runs(e.md, 2);
	assert_string_equal(dump, "2 s0 n2: 10>0@0 500>7@1 ");
	free(dump);
	dump = md_dump_runs(e.md, 4);
	assert_string_equal(dump, "4 s1 n2: 20+2>1@0 ");
	free(dump);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_swapping_twice_changes_nothing(void **state)
{
	char *before, *after;
	struct md_env e;

	begin_with_three(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 2), 0);
	before = dump_all(&e);
	assert_int_equal(SWAP(&e, { 1, 2 }, { 3, 4 }), 0);
	md_commit(&e);
	after = dump_all(&e);
	assert_string_not_equal(after, before);
	free(after);
	md_crash(&e);
	assert_int_equal(SWAP(&e, { 4, 3 }, { 1, 2 }), 0);
	md_commit(&e);
	after = dump_all(&e);
	assert_string_equal(after, before);
	free(before);
	free(after);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

/* What it pins stays as it was, and so do the counts. */
static void test_swap_beneath_a_metadata_snapshot(void **state)
{
	struct md_env e;

	begin_with_three(&e);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	assert_int_equal(SWAP(&e, { 1, 3 }), 0);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(data_used(&e), 6);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	assert_int_equal(data_used(&e), 3);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_refused_swap_changes_nothing(void **state)
{
	char *before, *after;
	struct md_env e;

	begin_with_three(&e);
	before = dump_all(&e);
	assert_int_equal(SWAP(&e, { 1, 1 }), -EINVAL);
	assert_int_equal(SWAP(&e, { 1, 2 }, { 3, 1 }), -EINVAL);
	assert_int_equal(SWAP(&e, { 1, 2 }, { 2, 3 }), -EINVAL);
	assert_int_equal(SWAP(&e, { 1, 2 }, { 1, 2 }), -EINVAL);
	assert_int_equal(SWAP(&e, { 1, 2 }, { 3, 9 }), -ENODATA);
	assert_int_equal(SWAP(&e, { 9, 2 }), -ENODATA);
	assert_int_equal(SWAP(&e, { 1, THINX_DEV_ID_MAX + 1 }), -ENODATA);
	assert_int_equal(thinx_md_swap(e.md, NULL, 0), -EINVAL);
	assert_false(thinx_md_is_dirty(e.md));
	after = dump_all(&e);
	assert_string_equal(after, before);
	free(before);
	free(after);
	md_end(&e);
}

static void test_swap_is_undone_by_an_abort(void **state)
{
	struct thinx_md_dev *a, *b;
	char *before, *after;
	struct md_env e;

	begin_with_three(&e);
	a = md_open(&e, 1);
	b = md_open(&e, 2);
	before = dump_all(&e);
	assert_int_equal(SWAP(&e, { 1, 2 }), 0);
	assert_int_equal(thinx_md_abort(e.md), 0);
	after = dump_all(&e);
	assert_string_equal(after, before);
	free(before);
	free(after);
	assert_true(thinx_md_dev_lost_changes(a));
	assert_true(thinx_md_dev_lost_changes(b));
	assert_int_equal(thinx_md_dev_mapped_blocks(a), 1);
	thinx_md_close_device(a);
	thinx_md_close_device(b);
	md_end(&e);
}

/* Who wrote to one of them must not be told that it is safe. */
static void test_lost_changes_stay_and_go_with_the_contents(void **state)
{
	struct thinx_md_dev *a, *b;
	struct md_env e;

	begin_with_three(&e);
	a = md_open(&e, 1);
	b = md_open(&e, 2);
	md_map(&e, a, 77, 1);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(thinx_md_dev_lost_changes(a));
	assert_false(thinx_md_dev_lost_changes(b));
	assert_int_equal(SWAP(&e, { 1, 2 }), 0);
	assert_true(thinx_md_dev_lost_changes(a));
	assert_true(thinx_md_dev_lost_changes(b));
	thinx_md_close_device(a);
	thinx_md_close_device(b);
	md_end(&e);
}

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
	before = meta_free(&e);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 600);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	dev = md_open(&e, 2);
	md_map(&e, dev, 100, 50);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(data_used(&e), 650);

	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(data_used(&e), 600);
	md_check(&e);
	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	assert_int_equal(data_used(&e), 0);
	md_commit(&e);
	assert_int_equal(meta_free(&e), before);
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
	assert_int_equal(data_used(e), 30000);
}

static void test_large_device_is_deleted_in_steps(void **state)
{
	struct md_env e;

	begin_with_large_device(&e, 4096);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(data_used(&e), 0);
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
	assert_int_equal(data_used(&e), 0);
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
	assert_int_equal(data_used(&e), 0);
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
	assert_in_range(data_used(&e), 50000, NR_LONELY - 2 * 28000);
	assert_int_equal(md_delete_with(e.md, 1, commit_between, &c), 0);
	assert_int_equal(data_used(&e), 0);
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
	assert_int_equal(data_used(&e), 0);
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
	assert_int_equal(data_used(&e), NR_LONELY);
	assert_int_equal(md_release_snap_with(e.md, commit_between, &c), 0);
	assert_in_range(c.nr, 3, 5);
	assert_int_equal(data_used(&e), 0);
	md_commit(&e);
	md_end(&e);
}

static int ask_for_it_between(void *context)
{
	struct committer *c = context;
	struct thinx_md_dev *dev;

	md_insist(thinx_md_open_device(c->e->md, 1, &dev) == -EBUSY);
	md_insist(thinx_md_delete(c->e->md, 1) == -EBUSY);
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
	assert_int_equal(data_used(&e), 0);
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
	assert_int_equal(data_used(&e), 0);
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

	while (meta_free(e) > left) {
		if (md_try_map(e, dev, v, 100))
			break;
		v += 100;
		md_commit(e);
	}
	thinx_md_close_device(dev);
	md_commit(e);
	print_message("%llu metadata blocks are free\n",
		      (unsigned long long)meta_free(e));
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
		cmocka_unit_test(test_create_twice_is_refused),
		cmocka_unit_test(test_ids_have_24_bits),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_opening_twice_gives_one_object),
		cmocka_unit_test(test_unknown_device_cannot_be_opened),
		cmocka_unit_test(test_device_closed_with_changes_stays_dirty),
		cmocka_unit_test(test_new_device_is_dirty_until_committed),
		cmocka_unit_test(test_snapshot_shares_everything),
		cmocka_unit_test(test_snapshot_copies_what_is_not_committed_yet),
		cmocka_unit_test(test_snapshot_of_a_closed_device_sets_its_time),
		cmocka_unit_test(test_snapshot_errors),
		cmocka_unit_test(test_snapshots_end_when_the_time_is_used_up),
		cmocka_unit_test(test_time_is_used_again_if_nothing_has_it),
		cmocka_unit_test(test_time_of_a_claimed_block_is_not_used_again),
		cmocka_unit_test(test_time_is_not_used_again_after_a_crash_or_an_abort),
		cmocka_unit_test(test_time_is_that_of_all_devices),
		cmocka_unit_test(test_snapshots_of_several_devices),
		cmocka_unit_test(test_refused_snapshots_change_nothing),
		cmocka_unit_test(test_snapshots_in_all_shapes_of_trees),
		cmocka_unit_test(test_snapshots_without_room_change_nothing),
		cmocka_unit_test(test_swap_exchanges_contents),
		cmocka_unit_test(test_swapping_twice_changes_nothing),
		cmocka_unit_test(test_swap_beneath_a_metadata_snapshot),
		cmocka_unit_test(test_refused_swap_changes_nothing),
		cmocka_unit_test(test_swap_is_undone_by_an_abort),
		cmocka_unit_test(test_lost_changes_stay_and_go_with_the_contents),
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
