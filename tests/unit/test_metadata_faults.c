// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Every allocation, read, write and flush of a scripted life of a pool fails
 * once, and once for good.
 *
 *   step ─ok─► step ─ok─► commit ─ok─► step ─error─► clean?  yes: do it again
 *                                        │            no: abort, go back to
 *                                        ▼                the last commit
 *                                  -errno, no leak
 *
 * Whatever failed, in the end the pool looks as if nothing had.
 */
#include "md-env.h"
#include "tests/check/metadata-check.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_META 300

/* ---- steps ---- */

static int map_some(struct md_env *e, u32 id, u64 v, u64 nr, u64 stride)
{
	struct thinx_md_dev *dev;
	int r;
	u64 i;

	r = thinx_md_open_device(e->md, id, &dev);
	if (r)
		return r;
	if (stride == 1) {
		r = md_try_map(e, dev, v, nr);
	} else {
		for (i = 0; i < nr && !r; i++)
			r = md_try_map(e, dev, v + i * stride, 1);
	}
	thinx_md_close_device(dev);
	return r;
}

static int unmap_some(struct md_env *e, u32 id, u64 begin, u64 end)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	struct thinx_md_dev *dev;
	u32 i;
	int r;

	rm->begin = begin;
	rm->end = end;
	rm->want_freed = true;
	r = thinx_md_open_device(e->md, id, &dev);
	if (r)
		goto out;
	while (!r && !rm->done) {
		thinx_md_lock(e->md);
		r = thinx_md_remove_range_locked(dev, rm);
		if (!r)
			for (i = 0; i < rm->nr_freed; i++)
				thinx_md_unhold_locked(e->md,
						       rm->freed[i].begin,
						       rm->freed[i].end);
		thinx_md_unlock(e->md);
	}
	thinx_md_close_device(dev);
out:
	free(rm);
	return r;
}

static int restamp_some(struct md_env *e, u32 id, u64 v, u32 nr)
{
	thinx_word_t *m = calloc(nr, sizeof(*m));
	bool *ex = calloc(nr, sizeof(*ex));
	struct thinx_md_dev *dev;
	int r;

	r = thinx_md_open_device(e->md, id, &dev);
	if (!r) {
		thinx_md_lock(e->md);
		r = thinx_md_restamp_locked(dev, v, nr, m, ex);
		thinx_md_unlock(e->md);
		thinx_md_close_device(dev);
	}
	free(m);
	free(ex);
	return r;
}

static void nothing(void *context, const struct thinx_md_leaf *l)
{
}

static int look(struct md_env *e, u32 id)
{
	struct thinx_md_dev *dev;
	u64 b;
	int r;

	r = thinx_md_open_device(e->md, id, &dev);
	if (r)
		return r;
	r = thinx_md_lookup(dev, 100, nothing, NULL);
	if (!r)
		r = thinx_md_dev_highest_mapped(dev, &b);
	thinx_md_close_device(dev);
	return r;
}

static int commit(struct md_env *e)
{
	return thinx_md_commit(e->md, NULL);
}

/* Cold caches: more reads that can fail. */
static int evict(struct md_env *e)
{
	ram_store_evict(e->io);
	return 0;
}

static int snaps_56(struct md_env *e)
{
	static const struct thinx_md_pair p[] = { { 5, 4 }, { 6, 2 } };

	return thinx_md_create_snaps(e->md, p, 2);
}

static int swap_245(struct md_env *e)
{
	static const struct thinx_md_pair p[] = { { 2, 4 }, { 6, 5 } };

	return thinx_md_swap(e->md, p, 2);
}

#define STEP(name, call) \
	static int name(struct md_env *e) { return call; }

STEP(resize, thinx_md_resize_data(e->md, 20000))
STEP(create_1, thinx_md_create_thin(e->md, 1))
STEP(create_2, thinx_md_create_thin(e->md, 2))
STEP(map_1_run, map_some(e, 1, 10, 700, 1))
STEP(map_1_scattered, map_some(e, 1, 2000, 300, 7))
STEP(map_2, map_some(e, 2, 0, 100, 1))
STEP(snap_3, thinx_md_create_snap(e->md, 3, 1))
STEP(snap_4, thinx_md_create_snap(e->md, 4, 3))
STEP(map_3, map_some(e, 3, 500, 60, 5))
STEP(map_4, map_some(e, 4, 100, 100, 1))
STEP(unmap_1, unmap_some(e, 1, 200, 2500))
STEP(unmap_3, unmap_some(e, 3, 0, 300))
STEP(look_1, look(e, 1))
STEP(reserve, thinx_md_reserve_snap(e->md))
STEP(release, thinx_md_release_snap(e->md))
STEP(delete_1, thinx_md_delete(e->md, 1))
STEP(delete_3, thinx_md_delete(e->md, 3))
STEP(restamp_4, restamp_some(e, 4, 600, 500))
STEP(restamp_2, restamp_some(e, 2, 0, 50))
STEP(resize_more, thinx_md_resize_data(e->md, 40000))
STEP(check, thinx_md_check(e->md))

static int grow(struct md_env *e)
{
	if (thinx_md_device_blocks(e->md) < 2 * NR_META)
		ram_store_grow(e->io, 2 * NR_META);
	return thinx_md_resize_metadata(e->md, 2 * NR_META);
}

static int (*const script[])(struct md_env *e) = {
	resize, commit, create_1, map_1_run, create_2, commit, evict,
	map_1_scattered, map_2, snap_3, commit, evict, map_3, snap_4, map_4,
	unmap_1, commit, evict, look_1, reserve, commit, unmap_3, delete_1,
	commit, evict, restamp_4, grow, commit, resize_more, delete_3, commit,
	evict, snaps_56, commit, evict, swap_245, release, restamp_2, check,
	commit, evict, check,
};

/* ---- the machinery ---- */

/* Mappings and times, but not which data blocks were chosen. */
static char *shape(struct thinx_md *md)
{
	char *text = NULL, *dump, *p;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	u32 id;

	for (id = 0; id < 8; id++) {
		dump = md_dump(md, id);
		if (!dump)
			continue;
		for (p = dump; *p; p++) {
			if (*p == '>')
				p += strcspn(p, "@");
			fputc(*p, f);
		}
		free(dump);
	}
	fclose(f);
	return text;
}

enum fault { FAIL_ALLOC, FAIL_READ, FAIL_WRITE, FAIL_FLUSH, NR_FAULTS };

static void arm(struct md_env *e, enum fault fault, long n, bool and_later)
{
	if (fault == FAIL_ALLOC)
		shim_fail_alloc(n, and_later);
	else
		ram_store_fail(e->io, fault - FAIL_READ + RAM_OP_READ, n,
			       and_later);
}

static bool was_hit(struct md_env *e, enum fault fault, long n,
		    unsigned long before)
{
	if (fault == FAIL_ALLOC)
		return shim_nr_allocs() > n;
	return ram_store_nr_ops(e->io, fault - FAIL_READ + RAM_OP_READ) -
	       before > (unsigned long)n;
}

static unsigned long nr_ops(struct md_env *e, enum fault fault)
{
	return fault == FAIL_ALLOC ? 0 :
	       ram_store_nr_ops(e->io, fault - FAIL_READ + RAM_OP_READ);
}

/* Run the script; true if the fault was met. */
static bool run_with_one_fault(enum fault fault, long n, char **end)
{
	int nr_steps = sizeof(script) / sizeof(script[0]);
	int i, r, after_commit = 0, aborts = 0;
	unsigned long before;
	struct md_env e;
	bool hit;

	e.io = ram_store_create(NR_META);
	md_insist(!thinx_md_open(e.io, MD_BLOCK_SECTORS, true, false, &e.md));
	before = nr_ops(&e, fault);
	arm(&e, fault, n, false);
	for (i = 0; i < nr_steps; i++) {
		r = script[i](&e);
		if (!r) {
			if (script[i] == commit)
				after_commit = i + 1;
			continue;
		}
		/* Only the one fault can be the cause. */
		md_insist(r == -ENOMEM || r == -EIO);
		md_insist(was_hit(&e, fault, n, before));
		/* Clean or broken?  This asks without changing anything. */
		if (thinx_md_set_transaction_id(e.md, 99, 99) == -EUCLEAN) {
			md_insist(!thinx_md_abort(e.md));
			md_check(&e);
			i = after_commit - 1;
			md_insist(!aborts++);
		} else {
			md_check(&e);
			i--;
		}
	}
	hit = was_hit(&e, fault, n, before);
	arm(&e, fault, -1, false);
	*end = shape(e.md);
	md_crash(&e);
	md_end(&e);
	return hit;
}

/* The fault stays: nothing works any more, yet nothing leaks or crashes. */
static void run_with_lasting_fault(enum fault fault, long n)
{
	int nr_steps = sizeof(script) / sizeof(script[0]), i, r = 0;
	struct ram_image *img;
	struct md_env e;

	e.io = ram_store_create(NR_META);
	md_insist(!thinx_md_open(e.io, MD_BLOCK_SECTORS, true, false, &e.md));
	arm(&e, fault, n, true);
	for (i = 0; i < nr_steps && !r; i++)
		r = script[i](&e);
	if (r) {
		for (i = 0; i < nr_steps; i++)
			script[i](&e);
		r = thinx_md_abort(e.md);
		md_insist(r || fault != FAIL_READ);
		r = thinx_md_set_needs_check(e.md);
		md_insist(r || fault != FAIL_WRITE);
		for (i = 0; i < nr_steps; i++)
			script[i](&e);
	}
	arm(&e, fault, -1, false);
	img = ram_store_image(e.io);
	md_close(&e);
	/* What is on the device is intact. */
	md_insist(!md_push_image(&e, img));
	md_end(&e);
}

static void sweep(enum fault fault)
{
	char *wanted, *end;
	long n, nr_lasting = 0;

	run_with_one_fault(fault, 1L << 40, &wanted);
	for (n = 0; run_with_one_fault(fault, n, &end); n++) {
		if (strcmp(wanted, end)) {
			print_error("fault %d number %ld:\n%.2000s\nwanted:\n%.2000s\n",
				    fault, n, end, wanted);
			fail();
		}
		free(end);
	}
	free(end);
	free(wanted);
	print_message("%ld faults\n", n);
	assert_true(n > 5);
	for (; n > 0; n -= n / 40 + 1, nr_lasting++)
		run_with_lasting_fault(fault, n - 1);
	print_message("%ld lasting faults\n", nr_lasting);
}

static void test_every_allocation_fails_once(void **state)
{
	sweep(FAIL_ALLOC);
}

static void test_every_read_fails_once(void **state)
{
	sweep(FAIL_READ);
}

static void test_every_write_fails_once(void **state)
{
	sweep(FAIL_WRITE);
}

static void test_every_flush_fails_once(void **state)
{
	sweep(FAIL_FLUSH);
}

static void test_every_fault_while_opening_is_survived(void **state)
{
	struct ram_image *img;
	struct thinx_md *md;
	struct md_env e;
	int fault, blank;
	long n;
	int r;

	for (blank = 0; blank < 2; blank++) {
		md_begin(&e, 64, 1000);
		img = md_pull_image(&e);
		if (blank) {
			ram_image_destroy(img);
			img = ram_image_create(64);
		}
		for (fault = 0; fault < NR_FAULTS; fault++) {
			for (n = 0;; n++) {
				e.io = ram_store_open(img);
				arm(&e, fault, n, false);
				r = thinx_md_open(e.io, MD_BLOCK_SECTORS, true,
						  false, &md);
				shim_fail_alloc(-1, false);
				if (!r)
					break;
				assert_true(r == -ENOMEM || r == -EIO);
			}
			thinx_md_close(md);
			assert_true(n < 1000);
		}
		ram_image_destroy(img);
	}
}

/* An abort that fails is the end of the pool. */
static void test_abort_survives_each_failed_allocation(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	bool hit = true;
	long n;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 1);
	md_commit(&e);
	for (n = 0; hit; n++) {
		md_map(&e, dev, 1, 1);
		shim_fail_alloc(n, false);
		assert_int_equal(thinx_md_abort(e.md), 0);
		hit = shim_nr_allocs() > n;
		shim_fail_alloc(-1, false);
		md_check(&e);
	}
	print_message("%ld allocations\n", n);
	assert_true(n > 5);

	/* Allocations that keep failing. */
	md_map(&e, dev, 1, 1);
	shim_fail_alloc(0, true);
	assert_int_equal(thinx_md_abort(e.md), -ENOMEM);
	shim_fail_alloc(-1, false);
	assert_int_equal(thinx_md_create_thin(e.md, 2), -ENODEV);
	thinx_md_close_device(dev);
	md_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_fails_once),
		cmocka_unit_test(test_every_read_fails_once),
		cmocka_unit_test(test_every_write_fails_once),
		cmocka_unit_test(test_every_flush_fails_once),
		cmocka_unit_test(test_every_fault_while_opening_is_survived),
		cmocka_unit_test(test_abort_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
