// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Formatting a blank device and loading what is there.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <linux/kernel.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/superblock.h"
#include "tests/check/metadata-check.h"

static int open_size(pd_block_t nr_blocks)
{
	struct thinx_md *md;
	int r;

	r = thinx_md_open(ram_store_create(nr_blocks), MD_BLOCK_SECTORS, true,
			  false, &md);
	if (!r)
		thinx_md_close(md);
	return r;
}

static void test_blank_device_gets_the_documented_layout(void **state)
{
	const struct thinx_disk_superblock *sb;
	const struct pd_disk_sm_root *root;
	struct thinx_md_space s;
	struct ram_image *img;
	struct md_env e;
	u64 m;

	/* 3 bitmaps, as the 128 MiB device of docs/format.md 10.3. */
	e.io = ram_store_create(32768);
	assert_int_equal(thinx_md_open(e.io, 128, true, false, &e.md), 0);
	thinx_md_get_space(e.md, &s);
	m = 3;
	assert_int_equal(s.meta_total, 32768);
	assert_int_equal(s.meta_free, 32768 - 7 - m);
	assert_int_equal(s.data_total, 0);
	assert_int_equal(s.meta_reserve, 3276);

	img = ram_store_image(e.io);
	sb = ram_image_read(img, 0);
	assert_int_equal(le32_to_cpu(sb->version), 2);
	assert_int_equal(le32_to_cpu(sb->flags), 0);
	assert_int_equal(le32_to_cpu(sb->time), 0);
	assert_int_equal(le64_to_cpu(sb->trans_id), 0);
	assert_int_equal(le64_to_cpu(sb->held_root), 0);
	assert_int_equal(le32_to_cpu(sb->data_block_size), 128);
	assert_int_equal(le32_to_cpu(sb->metadata_block_size), 8);
	assert_int_equal(le64_to_cpu(sb->metadata_nr_blocks), 32768);
	root = (const void *)sb->metadata_sm_root;
	assert_int_equal(le64_to_cpu(root->nr_blocks), 32768);
	assert_int_equal(le64_to_cpu(root->nr_allocated), 7 + m);
	assert_int_equal(le64_to_cpu(root->bitmap_root), 1);
	assert_int_equal(le64_to_cpu(root->ref_count_root), 2);
	root = (const void *)sb->data_sm_root;
	assert_int_equal(le64_to_cpu(root->nr_blocks), 0);
	assert_int_equal(le64_to_cpu(root->bitmap_root), 3 + m);
	assert_int_equal(le64_to_cpu(root->ref_count_root), 4 + m);
	assert_int_equal(le64_to_cpu(sb->data_mapping_root), 5 + m);
	assert_int_equal(le64_to_cpu(sb->device_details_root), 6 + m);
	ram_image_destroy(img);

	if (!md_tools_check(&e))
		print_message("no checking tools here\n");
	assert_int_equal(thinx_md_open_generation(e.md), 1);
	assert_int_equal(thinx_md_completed_generation(e.md), 0);
	assert_false(thinx_md_is_dirty(e.md));
	md_end(&e);
}

static void test_format_is_durable_before_anything_else(void **state)
{
	struct md_env e;

	e.io = ram_store_create(64);
	assert_int_equal(thinx_md_open(e.io, 128, true, false, &e.md), 0);
	md_crash(&e);
	md_end(&e);
}

static void test_blank_device_is_not_formatted_without_permission(void **state)
{
	struct ram_image *img = ram_image_create(64);
	struct pd_block_io *io;
	struct thinx_md *md;

	assert_int_equal(thinx_md_open(ram_store_open(img), 128, false, false,
				       &md), -EPERM);
	assert_int_equal(thinx_md_open(ram_store_open(img), 128, true, true,
				       &md), -EPERM);
	ram_image_destroy(img);

	io = ram_store_create(64);
	ram_store_record(io, true);
	ram_store_fail(io, RAM_OP_WRITE, 0, true);
	assert_int_equal(thinx_md_open(io, 128, false, false, &md), -EPERM);
}

static void test_failing_format_leaves_a_blank_device(void **state)
{
	struct thinx_md *md;
	struct pd_block_io *io;
	long n;
	int r;

	for (n = 0; n < 20; n++) {
		io = ram_store_create(64);
		ram_store_fail(io, RAM_OP_WRITE, n, false);
		r = thinx_md_open(io, 128, true, false, &md);
		if (!r)
			break;
		assert_int_equal(r, -EIO);
	}
	/* Blocks of a fresh device: 8 and the superblock. */
	assert_in_range(n, 8, 12);
	thinx_md_close(md);
}

static void test_tiny_devices_are_refused(void **state)
{
	pd_block_t n;

	for (n = 1; n < THINX_MIN_METADATA_BLOCKS; n++)
		assert_int_equal(open_size(n), -ENOSPC);
	assert_int_equal(open_size(THINX_MIN_METADATA_BLOCKS), 0);
}

/* 0, or which step of a short ordinary life had no space. */
static int live_on(pd_block_t nr_blocks, u64 nr_data)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	int step = 0;

	e.io = ram_store_create(nr_blocks);
	if (thinx_md_open(e.io, MD_BLOCK_SECTORS, true, false, &e.md))
		return 1;
	if (thinx_md_resize_data(e.md, nr_data)) {
		step = 2;
		goto out;
	}
	md_commit(&e);
	if (thinx_md_create_thin(e.md, 1)) {
		step = 3;
		goto out;
	}
	md_commit(&e);
	dev = md_open(&e, 1);
	if (md_try_map(&e, dev, 0, 100))
		step = 4;
	md_commit(&e);
	if (!step && thinx_md_create_snap(e.md, 2, 1))
		step = 5;
	md_commit(&e);
	if (!step && md_try_map(&e, dev, 50, 100))
		step = 6;
	md_commit(&e);
	thinx_md_close_device(dev);
	if (!step && thinx_md_delete(e.md, 1))
		step = 7;
	md_commit(&e);
	if (!step && thinx_md_delete(e.md, 2))
		step = 8;
	md_commit(&e);
out:
	md_end(&e);
	return step;
}

static void test_smallest_device_can_be_used(void **state)
{
	pd_block_t n = THINX_MIN_METADATA_BLOCKS;

	assert_int_equal(live_on(n - 1, 200), 1);
	assert_int_equal(live_on(n, 200), 0);
	assert_int_equal(live_on(n, 1024), 0);
	assert_int_equal(live_on(n, 160 * 1024), 0);
}

static void test_excess_of_a_huge_device_is_not_used(void **state)
{
	struct thinx_md_space s;
	unsigned long logged;
	struct md_env e;

	e.io = ram_store_create(4161600 + 1000);
	logged = shim_nr_logged;
	assert_int_equal(thinx_md_open(e.io, 128, true, false, &e.md), 0);
	assert_true(shim_nr_logged > logged);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.meta_total, 4161600);
	assert_int_equal(s.meta_reserve, 4096);
	assert_int_equal(s.meta_free, 4161600 - 7 - 255);
	assert_int_equal(thinx_md_device_blocks(e.md), 4161600);
	md_close(&e);
}

static void test_everything_is_there_after_opening_again(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	char *before, *after;

	md_begin(&e, 128, 1000);
	dev = md_create(&e, 5);
	md_map(&e, dev, 7, 300);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_create_snap(e.md, 6, 5), 0);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 0, 17), 0);
	md_commit(&e);
	before = md_dump(e.md, 5);
	md_crash(&e);
	after = md_dump(e.md, 5);
	assert_string_equal(before, after);
	assert_int_equal(thinx_md_transaction_id(e.md), 17);
	free(before);
	free(after);
	md_end(&e);
}

static void test_what_was_not_committed_is_not_there(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 1000);
	dev = md_create(&e, 5);
	md_commit(&e);
	md_map(&e, dev, 7, 300);
	thinx_md_close_device(dev);
	md_crash(&e);
	dev = md_open(&e, 5);
	assert_true(md_get(dev, 7) == THINX_WORD_HOLE);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 0);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_damaged_space_map_root_is_refused(void **state)
{
	static const u64 bad[] = { 0, 1ULL << 40, ~0ULL };
	struct ram_image *img;
	struct md_env e;
	unsigned int i, field;

	for (field = 0; field < 2; field++) {
		for (i = 0; i < 3; i++) {
			__le64 v = cpu_to_le64(bad[i]);

			md_begin(&e, 64, 100);
			img = md_pull_image(&e);
			/* Roots of index and overflow counts. */
			md_poke(img, 0, 192 + 16 + 8 * field, &v, sizeof(v),
				PD_SUPERBLOCK_CSUM_XOR);
			if (!md_push_image(&e, img)) {
				/* Then it must be noticed later. */
				assert_int_not_equal(thinx_md_check(e.md), 0);
				md_close(&e);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blank_device_gets_the_documented_layout),
		cmocka_unit_test(test_format_is_durable_before_anything_else),
		cmocka_unit_test(test_blank_device_is_not_formatted_without_permission),
		cmocka_unit_test(test_failing_format_leaves_a_blank_device),
		cmocka_unit_test(test_tiny_devices_are_refused),
		cmocka_unit_test(test_smallest_device_can_be_used),
		cmocka_unit_test(test_excess_of_a_huge_device_is_not_used),
		cmocka_unit_test(test_everything_is_there_after_opening_again),
		cmocka_unit_test(test_what_was_not_committed_is_not_there),
		cmocka_unit_test(test_damaged_space_map_root_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
