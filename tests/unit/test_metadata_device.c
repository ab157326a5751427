// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thin devices: create, open, close.
 */
#include "md-env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/metadata.h"

/* ---- create ---- */

static void test_create_twice_is_refused(void **state)
{
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, 3), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_commit(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_crash(&e);
	assert_int_equal(thinx_md_create_thin(e.md, 3), -EEXIST);
	md_end(&e);
}

static void test_ids_have_24_bits(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_create_thin(e.md, THINX_DEV_ID_MAX + 1),
			 -EINVAL);
	assert_int_equal(thinx_md_create_thin(e.md, THINX_DEV_ID_MAX), 0);
	assert_int_equal(thinx_md_create_thin(e.md, 0), 0);
	assert_int_equal(thinx_md_create_snap(e.md, THINX_DEV_ID_MAX + 1, 0),
			 -EINVAL);
	assert_int_equal(thinx_md_create_snap(e.md, 1, THINX_DEV_ID_MAX + 1),
			 -ENODATA);
	assert_int_equal(thinx_md_delete(e.md, THINX_DEV_ID_MAX + 1), -ENODATA);
	dev = md_open(&e, THINX_DEV_ID_MAX);
	assert_int_equal(thinx_md_dev_id(dev), THINX_DEV_ID_MAX);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_many_devices(void **state)
{
	enum { NR = 1000 };
	struct md_env e;
	u32 i;

	md_begin(&e, 4096, 100);
	for (i = 0; i < NR; i++)
		assert_int_equal(thinx_md_create_thin(e.md, i * 7919 % NR), 0);
	md_check(&e);
	md_commit(&e);
	for (i = 0; i < NR; i += 2)
		assert_int_equal(thinx_md_create_snap(e.md, NR + i, i), 0);
	md_crash(&e);	/* the snapshots are gone */
	for (i = 0; i < NR; i++)
		assert_int_equal(thinx_md_delete(e.md, i), 0);
	md_commit(&e);
	assert_null(md_dump(e.md, 0));
	md_end(&e);
}

static int check_device(struct md_env *e, u32 id)
{
	int r;

	thinx_md_lock(e->md);
	r = thinx_md_check_device_locked(e->md, id);
	thinx_md_unlock(e->md);
	return r;
}

static void test_device_is_there_from_its_creation_to_its_end(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(check_device(&e, 3), -ENODATA);
	assert_int_equal(thinx_md_create_thin(e.md, 3), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 4, 3), 0);
	assert_int_equal(check_device(&e, 3), 0);
	assert_int_equal(check_device(&e, 4), 0);
	dev = md_open(&e, 3);
	assert_int_equal(check_device(&e, 3), 0);
	thinx_md_close_device(dev);
	md_commit(&e);
	assert_int_equal(thinx_md_delete(e.md, 3), 0);
	assert_int_equal(check_device(&e, 3), -ENODATA);
	assert_int_equal(check_device(&e, 4), 0);
	md_crash(&e);
	assert_int_equal(check_device(&e, 3), 0);
	md_end(&e);
}

/* ---- open and close ---- */

static void test_opening_twice_gives_one_object(void **state)
{
	struct thinx_md_dev *a, *b;
	struct md_env e;

	md_begin(&e, 128, 100);
	a = md_create(&e, 1);
	b = md_open(&e, 1);
	assert_ptr_equal(a, b);
	thinx_md_close_device(a);
	assert_int_equal(thinx_md_delete(e.md, 1), -EBUSY);
	thinx_md_close_device(b);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	md_end(&e);
}

static void test_unknown_device_cannot_be_opened(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	assert_int_equal(thinx_md_open_device(e.md, 1, &dev), -ENODATA);
	assert_int_equal(thinx_md_open_device(e.md, ~0U, &dev), -ENODATA);
	md_end(&e);
}

static void test_device_closed_with_changes_stays_dirty(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	md_commit(&e);
	assert_false(thinx_md_dev_is_dirty(dev));
	md_map(&e, dev, 0, 3);
	assert_true(thinx_md_dev_is_dirty(dev));
	thinx_md_close_device(dev);

	dev = md_open(&e, 1);
	assert_true(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 3);
	thinx_md_close_device(dev);
	md_commit(&e);
	dev = md_open(&e, 1);
	assert_false(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 3);
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_new_device_is_dirty_until_committed(void **state)
{
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 128, 100);
	dev = md_create(&e, 1);
	assert_true(thinx_md_dev_is_dirty(dev));
	assert_int_equal(thinx_md_dev_generation(dev),
			 thinx_md_open_generation(e.md));
	md_commit(&e);
	assert_false(thinx_md_dev_is_dirty(dev));
	thinx_md_close_device(dev);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_twice_is_refused),
		cmocka_unit_test(test_ids_have_24_bits),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_device_is_there_from_its_creation_to_its_end),
		cmocka_unit_test(test_opening_twice_gives_one_object),
		cmocka_unit_test(test_unknown_device_cannot_be_opened),
		cmocka_unit_test(test_device_closed_with_changes_stays_dirty),
		cmocka_unit_test(test_new_device_is_dirty_until_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
