// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What has to be read from the device: a delete or a release reads what it
 * frees, not what lives on.  And when: hardly anything is read while the metadata
 * lock is held for writing.
 */
#include "md-env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/metadata.h"
#include "persistent-data/block-manager.h"

#define NR_LEAVES	8064
#define PER_LEAF	126	/* filled in sequence, leaves are half full */
#define NR_MAPPED	(NR_LEAVES * PER_LEAF)

/* Device 1 has this many leaves. */
static void begin(struct md_env *e)
{
	struct thinx_md_dev *dev;

	md_begin(e, 20000, NR_MAPPED + 20000);
	dev = md_create(e, 1);
	md_map(e, dev, 0, NR_MAPPED);
	thinx_md_close_device(dev);
	md_commit(e);
}

/* Give device @id @nr leaves of its own. */
static void diverge(struct md_env *e, u32 id, u64 nr)
{
	struct thinx_md_dev *dev = md_open(e, id);
	u64 i;

	for (i = 0; i < nr; i++)
		md_map(e, dev, i * (NR_LEAVES / nr) * PER_LEAF + 7, 1);
	thinx_md_close_device(dev);
	md_commit(e);
}

static int commit(void *context)
{
	md_commit(context);
	return 0;
}

static unsigned long nr_reads(struct md_env *e)
{
	return ram_store_nr_ops(e->io, RAM_OP_READ);
}

static void test_delete_of_a_snapshot_reads_its_own_leaves(void **state)
{
	unsigned long before;
	struct md_env e;
	u32 id;

	for (id = 1; id <= 2; id++) {
		begin(&e);
		assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
		diverge(&e, id, 50);
		ram_store_evict(e.io);
		before = nr_reads(&e);
		assert_int_equal(md_delete_with(e.md, id, commit, &e), 0);
		print_message("%lu reads\n", nr_reads(&e) - before);
		assert_in_range(nr_reads(&e) - before, 50, 200);
		md_commit(&e);
		/* Device 2 never had more than it shared, or has 50 of its own. */
		assert_int_equal(md_data_used(&e), NR_MAPPED);
		md_end(&e);
	}
}

static void test_release_reads_what_is_its_own(void **state)
{
	unsigned long before;
	struct md_env e;

	begin(&e);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	diverge(&e, 1, 50);
	ram_store_evict(e.io);
	before = nr_reads(&e);
	assert_int_equal(md_release_snap_with(e.md, commit, &e), 0);
	print_message("%lu reads\n", nr_reads(&e) - before);
	assert_in_range(nr_reads(&e) - before, 50, 200);
	md_commit(&e);
	assert_int_equal(md_data_used(&e), NR_MAPPED);
	md_end(&e);
}

/* ---- a store that counts reads under the lock ---- */

#define MOST_READS	8

static struct {
	struct md_env *e;
	const struct pd_block_io_ops *store;
	struct pd_block_io_ops ops;
	unsigned long hold;	/* in this critical section so far */
	unsigned long most;	/* in the worst one */
} watched;

static int watched_read(struct pd_block_io *io, pd_block_t b, void **handle,
			void **data, struct pd_buffer_aux **aux)
{
	unsigned long before = ram_store_nr_ops(io, RAM_OP_READ);
	int r = watched.store->read(io, b, handle, data, aux);

	if (lockdep_is_held(&watched.e->md->lock) &&
	    watched.e->md->lock.owner.nr_writers)
		watched.hold += ram_store_nr_ops(io, RAM_OP_READ) - before;
	if (watched.hold > watched.most)
		watched.most = watched.hold;
	return r;
}

/* Waits are made without the lock: a new section begins. */
static int watched_wait(struct pd_block_io *io, pd_block_t b)
{
	md_insist(!lockdep_is_held(&watched.e->md->lock));
	watched.hold = 0;
	return watched.store->wait(io, b);
}

static void watch(struct md_env *e)
{
	ram_store_evict(e->io);
	watched.e = e;
	watched.hold = 0;
	watched.most = 0;
	if (e->io->ops == &watched.ops)
		return;
	watched.store = e->io->ops;
	watched.ops = *e->io->ops;
	watched.ops.read = watched_read;
	watched.ops.wait = watched_wait;
	e->io->ops = &watched.ops;
}

/* Each neighbour of a mapping of device 1 is in another bitmap. */
#define NR_BITMAPS	300
#define NR_SCATTERED	12000

static void begin_scattered(struct md_env *e)
{
	struct thinx_md_dev *dev;
	u64 i;

	md_begin(e, 3000, NR_BITMAPS * PD_ENTRIES_PER_BITMAP);
	dev = md_create(e, 1);
	for (i = 0; i < NR_SCATTERED; i++) {
		thinx_word_t m;
		u64 b = i % NR_BITMAPS * PD_ENTRIES_PER_BITMAP + i;

		thinx_md_lock(e->md);
		assert_int_equal(pd_sm_hold(e->md->data_sm, b, b + 1), 0);
		assert_int_equal(thinx_md_insert_run_locked(dev, i * 2, b, 1, &m),
				 0);
		thinx_md_unlock(e->md);
	}
	thinx_md_close_device(dev);
	md_commit(e);
}

static void test_cold_delete_reads_little_under_the_lock(void **state)
{
	struct md_env e;

	begin_scattered(&e);
	watch(&e);
	assert_int_equal(md_delete_with(e.md, 1, commit, &e), 0);
	print_message("%lu reads in one section\n", watched.most);
	assert_in_range(watched.most, 0, MOST_READS);
	md_commit(&e);
	md_end(&e);
}

static void remove_step(struct md_env *e, struct thinx_md_dev *dev, u64 begin,
			bool ahead)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));

	rm->begin = begin;
	rm->end = ~0ULL;
	rm->want_freed = true;
	watch(e);
	if (ahead)
		thinx_md_read_ahead_remove(dev, rm->begin, rm->end);
	thinx_md_lock(e->md);
	watched.hold = 0;
	assert_int_equal(thinx_md_remove_range_locked(dev, rm), 0);
	thinx_md_unlock(e->md);
	free(rm);
}

/* Alone, or with a snapshot: then the rest of the first leaf is counted. */
static void test_cold_discard_reads_little_under_the_lock(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int shared;

	for (shared = 0; shared < 2; shared++) {
		begin_scattered(&e);
		if (shared)
			assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
		dev = md_open(&e, 1);
		md_commit(&e);
		remove_step(&e, dev, 301, true);
		print_message("%lu reads in one section\n", watched.most);
		assert_in_range(watched.most, 0, MOST_READS);
		/* It would be many otherwise. */
		md_commit(&e);
		remove_step(&e, dev, 4501, false);
		print_message("%lu reads without reading ahead\n",
			      watched.most);
		assert_true(watched.most > 100);
		thinx_md_close_device(dev);
		md_commit(&e);
		md_end(&e);
	}
}

static void test_cold_insert_reads_little_under_the_lock(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	thinx_word_t m;
	u64 begin, nr;
	int ahead;

	begin_scattered(&e);
	dev = md_open(&e, 1);
	for (ahead = 1; ahead >= 0; ahead--) {
		assert_int_equal(thinx_md_create_snap(e.md, 3 + ahead, 1), 0);
		md_commit(&e);
		watch(&e);
		if (ahead)
			thinx_md_read_ahead_write(dev, 3000, 64);
		thinx_md_lock(e.md);
		assert_int_equal(thinx_md_find_run_locked(e.md, 64, &begin, &nr),
				 0);
		assert_int_equal(nr, 64);
		watched.hold = 0;
		watched.most = 0;
		assert_int_equal(thinx_md_insert_run_locked(dev, 3000, begin, nr,
							    &m), 0);
		thinx_md_unlock(e.md);
		print_message("%lu reads in one section\n", watched.most);
		if (ahead)
			assert_in_range(watched.most, 0, MOST_READS);
		else
			assert_true(watched.most > 100);
	}
	thinx_md_close_device(dev);
	md_commit(&e);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete_of_a_snapshot_reads_its_own_leaves),
		cmocka_unit_test(test_release_reads_what_is_its_own),
		cmocka_unit_test(test_cold_delete_reads_little_under_the_lock),
		cmocka_unit_test(test_cold_discard_reads_little_under_the_lock),
		cmocka_unit_test(test_cold_insert_reads_little_under_the_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
