// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A checker that finds nothing proves nothing: each kind of damage is found.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "include/thinx-format.h"
#include "tests/check/metadata-check.h"

#define AT(field) offsetof(struct thinx_disk_superblock, field)

static u64 le64_at(const struct ram_image *img, pd_block_t b, u32 offset)
{
	__le64 v;

	memcpy(&v, (const char *)ram_image_read(img, b) + offset, sizeof(v));
	return le64_to_cpu(v);
}

static struct ram_image *sound_image(void)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 400);
	md_create(&e, 3);
	thinx_md_close_device(dev);
	thinx_md_close_device(md_open(&e, 3));
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	dev = md_open(&e, 2);
	md_map(&e, dev, 5, 1);
	thinx_md_close_device(dev);
	md_commit(&e);
	md_check(&e);
	return md_pull_image(&e);
}

static int check_image(struct ram_image *img)
{
	struct md_env e;
	int r;

	r = md_push_image(&e, img);
	if (r)
		return r;
	r = thinx_md_check(e.md);
	md_close(&e);
	return r;
}

static void poke_le64(struct ram_image *img, pd_block_t b, u32 offset, u64 v,
		      u32 salt)
{
	__le64 disk = cpu_to_le64(v);

	md_poke(img, b, offset, &disk, sizeof(disk), salt);
}

static void test_sound_metadata_pass(void **state)
{
	assert_int_equal(check_image(sound_image()), 0);
}

static void test_wrong_mapped_blocks_is_found(void **state)
{
	struct ram_image *img = sound_image();
	u64 details = le64_at(img, 0, AT(device_details_root));

	assert_int_equal(le64_at(img, details, 0x410), 400);
	poke_le64(img, details, 0x410, 399, PD_NODE_CSUM_XOR);
	assert_int_equal(check_image(img), -EILSEQ);
}

static void test_device_in_one_tree_only_is_found(void **state)
{
	struct ram_image *img = sound_image();
	u64 details = le64_at(img, 0, AT(device_details_root));
	u64 top = le64_at(img, 0, AT(data_mapping_root));

	assert_int_equal(le64_at(img, details, 32 + 16), 3);
	poke_le64(img, details, 32 + 16, 4, PD_NODE_CSUM_XOR);
	assert_int_equal(check_image(img), -EILSEQ);

	img = sound_image();
	poke_le64(img, top, 32 + 16, 4, PD_NODE_CSUM_XOR);
	assert_int_equal(check_image(img), -EILSEQ);
}

/* The first bitmap of the data map, through the index leaf. */
static u64 data_bitmap(struct ram_image *img)
{
	u64 index = le64_at(img, 0, AT(data_sm_root) + 16);

	return le64_at(img, index, 0x560);
}

static void test_wrong_data_count_is_found(void **state)
{
	struct ram_image *img;
	u8 byte;
	int i;

	/* Blocks 0..3 have a count of two or one: to one, two, zero. */
	for (i = 0; i < 3; i++) {
		static const u8 pairs[] = { 0xaa, 0x55, 0x00 };
		u64 bitmap;

		img = sound_image();
		bitmap = data_bitmap(img);
		byte = ((const u8 *)ram_image_read(img, bitmap))[16];
		if (byte == pairs[i]) {
			ram_image_destroy(img);
			continue;
		}
		md_poke(img, bitmap, 16, &pairs[i], 1, PD_BITMAP_CSUM_XOR);
		assert_int_equal(check_image(img), -EILSEQ);
	}
}

static void test_leaked_data_block_is_found(void **state)
{
	struct ram_image *img = sound_image();
	const u8 used = 0x02;

	/* Entry 900 of the bitmap. */
	md_poke(img, data_bitmap(img), 16 + 900 / 4, &used, 1,
		PD_BITMAP_CSUM_XOR);
	assert_int_equal(check_image(img), -EILSEQ);
}

static void test_wrong_metadata_count_is_found(void **state)
{
	static const u8 pairs[] = { 0x00, 0x02, 0x01 };
	u64 index, bitmap;
	u8 byte, changed;
	u32 b, i, nr = 0;

	for (b = 0; b < 128; b += 7) {
		for (i = 0; i < 3; i++) {
			struct ram_image *img = sound_image();
			u32 shift = b % 4 * 2;

			index = le64_at(img, 0, AT(metadata_sm_root) + 16);
			bitmap = le64_at(img, index, 16);
			byte = ((const u8 *)ram_image_read(img,
						bitmap))[16 + b / 4];
			changed = (byte & ~(3 << shift)) | pairs[i] << shift;
			if (changed == byte) {
				ram_image_destroy(img);
				continue;
			}
			md_poke(img, bitmap, 16 + b / 4, &changed, 1,
				PD_BITMAP_CSUM_XOR);
			assert_int_not_equal(check_image(img), 0);
			nr++;
		}
	}
	assert_true(nr > 30);
}

static void test_damaged_node_is_found(void **state)
{
	struct ram_image *img = sound_image();
	u64 top = le64_at(img, 0, AT(data_mapping_root));

	/* Keys out of order. */
	poke_le64(img, top, 32, 7, PD_NODE_CSUM_XOR);
	assert_int_equal(check_image(img), -EILSEQ);
}

static void test_unreadable_node_is_reported(void **state)
{
	struct md_env e;

	assert_int_equal(md_push_image(&e, sound_image()), 0);
	ram_store_evict(e.io);
	ram_store_fail(e.io, RAM_OP_READ, 2, false);
	assert_int_equal(thinx_md_check(e.md), -EIO);
	assert_int_equal(thinx_md_check(e.md), 0);
	md_close(&e);
}

static void test_uncommitted_changes_are_checked_too(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	assert_int_equal(md_push_image(&e, sound_image()), 0);
	dev = md_open(&e, 2);
	md_map(&e, dev, 100, 300);
	md_check(&e);
	md_unmap(&e, dev, 50, 150);
	md_check(&e);
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_check(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 1, 2), 0);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_metadata_pass),
		cmocka_unit_test(test_wrong_mapped_blocks_is_found),
		cmocka_unit_test(test_device_in_one_tree_only_is_found),
		cmocka_unit_test(test_wrong_data_count_is_found),
		cmocka_unit_test(test_leaked_data_block_is_found),
		cmocka_unit_test(test_wrong_metadata_count_is_found),
		cmocka_unit_test(test_damaged_node_is_found),
		cmocka_unit_test(test_unreadable_node_is_reported),
		cmocka_unit_test(test_uncommitted_changes_are_checked_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
