// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The map that counts its own blocks: layout of a new device, closing with many
 * bitmaps, growing when nothing is free, damaged indexes.
 */
#include "sm-env.h"

#include "persistent-data/space-map-bitmap.h"
#include "tests/check/space-map-check.h"

#include <linux/errno.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define E PD_ENTRIES_PER_BITMAP

static struct sm_env env, *e = &env;

static const struct pd_validator leaf_v = {
	.name = "test block", .csum_xor = 12345,
};

static pd_block_t new_block(void)
{
	struct pd_block blk;

	ok(pd_tm_new_block(e->tm, &leaf_v, &blk));
	pd_bm_release(e->bm, &blk);
	return blk.nr;
}

/* ---- the layout of docs/format.md 10.3 ---- */

static void expect_block(const struct ram_image *img, pd_block_t b, u32 salt,
			 const void *body, size_t offset, size_t len)
{
	static unsigned char want[PD_BLOCK_SIZE];
	struct pd_disk_header *h = (void *)want;

	memset(want, 0, sizeof(want));
	memcpy(want + offset, body, len);
	h->blocknr = cpu_to_le64(b);
	h->csum = cpu_to_le32(pd_csum(want, salt));
	assert_memory_equal(ram_image_read(img, b), want, sizeof(want));
}

/* An empty leaf: flags, blocknr, nr 0, max, value size. */
static void expect_empty_leaf(const struct ram_image *img, pd_block_t b,
			      u32 max, u32 value_size)
{
	__le32 body[7] = { 0 };

	body[0] = cpu_to_le32(PD_NODE_LEAF);
	body[4] = cpu_to_le32(max);
	body[5] = cpu_to_le32(value_size);
	expect_block(img, b, PD_NODE_CSUM_XOR, body, 4, sizeof(body));
}

static void test_new_device_has_the_documented_bytes(void **state)
{
	struct pd_disk_index_entry index[3] = {
		{ cpu_to_le64(3), cpu_to_le32(E - 8), cpu_to_le32(8) },
		{ cpu_to_le64(4), cpu_to_le32(E), 0 },
		{ cpu_to_le64(5), cpu_to_le32(E), 0 },
	};
	const struct pd_disk_sm_root *root = (void *)e->meta_root;
	/* Blocks 0 to 7, count 1 each. */
	static const u8 used[2] = { 0xaa, 0xaa };
	struct ram_image *img;
	pd_block_t b;

	sm_begin(e, 32768, 0);
	img = ram_store_image(e->io);

	assert_int_equal(le64_to_cpu(root->nr_blocks), 32768);
	assert_int_equal(le64_to_cpu(root->nr_allocated), 8);
	assert_int_equal(le64_to_cpu(root->bitmap_root), 1);
	assert_int_equal(le64_to_cpu(root->ref_count_root), 2);
	root = (void *)e->data_root;
	assert_int_equal(le64_to_cpu(root->nr_blocks), 0);
	assert_int_equal(le64_to_cpu(root->nr_allocated), 0);
	assert_int_equal(le64_to_cpu(root->bitmap_root), 6);
	assert_int_equal(le64_to_cpu(root->ref_count_root), 7);

	assert_null(img->blocks[0]);	/* the superblock is not ours */
	expect_block(img, 1, PD_INDEX_CSUM_XOR, index, 16, sizeof(index));
	expect_empty_leaf(img, 2, 336, 4);
	expect_block(img, 3, PD_BITMAP_CSUM_XOR, used, 16, sizeof(used));
	expect_block(img, 4, PD_BITMAP_CSUM_XOR, used, 16, 0);
	expect_block(img, 5, PD_BITMAP_CSUM_XOR, used, 16, 0);
	expect_empty_leaf(img, 6, 168, 16);
	expect_empty_leaf(img, 7, 336, 4);
	for (b = 8; b < 32768; b++)
		assert_null(img->blocks[b]);

	sm_verify(e);
	ram_image_destroy(img);
	sm_end(e);
}

static void test_first_growth_takes_the_documented_blocks(void **state)
{
	const struct pd_disk_sm_root *root;

	/* As 10.3 with mapping and details trees in blocks 8 and 9. */
	memset(e, 0, sizeof(*e));
	e->io = ram_store_create(32768);
	ok(pd_bm_create(e->io, &e->bm));
	ok(pd_tm_create(e->bm, &e->tm, &e->meta));
	ok(pd_sm_disk_create(e->tm, &e->data));
	assert_int_equal(new_block(), 8);
	assert_int_equal(new_block(), 9);
	sm_commit(e);
	ok(pd_sm_extend(e->data, 8192));
	assert_int_equal(e->data->bitmaps[0].blocknr, 10);
	sm_commit(e);
	root = (void *)e->data_root;
	assert_int_equal(le64_to_cpu(root->nr_blocks), 8192);
	assert_int_equal(sm_count(e->meta, 1), 0);
	assert_int_equal(sm_count(e->meta, 3), 0);
	assert_int_equal(sm_count(e->meta, 6), 0);
	/* Moved: index leaf, metadata bitmap and index block; one is new. */
	assert_int_equal(pd_sm_nr_allocated(e->meta), 11);
	assert_int_equal(e->meta->cursor, 14);
	sm_end(e);
}

static void test_largest_device_has_255_bitmaps(void **state)
{
	sm_begin(e, PD_MAX_METADATA_BLOCKS + 1000, 0);
	assert_int_equal(pd_sm_nr_blocks(e->meta), PD_MAX_METADATA_BLOCKS);
	assert_int_equal(e->meta->nr_bitmaps, 255);
	assert_int_equal(e->data->index_root, 258);
	assert_int_equal(e->data->overflow_root, 259);
	sm_verify(e);
	sm_reopen(e);
	sm_verify(e);
	sm_end(e);
}

/* ---- closing ---- */

static void test_one_change_costs_a_bitmap_and_an_index(void **state)
{
	unsigned long writes;
	pd_block_t b;

	sm_begin(e, 32768, 0);
	writes = ram_store_nr_ops(e->io, RAM_OP_WRITE);
	b = new_block();
	sm_commit(e);
	assert_int_equal(ram_store_nr_ops(e->io, RAM_OP_WRITE) - writes, 3);
	ok(pd_tm_dec(e->tm, b));
	sm_commit(e);
	sm_verify(e);
	sm_end(e);
}

static void test_close_with_every_bitmap_touched_ends(void **state)
{
	static pd_block_t b[300];
	int i, round;

	/* 40 bitmaps; put blocks into all of them by moving the cursor. */
	sm_begin(e, 40 * E, 0);
	for (i = 0; i < 40; i++) {
		e->meta->cursor = (pd_block_t)i * E + 1000;
		b[i] = new_block();
	}
	sm_commit(e);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 40; i++)
			ok(pd_tm_inc(e->tm, b[i]));
		sm_commit(e);
	}
	for (i = 0; i < 40; i++)
		assert_int_equal(sm_count(e->meta, b[i]), 6);
	sm_reopen(e);
	for (i = 0; i < 40; i++) {
		assert_int_equal(sm_count(e->meta, b[i]), 6);
		for (round = 0; round < 6; round++)
			ok(pd_tm_dec(e->tm, b[i]));
	}
	sm_commit(e);
	sm_verify(e);
	assert_int_equal(pd_sm_nr_allocated(e->meta), 1 + 1 + 1 + 40 + 2);
	sm_end(e);
}

static void test_index_is_touched_once_per_transaction(void **state)
{
	pd_block_t index;

	sm_begin(e, 1000, 0);
	index = e->meta->index_root;
	new_block();
	sm_close(e);
	assert_int_not_equal(e->meta->index_root, index);
	/* The old one is free, but not yet usable. */
	assert_int_equal(sm_count(e->meta, index), 0);
	assert_int_equal(pd_sm_nr_blocks(e->meta) -
			 pd_sm_nr_allocated(e->meta) -
			 pd_sm_nr_allocatable(e->meta), 2);
	sm_complete(e);
	assert_int_equal(pd_sm_nr_blocks(e->meta) -
			 pd_sm_nr_allocated(e->meta),
			 pd_sm_nr_allocatable(e->meta));
	sm_end(e);
}

static void test_superblock_is_never_handed_out(void **state)
{
	pd_block_t b;

	sm_begin(e, 64, 0);
	ok(pd_sm_dec(e->meta, 0, 1));	/* as damaged metadata may say */
	sm_commit(e);
	sm_reopen(e);
	while (!pd_sm_alloc(e->meta, &b))
		assert_int_not_equal(b, 0);
	sm_end(e);
}

static void test_reference_to_own_blocks_by_others_is_survived(void **state)
{
	sm_begin(e, 1000, 0);
	ok(pd_tm_inc(e->tm, e->meta->bitmaps[0].blocknr));
	ok(pd_tm_inc(e->tm, e->meta->index_root));
	ok(pd_tm_inc(e->tm, e->meta->index_root));
	sm_commit(e);
	new_block();
	sm_commit(e);
	ok(pd_sm_check(e->meta, NULL, NULL));
	sm_end(e);
}

/* ---- growing ---- */

static void grow(pd_block_t from, pd_block_t to)
{
	pd_block_t b, first, last = 0;

	sm_begin(e, from, 0);
	/* Leave nothing free, so that everything has to come from the new area. */
	do {
		b = new_block();
		sm_commit(e);
	} while (pd_sm_nr_allocatable(e->meta) > 8);
	ram_store_grow(e->io, to);
	ok(pd_sm_extend(e->meta, to));
	assert_int_equal(pd_sm_nr_blocks(e->meta), to);
	first = e->meta->cursor;
	sm_commit(e);
	for (b = 0; b < e->meta->nr_bitmaps; b++)
		last = e->meta->bitmaps[b].blocknr > last ?
		       e->meta->bitmaps[b].blocknr : last;
	assert_true(last >= from && e->meta->index_root >= first);
	ok(pd_sm_check(e->meta, NULL, NULL));
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_blocks(e->meta), to);
	ok(pd_sm_check(e->meta, NULL, NULL));
	sm_end(e);
}

static void test_growing_works_when_nothing_is_free(void **state)
{
	grow(100, 200);
	grow(100, E);
	grow(100, E + 1);
	grow(100, 3 * E + 5);
}

static void test_growing_by_too_little_is_enospc(void **state)
{
	sm_begin(e, E, 0);
	ram_store_grow(e->io, 3 * E);
	assert_int_equal(pd_sm_extend(e->meta, 3 * E + 1), -EINVAL);
	assert_int_equal(pd_sm_extend(e->meta, E), -EINVAL);
	/* One new block, and that is the new bitmap. */
	ok(pd_sm_extend(e->meta, E + 1));
	sm_commit(e);
	sm_verify(e);
	ok(pd_sm_extend(e->meta, 3 * E));
	sm_commit(e);
	sm_verify(e);
	sm_end(e);
}

static void test_failed_growing_is_undone_by_an_abort(void **state)
{
	pd_block_t allocated, allocatable;
	long n;
	int r = -ENOMEM;

	sm_begin(e, 1000, 0);
	ram_store_grow(e->io, 5 * E);
	allocated = pd_sm_nr_allocated(e->meta);
	allocatable = pd_sm_nr_allocatable(e->meta);
	for (n = 0; r; n++) {
		shim_fail_alloc(n, false);
		r = pd_sm_extend(e->meta, 5 * E);
		shim_fail_alloc(-1, false);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		sm_reopen(e);
		assert_int_equal(pd_sm_nr_blocks(e->meta), 1000);
		assert_int_equal(pd_sm_nr_allocated(e->meta), allocated);
		assert_int_equal(pd_sm_nr_allocatable(e->meta), allocatable);
		sm_commit(e);
		sm_verify(e);
	}
	assert_true(n > 1);
	sm_commit(e);
	sm_verify(e);
	sm_end(e);
}

/* ---- damage ---- */

static void test_wrong_numbers_on_disk_are_counted_anew(void **state)
{
	struct pd_disk_sm_root root;

	sm_begin(e, 1000, 0);
	new_block();
	sm_commit(e);
	memcpy(&root, e->meta_root, 32);
	root.nr_allocated = cpu_to_le64(500);
	memcpy(e->meta_root, &root, 32);
	sm_reopen(e);
	assert_int_equal(pd_sm_nr_allocated(e->meta), 7);
	assert_int_equal(pd_sm_nr_allocatable(e->meta), 993);
	sm_end(e);
}

/* Change one block of the device and seal it again. */
static struct ram_image *edited_image(pd_block_t b, size_t offset, u8 value,
				      u32 salt)
{
	struct ram_image *img = ram_store_image(e->io);
	struct pd_disk_header *h = (void *)img->blocks[b];

	img->blocks[b][offset] = value;
	h->csum = cpu_to_le32(pd_csum(h, salt));
	return img;
}

static int open_image(struct ram_image *img)
{
	struct pd_block_io *io = ram_store_open(img);
	struct pd_tm *tm;
	struct pd_sm *sm;
	struct pd_bm *bm;
	int r;

	ram_image_destroy(img);
	ok(pd_bm_create(io, &bm));
	r = pd_tm_open(bm, e->meta_root, &tm, &sm);
	if (!r) {
		r = pd_sm_check(sm, NULL, NULL);
		pd_tm_destroy(tm);
	}
	pd_bm_destroy(bm);
	return r;
}

static void test_damaged_index_is_refused(void **state)
{
	sm_begin(e, 1000, 0);
	ok(open_image(ram_store_image(e->io)));
	/* Entry 0: block 0, a block beyond the end, a block of another type. */
	assert_int_equal(open_image(edited_image(1, 16, 0, PD_INDEX_CSUM_XOR)),
			 -EILSEQ);
	assert_int_equal(open_image(edited_image(1, 18, 1, PD_INDEX_CSUM_XOR)),
			 -EILSEQ);
	assert_int_equal(open_image(edited_image(1, 16, 2, PD_INDEX_CSUM_XOR)),
			 -EILSEQ);
	assert_int_equal(open_image(edited_image(1, 16, 50,
						 PD_INDEX_CSUM_XOR)),
			 -ENOTBLK);
	sm_end(e);
}

static void test_check_finds_entries_that_do_not_belong(void **state)
{
	sm_begin(e, 1000, 0);
	/* "Many" without an overflow count; a count past the end. */
	assert_int_equal(open_image(edited_image(3, 16 + 20, 3,
						 PD_BITMAP_CSUM_XOR)),
			 -EILSEQ);
	assert_int_equal(open_image(edited_image(3, 16 + 251, 2,
						 PD_BITMAP_CSUM_XOR)),
			 -EILSEQ);
	sm_end(e);
}

static void test_check_finds_overflow_counts_without_entries(void **state)
{
	struct pd_btree *t;
	__le32 value = cpu_to_le32(3);
	u64 b = 500;

	sm_begin(e, 1000, 0);
	t = &e->meta->overflow;
	ok(pd_btree_insert(t, &e->meta->overflow_root, &b, &value, NULL));
	sm_commit(e);
	assert_int_equal(pd_sm_check(e->meta, NULL, NULL), -EILSEQ);
	value = cpu_to_le32(2);
	ok(pd_btree_insert(t, &e->meta->overflow_root, &b, &value, NULL));
	sm_commit(e);
	assert_int_equal(pd_sm_check(e->meta, NULL, NULL), -EILSEQ);
	sm_end(e);
}

static void test_every_read_error_while_closing_is_reported(void **state)
{
	unsigned char root[32];
	long n;
	int r = -EIO;

	for (n = 0; r; n++) {
		sm_begin(e, 3 * E, 0);
		e->meta->cursor = E + 5;
		new_block();
		ok(pd_tm_inc(e->tm, new_block()));
		sm_commit(e);
		sm_reopen(e);
		e->meta->cursor = 2 * E + 5;
		ok(pd_tm_inc(e->tm, E + 5));
		new_block();
		ram_store_evict(e->io);
		ram_store_fail(e->io, RAM_OP_READ, n, false);
		r = pd_sm_close(e->data, root);
		if (!r)
			r = pd_tm_close(e->tm, root);
		assert_true(!r || r == -EIO);
		ram_store_fail(e->io, RAM_OP_READ, -1, false);
		sm_end(e);
	}
	assert_true(n > 3);
}

static void test_every_memory_failure_while_closing_is_reported(void **state)
{
	unsigned char root[32];
	long n;
	int r = -ENOMEM;

	for (n = 0; r; n++) {
		sm_begin(e, 1000, 400);
		ok(pd_sm_inc(e->data, 0, 200));
		ok(pd_sm_inc(e->data, 0, 100));
		ok(pd_sm_inc(e->data, 0, 10));
		shim_fail_alloc(n, false);
		r = pd_sm_close(e->data, root);
		if (!r)
			r = pd_tm_close(e->tm, root);
		shim_fail_alloc(-1, false);
		assert_true(!r || r == -ENOMEM);
		sm_end(e);
	}
	assert_true(n > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_device_has_the_documented_bytes),
		cmocka_unit_test(test_first_growth_takes_the_documented_blocks),
		cmocka_unit_test(test_largest_device_has_255_bitmaps),
		cmocka_unit_test(test_one_change_costs_a_bitmap_and_an_index),
		cmocka_unit_test(test_close_with_every_bitmap_touched_ends),
		cmocka_unit_test(test_index_is_touched_once_per_transaction),
		cmocka_unit_test(test_superblock_is_never_handed_out),
		cmocka_unit_test(test_reference_to_own_blocks_by_others_is_survived),
		cmocka_unit_test(test_growing_works_when_nothing_is_free),
		cmocka_unit_test(test_growing_by_too_little_is_enospc),
		cmocka_unit_test(test_failed_growing_is_undone_by_an_abort),
		cmocka_unit_test(test_wrong_numbers_on_disk_are_counted_anew),
		cmocka_unit_test(test_damaged_index_is_refused),
		cmocka_unit_test(test_check_finds_entries_that_do_not_belong),
		cmocka_unit_test(test_check_finds_overflow_counts_without_entries),
		cmocka_unit_test(test_every_read_error_while_closing_is_reported),
		cmocka_unit_test(test_every_memory_failure_while_closing_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
