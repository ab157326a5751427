// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The superblock: what is refused, in which order, and what is preserved.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/superblock.h"

#define SALT PD_SUPERBLOCK_CSUM_XOR
#define AT(field) offsetof(struct thinx_disk_superblock, field)

static struct ram_image *fresh_image(void)
{
	struct md_env e;

	md_begin(&e, 64, 100);
	return md_pull_image(&e);
}

static struct thinx_disk_superblock *super_of(struct md_env *e)
{
	static struct thinx_disk_superblock sb;
	struct ram_image *img = ram_store_image(e->io);

	memcpy(&sb, ram_image_read(img, 0), sizeof(sb));
	ram_image_destroy(img);
	return &sb;
}

static int open_image(struct ram_image *img, bool bdev_read_only)
{
	struct thinx_md *md;
	int r;

	r = thinx_md_open(ram_store_open(img), MD_BLOCK_SECTORS, true,
			  bdev_read_only, &md);
	ram_image_destroy(img);
	if (!r)
		thinx_md_close(md);
	return r;
}

static int open_with_le32(u32 offset, u32 value, bool bdev_read_only)
{
	struct ram_image *img = fresh_image();
	__le32 v = cpu_to_le32(value);

	md_poke(img, 0, offset, &v, sizeof(v), SALT);
	return open_image(img, bdev_read_only);
}

static void test_wrong_block_number_is_refused_first(void **state)
{
	assert_int_equal(open_with_le32(AT(blocknr), 7, false), -ENOTBLK);
}

static void test_wrong_magic_is_refused(void **state)
{
	assert_int_equal(open_with_le32(AT(magic), 27022011, false), -EILSEQ);
}

static void test_wrong_checksum_is_refused(void **state)
{
	struct ram_image *img = fresh_image();
	unsigned char block[PD_BLOCK_SIZE];

	memcpy(block, ram_image_read(img, 0), sizeof(block));
	block[4095] ^= 1;
	ram_image_write(img, 0, block);
	assert_int_equal(open_image(img, false), -EILSEQ);
}

static void test_one_stray_byte_is_not_blank(void **state)
{
	unsigned char block[PD_BLOCK_SIZE] = { [3000] = 1 };
	struct ram_image *img = ram_image_create(64);

	ram_image_write(img, 0, block);
	assert_int_equal(open_image(img, false), -EILSEQ);
}

static void test_random_bytes_are_refused(void **state)
{
	unsigned char block[PD_BLOCK_SIZE];
	struct ram_image *img = ram_image_create(64);
	u64 rng = 1;
	int i;

	for (i = 0; i < PD_BLOCK_SIZE; i++)
		block[i] = md_rnd(&rng);
	ram_image_write(img, 0, block);
	assert_int_equal(open_image(img, false), -ENOTBLK);
}

static void test_incompatible_feature_is_refused(void **state)
{
	assert_int_equal(open_with_le32(AT(incompat_flags), 1, false),
			 -EINVAL);
	assert_int_equal(open_with_le32(AT(incompat_flags), 1, true), -EINVAL);
}

static void test_compat_ro_feature_needs_a_read_only_device(void **state)
{
	assert_int_equal(open_with_le32(AT(compat_ro_flags), 2, false),
			 -EINVAL);
	assert_int_equal(open_with_le32(AT(compat_ro_flags), 2, true), 0);
}

static void test_compat_ro_feature_keeps_a_device_read_only(void **state)
{
	struct ram_image *img = fresh_image();
	__le32 v = cpu_to_le32(2);
	struct thinx_md *md;

	md_poke(img, 0, AT(compat_ro_flags), &v, sizeof(v), SALT);
	assert_int_equal(thinx_md_open(ram_store_open(img), MD_BLOCK_SECTORS,
				       true, true, &md), 0);
	ram_image_destroy(img);
	assert_int_equal(thinx_md_set_device_read_only(md, true), 0);
	assert_int_equal(thinx_md_set_device_read_only(md, false), -EINVAL);
	assert_int_equal(thinx_md_create_thin(md, 1), -EPERM);
	thinx_md_close(md);
}

static void test_unknown_compat_feature_is_tolerated(void **state)
{
	assert_int_equal(open_with_le32(AT(compat_flags), 4, false), 0);
}

static void test_version_is_not_looked_at(void **state)
{
	assert_int_equal(open_with_le32(AT(version), 99, false), 0);
}

static void test_other_block_size_is_refused(void **state)
{
	assert_int_equal(open_with_le32(AT(data_block_size), 256, false),
			 -EINVAL);
}

static void test_unknown_bytes_and_flags_survive_commits(void **state)
{
	static const char uuid[16] = "0123456789abcde";
	struct ram_image *img = fresh_image();
	__le32 flags = cpu_to_le32(0x80000010);
	struct thinx_disk_superblock *sb;
	struct md_env e;

	md_poke(img, 0, AT(flags), &flags, sizeof(flags), SALT);
	md_poke(img, 0, AT(uuid), uuid, sizeof(uuid), SALT);
	md_poke(img, 0, AT(data_sm_root) + 40, uuid, sizeof(uuid), SALT);
	md_poke(img, 0, AT(unused) + 3000, uuid, sizeof(uuid), SALT);
	md_poke(img, 0, AT(compat_flags), &flags, sizeof(flags), SALT);
	assert_int_equal(md_push_image(&e, img), 0);

	thinx_md_close_device(md_create(&e, 1));
	md_commit(&e);

	sb = super_of(&e);
	assert_int_equal(le32_to_cpu(sb->flags), 0x80000010);
	assert_int_equal(le32_to_cpu(sb->compat_flags), 0x80000010);
	assert_memory_equal(sb->uuid, uuid, sizeof(uuid));
	assert_memory_equal(sb->data_sm_root + 40, uuid, sizeof(uuid));
	assert_memory_equal(sb->unused + 3000, uuid, sizeof(uuid));
	md_end(&e);
}

static void test_needs_check_is_on_the_device_at_once(void **state)
{
	struct md_env e;

	md_begin(&e, 64, 100);
	assert_false(thinx_md_needs_check(e.md));
	assert_int_equal(thinx_md_set_needs_check(e.md), 0);
	assert_true(thinx_md_needs_check(e.md));
	md_crash(&e);
	assert_true(thinx_md_needs_check(e.md));

	/* It survives commits and aborts. */
	thinx_md_close_device(md_create(&e, 1));
	md_commit(&e);
	md_crash(&e);
	assert_true(thinx_md_needs_check(e.md));
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(thinx_md_needs_check(e.md));
	md_end(&e);
}

static void test_needs_check_that_cannot_be_written_is_remembered(void **state)
{
	struct md_env e;

	md_begin(&e, 64, 100);
	ram_store_fail(e.io, RAM_OP_WRITE, 0, false);
	assert_int_equal(thinx_md_set_needs_check(e.md), -EIO);
	assert_true(thinx_md_needs_check(e.md));
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(thinx_md_needs_check(e.md));
	assert_int_equal(thinx_md_set_needs_check(e.md), 0);
	md_crash(&e);
	assert_true(thinx_md_needs_check(e.md));
	md_end(&e);
}

static void test_needs_check_is_written_when_read_only(void **state)
{
	struct md_env e;

	md_begin(&e, 64, 100);
	thinx_md_set_read_only(e.md);
	assert_int_equal(thinx_md_set_needs_check(e.md), 0);
	md_crash(&e);
	assert_true(thinx_md_needs_check(e.md));
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_block_number_is_refused_first),
		cmocka_unit_test(test_wrong_magic_is_refused),
		cmocka_unit_test(test_wrong_checksum_is_refused),
		cmocka_unit_test(test_one_stray_byte_is_not_blank),
		cmocka_unit_test(test_random_bytes_are_refused),
		cmocka_unit_test(test_incompatible_feature_is_refused),
		cmocka_unit_test(test_compat_ro_feature_needs_a_read_only_device),
		cmocka_unit_test(test_compat_ro_feature_keeps_a_device_read_only),
		cmocka_unit_test(test_unknown_compat_feature_is_tolerated),
		cmocka_unit_test(test_version_is_not_looked_at),
		cmocka_unit_test(test_other_block_size_is_refused),
		cmocka_unit_test(test_unknown_bytes_and_flags_survive_commits),
		cmocka_unit_test(test_needs_check_is_on_the_device_at_once),
		cmocka_unit_test(test_needs_check_that_cannot_be_written_is_remembered),
		cmocka_unit_test(test_needs_check_is_written_when_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
