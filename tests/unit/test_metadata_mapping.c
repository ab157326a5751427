// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The mapping tree: look up, insert, remove.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/metadata.h"
#include "metadata/superblock.h"
#include "tests/check/metadata-check.h"

/* ---- look up ---- */

struct seen {
	u64 begin, end;
	u32 nr;
};

static void see(void *context, const struct thinx_md_leaf *l)
{
	struct seen *s = context;

	s->begin = l->begin;
	s->end = l->end;
	s->nr = l->nr;
}

static void test_lookup_in_an_empty_device_knows_everything(void **state)
{
	struct thinx_md_dev *dev;
	struct seen s;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	assert_int_equal(thinx_md_lookup(dev, 12345, see, &s), 0);
	assert_int_equal(s.begin, 0);
	assert_int_equal(s.end, 0);	/* 2^64 */
	assert_int_equal(s.nr, 0);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_leaves_meet_without_gap(void **state)
{
	struct thinx_md_dev *dev;
	u64 next = 0, total = 0;
	struct seen s;
	struct md_env e;

	md_begin(&e, 512, 10000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 1000, 3000);
	do {
		assert_int_equal(thinx_md_lookup(dev, next, see, &s), 0);
		assert_int_equal(s.begin, next);
		total += s.nr;
		next = s.end;
	} while (next);
	assert_int_equal(total, 3000);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_highest_mapped(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 b;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	assert_int_equal(thinx_md_dev_highest_mapped(dev, &b), -ENODATA);
	md_map(&e, dev, 77, 2);
	md_map(&e, dev, 5, 1);
	assert_int_equal(thinx_md_dev_highest_mapped(dev, &b), 0);
	assert_int_equal(b, 78);
	thinx_md_close_device(dev);
	md_end(&e);
}

/* ---- insert ---- */

static void test_inserted_run_maps_neighbours(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m;
	struct md_env e;
	u64 begin, nr, i;

	md_begin(&e, 128, 2000);
	dev = md_create(&e, 1);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_find_run_locked(e.md, 1000, &begin, &nr), 0);
	assert_int_equal(nr, 1000);
	assert_int_equal(thinx_md_insert_run_locked(dev, 50, begin, nr, &m), 0);
	thinx_md_unlock(e.md);
	assert_true(m == thinx_mapping_pack(begin, 0));
	for (i = 0; i < nr; i++)
		assert_true(md_get(dev, 50 + i) ==
			    thinx_mapping_pack(begin + i, 0));
	assert_true(md_get(dev, 49) == THINX_WORD_HOLE);
	assert_true(md_get(dev, 50 + nr) == THINX_WORD_HOLE);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 1000);
	assert_int_equal(md_data_used(&e), 1000);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_held_blocks_are_nobody_elses(void **state)
{
	struct thinx_md_dev *dev;
	u64 begin, nr, other, nr_other;
	struct thinx_md_space s;
	thinx_word_t m;
	struct md_env e;

	md_begin(&e, 128, 10);
	dev = md_create(&e, 1);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_find_run_locked(e.md, 6, &begin, &nr), 0);
	assert_int_equal(nr, 6);
	assert_int_equal(thinx_md_find_run_locked(e.md, 6, &other, &nr_other),
			 0);
	assert_int_equal(nr_other, 4);
	assert_true(other >= begin + nr || other + nr_other <= begin);
	assert_int_equal(thinx_md_find_run_locked(e.md, 1, &other, &nr_other),
			 -EXFULL);
	thinx_md_get_space_locked(e.md, &s);
	assert_int_equal(s.data_used, 0);
	assert_int_equal(s.data_allocatable, 0);
	assert_int_equal(s.data_pending, 10);
	thinx_md_unhold_locked(e.md, 0, 10);
	assert_int_equal(thinx_md_find_run_locked(e.md, 10, &begin, &nr), 0);
	assert_int_equal(nr, 10);
	/* Holding alone leaves nothing on disk. */
	assert_int_equal(thinx_md_insert_run_locked(dev, 0, 3, 2, &m), 0);
	thinx_md_unlock(e.md);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), 2);
	thinx_md_close_device(dev);
	md_crash(&e);
	assert_int_equal(md_data_used(&e), 2);
	md_end(&e);
}

static void test_overwritten_block_is_free_after_the_commit(void **state)
{
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	struct md_env e;
	u64 old;

	md_begin(&e, 128, 3);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	md_commit(&e);
	old = thinx_mapping_block(md_get(dev, 0));
	md_map(&e, dev, 0, 1);
	assert_int_not_equal(thinx_mapping_block(md_get(dev, 0)), old);
	assert_int_equal(md_data_used(&e), 1);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 1);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_pending, 1);
	/* One is free, the other waits for the commit. */
	md_map(&e, dev, 1, 1);
	assert_int_equal(md_try_map(&e, dev, 2, 1), -EXFULL);
	md_commit(&e);
	md_map(&e, dev, 2, 1);
	assert_int_equal(thinx_mapping_block(md_get(dev, 2)), old);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_insert_refuses_impossible_arguments(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m;
	struct md_env e;

	md_begin(&e, 128, 2000);
	dev = md_create(&e, 1);
	md_commit(&e);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_insert_run_locked(dev, 0, 0, 0, &m), -EINVAL);
	assert_int_equal(thinx_md_insert_run_locked(dev, 0, 0, 1025, &m),
			 -EINVAL);
	assert_int_equal(thinx_md_insert_run_locked(dev, 0, 1999, 2, &m),
			 -EINVAL);
	assert_int_equal(thinx_md_insert_run_locked(dev, 0, ~0ULL, 1, &m),
			 -EINVAL);
	assert_int_equal(thinx_md_insert_run_locked(dev, ~0ULL, 0, 2, &m),
			 -EINVAL);
	thinx_md_unlock(e.md);
	assert_false(thinx_md_is_dirty(e.md));
	thinx_md_close_device(dev);
	md_end(&e);
}

/* ---- remove ---- */

static struct thinx_md_removal *removal(u64 begin, u64 end, bool want_freed)
{
	struct thinx_md_removal *r = calloc(1, sizeof(*r));

	r->begin = begin;
	r->end = end;
	r->want_freed = want_freed;
	return r;
}

static int remove_step(struct md_env *e, struct thinx_md_dev *dev,
		       struct thinx_md_removal *r)
{
	int err;

	thinx_md_lock(e->md);
	err = thinx_md_remove_range_locked(dev, r);
	thinx_md_unlock(e->md);
	return err;
}

static void test_freed_blocks_are_listed_and_held(void **state)
{
	struct thinx_md_removal *r = removal(10, 20, true);
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	struct md_env e;
	u64 first;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 100);
	first = thinx_mapping_block(md_get(dev, 10));
	md_commit(&e);
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_int_equal(r->nr_freed, 1);
	assert_int_equal(r->freed[0].begin, first);
	assert_int_equal(r->freed[0].end, first + 10);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 90);
	md_commit(&e);
	/* Free on disk, but held until the discard has been passed down. */
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_used, 90);
	assert_int_equal(s.data_allocatable, 0);
	assert_int_equal(s.data_pending, 10);
	thinx_md_unhold(e.md, first, first + 10);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_allocatable, 10);
	thinx_md_close_device(dev);
	md_end(&e);
	free(r);
}

/* As damaged metadata may have it, with a count of two. */
static void test_block_mapped_twice_is_listed_once(void **state)
{
	struct thinx_md_removal *r = removal(0, 1000, true);
	struct thinx_md_dev *dev;
	struct md_env e;
	thinx_word_t m;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 20);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_insert_run_locked(dev, 500, 0, 10, &m), 0);
	assert_int_equal(thinx_md_insert_run_locked(dev, 600, 5, 10, &m), 0);
	thinx_md_unlock(e.md);
	md_commit(&e);
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_int_equal(r->nr_freed, 1);
	assert_int_equal(r->freed[0].begin, 0);
	assert_int_equal(r->freed[0].end, 20);
	assert_int_equal(md_data_used(&e), 0);
	thinx_md_close_device(dev);
	md_end(&e);
	free(r);
}

static void test_shared_blocks_are_not_listed_as_freed(void **state)
{
	struct thinx_md_removal *r = removal(0, 100, true);
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 50);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	md_map(&e, dev, 50, 10);
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_int_equal(r->nr_freed, 1);
	assert_int_equal(r->freed[0].end - r->freed[0].begin, 10);
	assert_int_equal(md_data_used(&e), 50);
	thinx_md_close_device(dev);
	md_end(&e);
	free(r);
}

static void test_large_range_goes_in_bounded_steps(void **state)
{
	struct thinx_md_removal *r = removal(0, 20000, true);
	struct thinx_md_dev *dev;
	u64 i, total = 0, before;
	struct md_env e;
	int steps = 0;

	md_begin(&e, 1024, 30000);
	dev = md_create(&e, 1);
	/* No two are neighbours: each block is a run of its own. */
	for (i = 0; i < 10000; i++)
		md_map(&e, dev, i * 7919 % 10000 * 2, 1);
	while (!r->done) {
		before = r->begin;
		assert_int_equal(remove_step(&e, dev, r), 0);
		assert_true(r->done || r->begin > before);
		assert_true(r->nr_freed <= THINX_MD_RUN_MAX);
		for (i = 0; i < r->nr_freed; i++)
			total += r->freed[i].end - r->freed[i].begin;
		md_check(&e);
		steps++;
	}
	assert_int_equal(total, 10000);
	assert_in_range(steps, 10, 80);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	thinx_md_close_device(dev);
	md_end(&e);
	free(r);
}

static void test_removing_nothing_is_done_at_once(void **state)
{
	struct thinx_md_removal *r = removal(5, 5, true);
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 10);
	md_commit(&e);
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_false(thinx_md_is_dirty(e.md));
	*r = (struct thinx_md_removal){ .begin = 0, .end = 0 };
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 10);
	/* A range of holes. */
	*r = (struct thinx_md_removal){ .begin = 1000, .end = ~0ULL };
	assert_int_equal(remove_step(&e, dev, r), 0);
	assert_true(r->done);
	assert_int_equal(r->nr_freed, 0);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 10);
	thinx_md_close_device(dev);
	md_end(&e);
	free(r);
}

/* ---- damaged metadata ---- */

static void begin_with_wild_mapping(struct md_env *e)
{
	__le64 wild = cpu_to_le64(thinx_mapping_pack(100, 0));
	struct thinx_md_dev *dev;
	struct ram_image *img;
	const __le64 *top;
	pd_block_t root;
	u64 leaf;

	md_begin(e, 128, 100);
	dev = md_create(e, 1);
	md_map(e, dev, 0, 10);
	thinx_md_close_device(dev);
	md_commit(e);
	img = md_pull_image(e);
	memcpy(&root, ram_image_read(img, 0) +
	       offsetof(struct thinx_disk_superblock, data_mapping_root), 8);
	top = ram_image_read(img, le64_to_cpu(root)) + 0x800;
	leaf = le64_to_cpu(*top);
	md_poke(img, leaf, 0x800 + 5 * 8, &wild, 8, PD_NODE_CSUM_XOR);
	md_insist(!md_push_image(e, img));
}

static void never(void *context, const struct thinx_md_leaf *l)
{
	md_insist(false);
}

static void test_mapping_beyond_the_data_device_is_noticed(void **state)
{
	struct thinx_md_dev *dev;
	thinx_word_t m[10];
	struct md_env e;
	bool ex[10];

	begin_with_wild_mapping(&e);
	dev = md_open(&e, 1);
	assert_int_equal(thinx_md_lookup(dev, 0, never, NULL), -EILSEQ);
	assert_int_equal(thinx_md_check(e.md), -EILSEQ);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_restamp_locked(dev, 0, 10, m, ex), -EILSEQ);
	thinx_md_unlock(e.md);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(md_try_unmap(&e, dev, 0, 10), -EILSEQ);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(md_try_map(&e, dev, 5, 1), -EILSEQ);
	assert_int_equal(thinx_md_abort(e.md), 0);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), -EILSEQ);
	assert_int_equal(thinx_md_abort(e.md), 0);
	md_close(&e);
}

static void test_shared_wild_mapping_is_noticed_when_parting(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	begin_with_wild_mapping(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	dev = md_open(&e, 2);
	assert_int_equal(md_try_map(&e, dev, 0, 1), -EILSEQ);
	/* Broken: only an abort is left. */
	assert_int_equal(thinx_md_lookup(dev, 0, never, NULL), -EUCLEAN);
	assert_int_equal(thinx_md_commit(e.md, NULL), -EUCLEAN);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(thinx_md_lookup(dev, 0, never, NULL), -ENODATA);
	thinx_md_close_device(dev);
	md_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_in_an_empty_device_knows_everything),
		cmocka_unit_test(test_leaves_meet_without_gap),
		cmocka_unit_test(test_highest_mapped),
		cmocka_unit_test(test_inserted_run_maps_neighbours),
		cmocka_unit_test(test_held_blocks_are_nobody_elses),
		cmocka_unit_test(test_overwritten_block_is_free_after_the_commit),
		cmocka_unit_test(test_insert_refuses_impossible_arguments),
		cmocka_unit_test(test_freed_blocks_are_listed_and_held),
		cmocka_unit_test(test_block_mapped_twice_is_listed_once),
		cmocka_unit_test(test_shared_blocks_are_not_listed_as_freed),
		cmocka_unit_test(test_large_range_goes_in_bounded_steps),
		cmocka_unit_test(test_removing_nothing_is_done_at_once),
		cmocka_unit_test(test_mapping_beyond_the_data_device_is_noticed),
		cmocka_unit_test(test_shared_wild_mapping_is_noticed_when_parting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
