// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Copy on write, and which blocks may be changed or handed out when.
 */
#include "sm-env.h"
#include "persistent-data/space-map-counts.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define NR_META 512

static const struct pd_validator leaf_v = {
	.name = "test block", .csum_xor = 12345,
};

static struct sm_env env, *e = &env;

static int setup(void **state)
{
	sm_begin(e, NR_META, 0);
	return 0;
}

static int teardown(void **state)
{
	sm_end(e);
	return 0;
}

static pd_block_t new_block(u8 fill)
{
	struct pd_block blk;

	ok(pd_tm_new_block(e->tm, &leaf_v, &blk));
	memset((u8 *)blk.data + 16, fill, PD_BLOCK_SIZE - 16);
	pd_bm_release(e->bm, &blk);
	return blk.nr;
}

static u8 content(pd_block_t b)
{
	struct pd_block blk;
	u8 fill;

	ok(pd_bm_read(e->bm, b, &leaf_v, &blk));
	fill = ((u8 *)blk.data)[4095];
	pd_bm_release(e->bm, &blk);
	return fill;
}

/* Shadow @b, change the copy, return its number. */
static pd_block_t change(pd_block_t b, u8 fill, bool *inc)
{
	struct pd_block blk;

	ok(pd_tm_shadow(e->tm, b, &leaf_v, &blk, inc));
	memset((u8 *)blk.data + 16, fill, PD_BLOCK_SIZE - 16);
	pd_bm_release(e->bm, &blk);
	return blk.nr;
}

static void test_new_block_is_zero_and_counted(void **state)
{
	struct pd_block blk;

	ok(pd_tm_new_block(e->tm, &leaf_v, &blk));
	assert_true(pd_sm_is_new(pd_tm_sm(e->tm), blk.nr));
	assert_int_equal(sm_count(e->meta, blk.nr), 1);
	assert_null(memchr_inv(blk.data, 0, PD_BLOCK_SIZE));
	pd_bm_release(e->bm, &blk);
}

static void test_new_block_is_changed_in_place(void **state)
{
	pd_block_t b = new_block(1);
	bool inc = true;

	assert_int_equal(change(b, 2, &inc), b);
	assert_false(inc);
	assert_int_equal(content(b), 2);
}

static void test_new_block_with_two_references_is_copied(void **state)
{
	pd_block_t b = new_block(1), c;
	bool inc = false;

	ok(pd_tm_inc(e->tm, b));
	c = change(b, 2, &inc);
	assert_int_not_equal(b, c);
	assert_true(inc);
	assert_int_equal(content(b), 1);
	assert_int_equal(content(c), 2);
	assert_int_equal(sm_count(e->meta, b), 1);
	assert_int_equal(sm_count(e->meta, c), 1);
	/* Now that it is alone again it is changed in place. */
	assert_int_equal(change(b, 3, &inc), b);
	assert_false(inc);
}

static void test_committed_block_is_copied(void **state)
{
	pd_block_t b = new_block(1), c;
	bool inc = true;

	sm_commit(e);
	assert_false(pd_sm_is_new(pd_tm_sm(e->tm), b));
	c = change(b, 2, &inc);
	assert_int_not_equal(b, c);
	assert_false(inc);
	assert_int_equal(sm_count(e->meta, b), 0);
	assert_int_equal(sm_count(e->meta, c), 1);
	assert_true(pd_sm_is_new(pd_tm_sm(e->tm), c));
	assert_int_equal(content(c), 2);
}

static void test_shared_committed_block_keeps_its_content(void **state)
{
	pd_block_t b = new_block(1), c;
	bool inc = false;

	ok(pd_tm_inc(e->tm, b));
	ok(pd_tm_inc(e->tm, b));
	ok(pd_tm_inc(e->tm, b));
	sm_commit(e);
	assert_int_equal(sm_count(e->meta, b), 4);
	c = change(b, 2, &inc);
	assert_true(inc);
	assert_int_equal(sm_count(e->meta, b), 3);
	sm_commit(e);
	sm_reopen(e);
	assert_int_equal(content(b), 1);
	assert_int_equal(content(c), 2);
	assert_int_equal(sm_count(e->meta, b), 3);
	assert_int_equal(sm_count(e->meta, c), 1);
}

static void test_block_of_the_closing_transaction_is_copied(void **state)
{
	pd_block_t b = new_block(1), c;
	bool inc;

	sm_close(e);
	/* Not completed, but already immutable. */
	assert_false(pd_sm_is_new(pd_tm_sm(e->tm), b));
	c = change(b, 2, &inc);
	assert_int_not_equal(b, c);
	sm_complete(e);
	assert_int_equal(content(b), 1);
	/* c belongs to the transaction that is still open. */
	assert_int_equal(change(c, 3, &inc), c);
	sm_commit(e);
}

/* Take every block there is; was @b among them? */
static bool is_handed_out(pd_block_t b)
{
	bool found = false;
	pd_block_t n;
	int r;

	while (!(r = pd_sm_alloc(e->meta, &n)))
		if (n == b)
			found = true;
	assert_int_equal(r, -ENOSPC);
	return found;
}

static void test_freed_committed_block_is_not_reused_when_open(void **state)
{
	pd_block_t b = new_block(1);

	sm_commit(e);
	ok(pd_tm_dec(e->tm, b));
	assert_int_equal(sm_count(e->meta, b), 0);
	assert_false(is_handed_out(b));
}

static void test_freed_new_block_is_not_reused_when_open(void **state)
{
	pd_block_t b = new_block(1);

	ok(pd_tm_dec(e->tm, b));
	assert_false(is_handed_out(b));
}

static void test_block_freed_by_the_closing_transaction_waits(void **state)
{
	pd_block_t b = new_block(1);

	sm_commit(e);
	ok(pd_tm_dec(e->tm, b));
	sm_close(e);
	assert_false(is_handed_out(b));
}

static void test_freed_block_is_reused_after_completion(void **state)
{
	pd_block_t b = new_block(1);

	sm_commit(e);
	ok(pd_tm_dec(e->tm, b));
	sm_commit(e);
	assert_true(is_handed_out(b));
}

static void test_shadowed_block_waits_like_any_freed_one(void **state)
{
	pd_block_t b = new_block(1);
	bool inc;

	sm_commit(e);
	change(b, 2, &inc);
	assert_false(is_handed_out(b));
}

static void test_shadow_of_an_uncounted_block_is_refused(void **state)
{
	struct pd_block blk;
	bool inc;

	assert_int_equal(pd_tm_shadow(e->tm, 400, &leaf_v, &blk, &inc),
			 -EINVAL);
	assert_int_equal(pd_tm_shadow(e->tm, NR_META, &leaf_v, &blk, &inc),
			 -EINVAL);
	assert_int_equal(pd_tm_inc(e->tm, ~0ull - 1), -EINVAL);
	assert_int_equal(pd_tm_dec(e->tm, NR_META), -EINVAL);
	assert_int_equal(pd_tm_dec(e->tm, 400), -EINVAL);
}

static void test_read_only_allocates_nothing(void **state)
{
	pd_block_t b = new_block(1), allocated;
	unsigned char root[32];
	struct pd_block blk;
	bool inc;

	sm_commit(e);
	allocated = pd_sm_nr_allocated(e->meta);
	pd_bm_set_read_only(e->bm);
	assert_int_equal(pd_tm_new_block(e->tm, &leaf_v, &blk), -EPERM);
	assert_int_equal(pd_tm_shadow(e->tm, b, &leaf_v, &blk, &inc), -EPERM);
	assert_int_equal(pd_tm_close(e->tm, root), -EPERM);
	assert_int_equal(pd_sm_nr_allocated(e->meta), allocated);
	assert_int_equal(sm_count(e->meta, b), 1);
}

static void test_failed_shadow_gives_nothing_up(void **state)
{
	pd_block_t b = new_block(1), allocated;
	struct pd_block blk;
	bool inc;

	sm_commit(e);
	sm_reopen(e);
	allocated = pd_sm_nr_allocated(e->meta);
	ram_store_fail(e->io, RAM_OP_READ, 0, true);
	assert_int_equal(pd_tm_shadow(e->tm, b, &leaf_v, &blk, &inc), -EIO);
	ram_store_fail(e->io, RAM_OP_READ, -1, false);
	assert_int_equal(pd_sm_nr_allocated(e->meta), allocated);
	assert_int_equal(sm_count(e->meta, b), 1);
	assert_int_equal(content(b), 1);
}

static void test_device_without_free_blocks_is_enospc(void **state)
{
	struct pd_block blk;
	pd_block_t b;
	bool inc;

	b = new_block(1);
	sm_commit(e);
	is_handed_out(0);
	assert_int_equal(pd_tm_new_block(e->tm, &leaf_v, &blk), -ENOSPC);
	assert_int_equal(pd_tm_shadow(e->tm, b, &leaf_v, &blk, &inc), -ENOSPC);
	assert_int_equal(sm_count(e->meta, b), 1);
}

static void test_closing_without_changes_writes_nothing(void **state)
{
	unsigned char before[32];
	unsigned long writes;

	memcpy(before, e->meta_root, 32);
	writes = ram_store_nr_ops(e->io, RAM_OP_WRITE);
	sm_commit(e);
	assert_memory_equal(before, e->meta_root, 32);
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_WRITE), writes);
}

static void test_closed_transaction_is_immutable_on_the_device(void **state)
{
	struct ram_image *img;
	struct sm_env old;
	pd_block_t b[40];
	bool inc;
	int i;

	for (i = 0; i < 40; i++)
		b[i] = new_block(i);
	sm_close(e);
	ok(pd_bm_flush(e->bm));
	old = *e;
	/* The next transaction changes all of it and is written, too. */
	for (i = 0; i < 40; i++)
		change(b[i], 100 + i, &inc);
	ok(pd_bm_flush(e->bm));

	img = ram_store_image(e->io);
	sm_open(&old, img);
	ram_image_destroy(img);
	for (i = 0; i < 40; i++) {
		struct pd_block blk;

		assert_int_equal(sm_count(old.meta, b[i]), 1);
		ok(pd_bm_read(old.bm, b[i], &leaf_v, &blk));
		assert_int_equal(((u8 *)blk.data)[4095], i);
		pd_bm_release(old.bm, &blk);
		/* What a caller's tree would hold: give it back. */
		ok(pd_tm_dec(old.tm, b[i]));
	}
	sm_commit(&old);
	sm_verify(&old);
	sm_end(&old);
}

static void test_format_needs_room_for_itself(void **state)
{
	struct pd_block_io *io;
	struct pd_tm *tm;
	struct pd_sm *sm;
	struct pd_bm *bm;
	pd_block_t n;

	for (n = 0; n < 4; n++) {
		io = ram_store_create(n);
		ok(pd_bm_create(io, &bm));
		assert_int_equal(pd_tm_create(bm, &tm, &sm), -ENOSPC);
		pd_bm_destroy(bm);
	}
}

static void test_damaged_roots_are_refused(void **state)
{
	static const struct {
		u64 nr_blocks, bitmap_root;
		int r;
	} cases[] = {
		{ 0, 1, -EINVAL },
		{ NR_META + 1, 1, -EINVAL },
		{ PD_MAX_METADATA_BLOCKS + 1, 1, -EINVAL },
		{ ~0ull, 1, -EINVAL },
		{ NR_META, 0, -EINVAL },
		{ NR_META, NR_META, -EINVAL },
		{ NR_META, 400, -ENOTBLK },	/* blank */
		{ NR_META, 3, -EILSEQ },	/* a bitmap, not the index */
	};
	struct pd_disk_sm_root root;
	struct pd_tm *tm;
	struct pd_sm *sm;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(&root, e->meta_root, sizeof(root));
		root.nr_blocks = cpu_to_le64(cases[i].nr_blocks);
		root.bitmap_root = cpu_to_le64(cases[i].bitmap_root);
		assert_int_equal(pd_tm_open(e->bm, &root, &tm, &sm),
				 cases[i].r);
	}
}

static void test_every_allocation_failure_is_survived(void **state)
{
	struct pd_tm *tm;
	struct pd_sm *sm;
	long n, nr;
	int r;

	for (n = 0, r = -ENOMEM; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_tm_open(e->bm, e->meta_root, &tm, &sm);
		nr = shim_nr_allocs();
		shim_fail_alloc(-1, false);
		if (r)
			assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 3 && nr < n);
	pd_tm_destroy(tm);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_new_block_is_zero_and_counted),
		t(test_new_block_is_changed_in_place),
		t(test_new_block_with_two_references_is_copied),
		t(test_committed_block_is_copied),
		t(test_shared_committed_block_keeps_its_content),
		t(test_block_of_the_closing_transaction_is_copied),
		t(test_freed_committed_block_is_not_reused_when_open),
		t(test_freed_new_block_is_not_reused_when_open),
		t(test_block_freed_by_the_closing_transaction_waits),
		t(test_freed_block_is_reused_after_completion),
		t(test_shadowed_block_waits_like_any_freed_one),
		t(test_shadow_of_an_uncounted_block_is_refused),
		t(test_read_only_allocates_nothing),
		t(test_failed_shadow_gives_nothing_up),
		t(test_device_without_free_blocks_is_enospc),
		t(test_closing_without_changes_writes_nothing),
		t(test_closed_transaction_is_immutable_on_the_device),
		t(test_format_needs_room_for_itself),
		t(test_damaged_roots_are_refused),
		t(test_every_allocation_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
