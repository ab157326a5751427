// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What has to be read from the device: a delete or a release reads what it
 * frees, not what lives on.
 */
#include "md-env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static u64 data_used(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s.data_used;
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
		assert_int_equal(data_used(&e), NR_MAPPED);
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
	assert_int_equal(data_used(&e), NR_MAPPED);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete_of_a_snapshot_reads_its_own_leaves),
		cmocka_unit_test(test_release_reads_what_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
