// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The façade: generations, the commit sequence, aborts, what is refused.
 */
#include "md-env.h"
#include "tests/check/metadata-check.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- generations and commit ---- */

static int count_flush(void *context)
{
	++*(int *)context;
	return 0;
}

static void test_clean_commit_does_nothing(void **state)
{
	struct md_env e;
	int flushes = 0;
	u64 gen;

	md_begin(&e, 128, 100);
	gen = thinx_md_open_generation(e.md);
	ram_store_record(e.io, true);
	assert_int_equal(md_commit_with(e.md, count_flush, &flushes), 0);
	assert_int_equal(flushes, 0);
	assert_int_equal(ram_store_nr_events(e.io), 0);
	assert_int_equal(thinx_md_open_generation(e.md), gen);
	md_end(&e);
}

static void test_commit_completes_the_generation_of_the_change(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int flushes = 0;
	u64 gen;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	gen = thinx_md_open_generation(e.md);
	assert_true(thinx_md_is_dirty(e.md));
	assert_int_equal(thinx_md_dev_generation(dev), gen);
	assert_true(thinx_md_completed_generation(e.md) < gen);
	assert_int_equal(md_commit_with(e.md, count_flush, &flushes), 0);
	assert_int_equal(flushes, 1);
	assert_false(thinx_md_is_dirty(e.md));
	assert_int_equal(thinx_md_completed_generation(e.md), gen);
	assert_int_equal(thinx_md_open_generation(e.md), gen + 1);
	assert_int_equal(thinx_md_dev_generation(dev), gen);
	thinx_md_close_device(dev);
	md_end(&e);
}

struct order {
	struct md_env *e;
	size_t events_at_flush;
};

static int note_events(void *context)
{
	struct order *o = context;

	o->events_at_flush = ram_store_nr_events(o->e->io);
	return 0;
}

static void test_commit_order_is_data_blocks_flush_superblock(void **state)
{
	struct md_env e;
	struct order o = { .e = &e };
	size_t i, nr;

	md_begin(&e, 128, 100);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(md_commit_with(e.md, note_events, &o), 0);
	assert_int_equal(o.events_at_flush, 0);
	nr = ram_store_nr_events(e.io);
	assert_true(nr >= 3);
	for (i = 0; i < nr - 2; i++)
		assert_int_equal(ram_store_event(e.io, i)->kind, RAM_WRITE);
	assert_int_equal(ram_store_event(e.io, nr - 2)->kind, RAM_FLUSH);
	assert_int_equal(ram_store_event(e.io, nr - 1)->kind, RAM_SUPER);
	md_end(&e);
}

struct ending {
	struct md_env *e;
	size_t events_at_end;
	int result;
};

static int end_flush(void *context)
{
	struct ending *end = context;

	end->events_at_end = ram_store_nr_events(end->e->io);
	return end->result;
}

static const struct thinx_md_hooks ending_hooks = { .end_flush = end_flush };

static void test_only_the_superblock_waits_for_the_flush_of_the_data(void **state)
{
	struct ending end = { .result = 0 };
	struct md_env e;
	size_t nr;

	end.e = &e;
	md_begin(&e, 128, 100);
	thinx_md_set_hooks(e.md, &ending_hooks, &end);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(thinx_md_commit(e.md, NULL), 0);
	nr = ram_store_nr_events(e.io);
	assert_int_equal(end.events_at_end, nr - 1);
	assert_int_equal(ram_store_event(e.io, nr - 1)->kind, RAM_SUPER);
	thinx_md_set_hooks(e.md, NULL, NULL);
	md_end(&e);
}

static void test_no_superblock_is_written_if_the_data_is_not_flushed(void **state)
{
	struct ending end = { .result = -EIO };
	struct md_env e;

	end.e = &e;
	md_begin(&e, 128, 100);
	thinx_md_set_hooks(e.md, &ending_hooks, &end);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(thinx_md_commit(e.md, NULL), -EIO);
	assert_int_equal(ram_store_nr_events(e.io), end.events_at_end);
	assert_true(thinx_md_is_broken(e.md));
	thinx_md_set_hooks(e.md, NULL, NULL);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_end(&e);
}

struct pipelined {
	struct md_env *e;
	struct thinx_md_dev *dev, *other;
	u64 gen;
};

/* While the closed generation is on its way to disk. */
static int change_meanwhile(void *context)
{
	struct pipelined *p = context;

	md_insist(thinx_md_open_generation(p->e->md) == p->gen + 1);
	md_insist(thinx_md_completed_generation(p->e->md) < p->gen);
	md_insist(!thinx_md_is_dirty(p->e->md));
	md_insist(thinx_md_dev_is_dirty(p->dev));
	md_insist(thinx_md_dev_is_dirty(p->other));
	/* Look-ups and changes go on. */
	md_insist(md_get(p->dev, 0) != THINX_WORD_HOLE);
	md_map(p->e, p->dev, 100, 50);
	md_unmap(p->e, p->dev, 0, 5);
	md_insist(!thinx_md_create_thin(p->e->md, 9));
	md_insist(!thinx_md_create_snap(p->e->md, 8, 1));
	md_check(p->e);
	return 0;
}

static void test_changes_during_a_commit_belong_to_the_next(void **state)
{
	struct md_env e;
	struct pipelined p = { .e = &e };
	char *text;

	md_begin(&e, 256, 1000);
	p.dev = md_create(&e, 1);
	p.other = md_create(&e, 2);
	md_map(&e, p.dev, 0, 20);
	p.gen = thinx_md_open_generation(e.md);
	assert_int_equal(md_commit_with(e.md, change_meanwhile, &p), 0);
	assert_int_equal(thinx_md_completed_generation(e.md), p.gen);
	assert_true(thinx_md_is_dirty(e.md));
	assert_true(thinx_md_dev_is_dirty(p.dev));
	assert_false(thinx_md_dev_is_dirty(p.other));
	md_check(&e);
	assert_true(md_tools_check(&e));

	/* A crash now brings back what was closed. */
	thinx_md_close_device(p.dev);
	thinx_md_close_device(p.other);
	md_crash(&e);
	text = md_dump(e.md, 1);
	assert_non_null(strstr(text, "n20:"));
	free(text);
	assert_null(md_dump(e.md, 9));
	md_end(&e);
}

static void test_changes_made_during_a_commit_are_committed_next(void **state)
{
	struct md_env e;
	struct pipelined p = { .e = &e };

	md_begin(&e, 256, 1000);
	p.dev = md_create(&e, 1);
	p.other = md_create(&e, 2);
	md_map(&e, p.dev, 0, 20);
	p.gen = thinx_md_open_generation(e.md);
	assert_int_equal(md_commit_with(e.md, change_meanwhile, &p), 0);
	md_commit(&e);
	assert_false(thinx_md_dev_is_dirty(p.dev));
	thinx_md_close_device(p.dev);
	thinx_md_close_device(p.other);
	md_crash(&e);
	p.dev = md_open(&e, 1);
	assert_int_equal(thinx_md_dev_mapped_blocks(p.dev), 65);
	thinx_md_close_device(p.dev);
	assert_int_equal(thinx_md_create_thin(e.md, 9), -EEXIST);
	md_end(&e);
}

/* Blocks freed in a generation stay untouched until it has completed. */
static int use_everything_meanwhile(void *context)
{
	struct pipelined *p = context;
	struct thinx_md_space s;

	thinx_md_get_space(p->e->md, &s);
	md_insist(s.data_allocatable == 0);
	md_insist(s.data_pending == 10);
	md_insist(md_try_map(p->e, p->dev, 50, 1) == -EXFULL);
	return 0;
}

static void test_freed_blocks_wait_for_completion_not_for_closing(void **state)
{
	struct md_env e;
	struct pipelined p = { .e = &e };

	md_begin(&e, 128, 20);
	p.dev = md_create(&e, 1);
	md_map(&e, p.dev, 0, 20);
	md_commit(&e);
	md_unmap(&e, p.dev, 0, 10);
	assert_int_equal(md_commit_with(e.md, use_everything_meanwhile, &p),
			 0);
	md_map(&e, p.dev, 50, 10);
	thinx_md_close_device(p.dev);
	md_end(&e);
}

/* ---- failures and aborts ---- */

static int fail_flush(void *context)
{
	return -EIO;
}

static void test_failed_data_flush_breaks_the_transaction(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 gen;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	md_map(&e, dev, 0, 1);
	gen = thinx_md_open_generation(e.md);
	ram_store_record(e.io, true);
	assert_int_equal(md_commit_with(e.md, fail_flush, NULL), -EIO);
	assert_int_equal(ram_store_nr_events(e.io), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EUCLEAN);
	assert_int_equal(thinx_md_commit(e.md, NULL), -EUCLEAN);
	assert_true(thinx_md_is_broken(e.md));
	/* The trees are sound: look-ups still work. */
	assert_true(md_get(dev, 0) != THINX_WORD_HOLE);
	assert_true(thinx_md_dev_is_dirty(dev));
	assert_false(thinx_md_dev_lost_changes(dev));

	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_false(thinx_md_is_broken(e.md));
	assert_true(thinx_md_dev_lost_changes(dev));
	assert_false(thinx_md_dev_is_dirty(dev));
	assert_true(md_get(dev, 0) == THINX_WORD_HOLE);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	assert_true(thinx_md_open_generation(e.md) > gen + 1);
	md_map(&e, dev, 0, 1);
	md_commit(&e);
	/* Sticky until its last user closes it. */
	assert_true(thinx_md_dev_lost_changes(dev));
	thinx_md_close_device(dev);
	dev = md_open(&e, 1);
	assert_false(thinx_md_dev_lost_changes(dev));
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_abort_loses_the_open_generation_too(void **state)
{
	struct md_env e;
	struct pipelined p = { .e = &e };

	md_begin(&e, 256, 1000);
	p.dev = md_create(&e, 1);
	p.other = md_create(&e, 2);
	md_map(&e, p.dev, 0, 20);
	p.gen = thinx_md_open_generation(e.md);
	assert_int_equal(md_commit_with(e.md, change_meanwhile, &p), 0);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(thinx_md_dev_lost_changes(p.dev));
	assert_false(thinx_md_dev_lost_changes(p.other));
	assert_int_equal(thinx_md_dev_mapped_blocks(p.dev), 20);
	assert_int_equal(thinx_md_dev_snapshotted_time(p.dev), 0);
	thinx_md_close_device(p.dev);
	thinx_md_close_device(p.other);
	md_end(&e);
}

static void test_device_undone_by_an_abort_is_gone(void **state)
{
	struct thinx_md_dev *dev, *again;
	thinx_word_t m;
	struct md_env e;
	bool ex;
	u64 b;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(thinx_md_dev_lost_changes(dev));
	assert_int_equal(thinx_md_lookup(dev, 0, NULL, NULL), -ENODATA);
	assert_int_equal(thinx_md_dev_highest_mapped(dev, &b), -ENODATA);
	assert_int_equal(md_try_map(&e, dev, 0, 1), -ENODATA);
	assert_int_equal(md_try_unmap(&e, dev, 0, 1), -ENODATA);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_restamp_locked(dev, 0, 1, &m, &ex),
			 -ENODATA);
	thinx_md_unlock(e.md);
	assert_int_equal(thinx_md_open_device(e.md, 1, &again), -ENODATA);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), -ENODATA);
	assert_int_equal(thinx_md_delete(e.md, 1), -ENODATA);
	thinx_md_close_device(dev);
	/* The id is free again. */
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_end(&e);
}

static void test_abort_of_nothing_changes_nothing(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 3, 3);
	md_commit(&e);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_false(thinx_md_dev_lost_changes(dev));
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 3);
	assert_true(md_get(dev, 4) != THINX_WORD_HOLE);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_abort_forgets_holds(void **state)
{
	struct thinx_md_space s;
	struct md_env e;
	u64 begin, nr;

	md_begin(&e, 128, 100);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_find_run_locked(e.md, 100, &begin, &nr), 0);
	thinx_md_unlock(e.md);
	assert_int_equal(thinx_md_abort(e.md), 0);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_allocatable, 100);
	/* Late callers do no harm. */
	thinx_md_unhold(e.md, begin, begin + nr);
	md_end(&e);
}

/* A store whose next superblock write arrives but fails all the same. */
static int (*real_write_super)(struct pd_block_io *io, const void *data);
static int nr_bad_writes;

static int write_super_and_fail(struct pd_block_io *io, const void *data)
{
	int r = real_write_super(io, data);

	return nr_bad_writes && nr_bad_writes-- ? -EIO : r;
}

static void test_superblock_that_got_there_despite_an_error_is_settled(void **state)
{
	static struct pd_block_io_ops ops;
	struct md_env e;
	size_t events;

	md_begin(&e, 128, 100);
	ops = *e.io->ops;
	real_write_super = ops.write_super;
	ops.write_super = write_super_and_fail;
	e.io->ops = &ops;

	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	nr_bad_writes = 1;
	assert_int_equal(thinx_md_commit(e.md, NULL), -EIO);
	/* It may be in the device's cache only, so it is written again. */
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_abort(e.md), 0);
	events = ram_store_nr_events(e.io);
	assert_int_equal(events, 1);
	assert_int_equal(ram_store_event(e.io, 0)->kind, RAM_SUPER);
	assert_int_equal(thinx_md_create_thin(e.md, 1), -EEXIST);
	md_check(&e);

	/* If that fails too, nothing works any more. */
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	nr_bad_writes = 2;
	assert_int_equal(thinx_md_commit(e.md, NULL), -EIO);
	assert_int_equal(thinx_md_abort(e.md), -EIO);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -ENODEV);
	md_close(&e);
}

static void test_failed_abort_is_the_end(void **state)
{
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	md_map(&e, dev, 0, 1);
	ram_store_fail(e.io, RAM_OP_READ, 0, true);
	assert_int_equal(thinx_md_abort(e.md), -EIO);
	assert_int_equal(thinx_md_abort(e.md), -ENODEV);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -ENODEV);
	assert_int_equal(thinx_md_commit(e.md, NULL), -ENODEV);
	assert_int_equal(thinx_md_lookup(dev, 0, NULL, NULL), -ENODEV);
	assert_int_equal(thinx_md_check(e.md), -ENODEV);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EIO);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_total, 0);
	thinx_md_unhold(e.md, 0, 10);
	md_set_threshold(e.md, 1, NULL, NULL);
	thinx_md_close_device(dev);
	md_close(&e);
}

static void test_failed_metadata_can_still_be_marked_on_the_device(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	md_commit(&e);
	md_map(&e, dev, 1, 1);
	thinx_md_close_device(dev);
	ram_store_fail(e.io, RAM_OP_READ, 0, true);
	assert_int_equal(thinx_md_abort(e.md), -EIO);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EIO);
	ram_store_fail(e.io, RAM_OP_READ, -1, false);
	ram_store_fail(e.io, RAM_OP_WRITE, 0, false);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EIO);
	assert_int_equal(thinx_md_set_needs_check(e.md), 0);
	/* This does not bring the metadata back. */
	assert_int_equal(thinx_md_create_thin(e.md, 2), -ENODEV);
	assert_int_equal(thinx_md_abort(e.md), -ENODEV);

	/* The whole last commit is on the device, and so is the flag. */
	md_crash(&e);
	assert_true(thinx_md_needs_check(e.md));
	dev = md_open(&e, 1);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 1);
	thinx_md_close_device(dev);
	md_end(&e);
}

/* ---- states ---- */

static void test_read_only_refuses_all_changes(void **state)
{
	struct thinx_md_dev *dev, *again;
	struct md_env e;
	u64 begin, nr;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	md_commit(&e);
	thinx_md_set_read_only(e.md);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EPERM);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), -EPERM);
	assert_int_equal(thinx_md_delete(e.md, 1), -EPERM);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 0, 1), -EPERM);
	assert_int_equal(thinx_md_reserve_snap(e.md), -EPERM);
	assert_int_equal(thinx_md_release_snap(e.md), -EPERM);
	assert_int_equal(thinx_md_resize_data(e.md, 200), -EPERM);
	assert_int_equal(thinx_md_resize_metadata(e.md, 200), -EPERM);
	assert_int_equal(md_try_map(&e, dev, 1, 1), -EPERM);
	assert_int_equal(md_try_unmap(&e, dev, 0, 1), -EPERM);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_md_find_run_locked(e.md, 1, &begin, &nr),
			 -EPERM);
	thinx_md_unlock(e.md);
	/* Look-ups are fine, and so is a commit of nothing. */
	assert_true(md_get(dev, 0) != THINX_WORD_HOLE);
	assert_int_equal(thinx_md_open_device(e.md, 1, &again), 0);
	thinx_md_close_device(again);
	assert_int_equal(thinx_md_commit(e.md, NULL), 0);
	thinx_md_set_read_write(e.md);
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_changes_pending_when_going_read_only_are_committed(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	thinx_md_set_read_only(e.md);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EPERM);
	assert_int_equal(thinx_md_commit(e.md, NULL), 0);
	assert_false(thinx_md_is_dirty(e.md));
	md_crash(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 1), -EEXIST);
	md_end(&e);
}

static void test_probe_writes_the_superblock_of_what_was_changed(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	md_crash(&e);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_probe(e.md), 0);
	assert_int_equal(ram_store_nr_events(e.io), 0);

	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	assert_int_equal(thinx_md_probe(e.md), 0);
	assert_int_equal(ram_store_nr_events(e.io), 0);	/* for a commit to do */
	md_commit(&e);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_probe(e.md), 0);
	assert_int_equal(ram_store_nr_events(e.io), 1);
	assert_int_equal(ram_store_event(e.io, 0)->kind, RAM_SUPER);
	thinx_md_set_read_only(e.md);
	assert_int_equal(thinx_md_probe(e.md), 0);
	assert_int_equal(ram_store_nr_events(e.io), 1);
	thinx_md_set_read_write(e.md);

	ram_store_fail(e.io, RAM_OP_WRITE, 0, false);
	assert_int_equal(thinx_md_probe(e.md), -EIO);
	ram_store_fail(e.io, RAM_OP_WRITE, -1, false);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 1), -EEXIST);
	md_end(&e);
}

static void test_read_only_device_is_never_written(void **state)
{
	struct ram_image *img;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_commit(&e);
	img = md_pull_image(&e);
	e.io = ram_store_open(img);
	ram_image_destroy(img);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_open(e.io, MD_BLOCK_SECTORS, true, true,
				       &e.md), 0);
	thinx_md_set_read_write(e.md);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EPERM);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EPERM);
	thinx_md_close_device(md_open(&e, 1));
	assert_int_equal(thinx_md_abort(e.md), 0);
	md_check(&e);
	assert_int_equal(ram_store_nr_events(e.io), 0);
	md_close(&e);
}

static void test_a_device_can_become_read_only_and_writable_again(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 1), 0);
	md_commit(&e);
	assert_int_equal(thinx_md_set_device_read_only(e.md, true), 0);
	ram_store_record(e.io, true);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -EPERM);
	assert_int_equal(thinx_md_commit(e.md, NULL), 0);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EPERM);
	thinx_md_close_device(md_open(&e, 1));
	assert_int_equal(ram_store_nr_events(e.io), 0);
	ram_store_record(e.io, false);
	assert_int_equal(thinx_md_set_device_read_only(e.md, false), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 2), 0);
	md_commit(&e);
	md_crash(&e);
	thinx_md_close_device(md_open(&e, 2));
	md_end(&e);
}

static void test_failed_metadata_refuse_everything(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	thinx_md_fail(e.md);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -ENODEV);
	assert_int_equal(thinx_md_lookup(dev, 0, NULL, NULL), -ENODEV);
	assert_int_equal(thinx_md_commit(e.md, NULL), -ENODEV);
	assert_int_equal(thinx_md_abort(e.md), -ENODEV);
	assert_int_equal(md_try_map(&e, dev, 0, 1), -ENODEV);
	thinx_md_close_device(dev);
	md_close(&e);
}

static void test_detached_metadata_leave_the_device_alone(void **state)
{
	struct thinx_md_dev *dev;
	unsigned long ops = 0;
	struct md_env e;
	int op;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	assert_int_equal(md_try_map(&e, dev, 0, 10), 0);
	ram_store_record(e.io, true);
	thinx_md_fail(e.md);
	thinx_md_detach(e.md);
	for (op = 0; op < RAM_NR_OPS; op++)
		ops += ram_store_nr_ops(e.io, op);
	/* Nothing is left that could be written early. */
	ram_store_shake(e.io, 1, 1);
	assert_int_equal(thinx_md_lookup(dev, 0, NULL, NULL), -ENODEV);
	assert_int_equal(thinx_md_commit(e.md, NULL), -ENODEV);
	assert_int_equal(thinx_md_abort(e.md), -ENODEV);
	thinx_md_close_device(dev);
	for (op = 0; op < RAM_NR_OPS; op++)
		ops -= ram_store_nr_ops(e.io, op);
	assert_int_equal(ops, 0);
	assert_int_equal(ram_store_nr_events(e.io), 0);
	md_close(&e);
}

static void test_transaction_id_is_compared_and_set(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_transaction_id(e.md), 0);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 1, 2), -EINVAL);
	assert_false(thinx_md_is_dirty(e.md));
	assert_int_equal(thinx_md_set_transaction_id(e.md, 0, ~0ULL), 0);
	assert_true(thinx_md_is_dirty(e.md));
	md_commit(&e);
	md_crash(&e);
	assert_true(thinx_md_transaction_id(e.md) == ~0ULL);
	md_end(&e);
}

/* ---- many threads ---- */

struct crowd {
	struct md_env *e;
	struct thinx_md_dev *dev;
	u32 id;
	bool stop;
};

static void *map_and_unmap(void *arg)
{
	struct crowd *c = arg;
	u64 rng = c->id;
	int i;

	for (i = 0; i < 400; i++) {
		u64 v = md_rnd(&rng) % 2000;

		if (md_rnd(&rng) % 3)
			md_map(c->e, c->dev, v, md_rnd(&rng) % 5 + 1);
		else
			md_unmap(c->e, c->dev, v, v + 20);
		(void)md_get(c->dev, v);
		(void)thinx_md_dev_is_dirty(c->dev);
		(void)thinx_md_dev_mapped_blocks(c->dev);
	}
	return NULL;
}

static void *commit_again_and_again(void *arg)
{
	struct crowd *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE))
		md_commit(c->e);
	return NULL;
}

static void test_many_threads(void **state)
{
	struct crowd c[3], committer;
	pthread_t threads[4];
	struct md_env e;
	int i;

	md_begin(&e, 2048, 20000);
	committer = (struct crowd){ .e = &e };
	for (i = 0; i < 3; i++) {
		c[i] = (struct crowd){ .e = &e, .dev = md_create(&e, i),
				       .id = i };
		pthread_create(&threads[i], NULL, map_and_unmap, &c[i]);
	}
	pthread_create(&threads[3], NULL, commit_again_and_again, &committer);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&committer.stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[3], NULL);
	for (i = 0; i < 3; i++)
		thinx_md_close_device(c[i].dev);
	md_commit(&e);
	md_check(&e);
	md_crash(&e);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_commit_does_nothing),
		cmocka_unit_test(test_commit_completes_the_generation_of_the_change),
		cmocka_unit_test(test_only_the_superblock_waits_for_the_flush_of_the_data),
		cmocka_unit_test(test_no_superblock_is_written_if_the_data_is_not_flushed),
		cmocka_unit_test(test_commit_order_is_data_blocks_flush_superblock),
		cmocka_unit_test(test_changes_during_a_commit_belong_to_the_next),
		cmocka_unit_test(test_changes_made_during_a_commit_are_committed_next),
		cmocka_unit_test(test_freed_blocks_wait_for_completion_not_for_closing),
		cmocka_unit_test(test_failed_data_flush_breaks_the_transaction),
		cmocka_unit_test(test_abort_loses_the_open_generation_too),
		cmocka_unit_test(test_device_undone_by_an_abort_is_gone),
		cmocka_unit_test(test_abort_of_nothing_changes_nothing),
		cmocka_unit_test(test_abort_forgets_holds),
		cmocka_unit_test(test_superblock_that_got_there_despite_an_error_is_settled),
		cmocka_unit_test(test_failed_abort_is_the_end),
		cmocka_unit_test(test_failed_metadata_can_still_be_marked_on_the_device),
		cmocka_unit_test(test_read_only_refuses_all_changes),
		cmocka_unit_test(test_changes_pending_when_going_read_only_are_committed),
		cmocka_unit_test(test_probe_writes_the_superblock_of_what_was_changed),
		cmocka_unit_test(test_read_only_device_is_never_written),
		cmocka_unit_test(test_a_device_can_become_read_only_and_writable_again),
		cmocka_unit_test(test_failed_metadata_refuse_everything),
		cmocka_unit_test(test_detached_metadata_leave_the_device_alone),
		cmocka_unit_test(test_transaction_id_is_compared_and_set),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
