// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Snapshots, one or many at a time, the time they get, and swapped contents.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/metadata.h"

/* ---- snapshots ---- */

static void test_snapshot_shares_everything(void **state)
{
	struct thinx_md_dev *origin, *snap;
	struct md_env e;
	u64 used, v;

	md_begin(&e, 256, 1000);
	origin = md_create(&e, 1);
	md_map(&e, origin, 10, 500);
	used = md_data_used(&e);
	assert_int_equal(used, 500);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	assert_int_equal(md_data_used(&e), used);

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
	assert_int_equal(md_data_used(&e), used + 1);
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
	assert_int_equal(md_data_used(&e), 6);
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
	assert_int_equal(md_data_used(&e), 6);
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	assert_int_equal(md_data_used(&e), 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
