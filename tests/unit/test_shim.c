// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The small user-space kernel is tested too: a test bench that lies is worse
 * than none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/crc32c.h>
#include <linux/device-mapper.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include <asm/byteorder.h>

static void test_crc32c_has_the_kernels_semantics(void **state)
{
	/* The check value of CRC-32C, without the final inversion. */
	assert_int_equal(crc32c(~0u, "123456789", 9), 0xe3069283u ^ ~0u);
	assert_int_equal(crc32c(crc32c(~0u, "1234", 4), "56789", 5),
			 0xe3069283u ^ ~0u);
}

static unsigned long key_of(unsigned int k)
{
	/* Neighbours, far keys and the very last ones. */
	return k < 300 ? k : k < 400 ? (k - 299ul) << 55 : ~0ul - (499 - k);
}

static void test_xarray_equals_an_array(void **state)
{
	static void *twin[500];
	struct xarray xa;
	unsigned long index;
	unsigned int i, k, n;
	void *e;

	xa_init(&xa);
	srandom(1);
	for (i = 0; i < 50000; i++) {
		k = random() % 500;
		e = random() % 3 ? xa_mk_value(random()) : NULL;
		assert_ptr_equal(xa_store(&xa, key_of(k), e, GFP_NOIO), twin[k]);
		twin[k] = e;
		k = random() % 500;
		assert_ptr_equal(xa_load(&xa, key_of(k)), twin[k]);
		if (i % 500)
			continue;
		n = 0;
		xa_for_each(&xa, index, e) {
			while (!twin[n])
				n++;
			assert_int_equal(index, key_of(n));
			assert_ptr_equal(e, twin[n]);
			n++;
		}
		while (n < 500)
			assert_null(twin[n++]);
	}
	for (k = 0; k < 500; k++)
		xa_erase(&xa, key_of(k));
	assert_true(xa_empty(&xa));
}

static void test_xarray_iterates_in_ascending_order(void **state)
{
	static const unsigned long keys[] = { 0, 1, 63, 64, 4095, 4096, 1ul << 40,
					      ~0ul };
	struct xarray xa;
	unsigned long index;
	unsigned int i = 0;
	void *e;

	xa_init(&xa);
	for (i = ARRAY_SIZE(keys); i--;)
		assert_null(xa_store(&xa, keys[i], xa_mk_value(i), GFP_NOIO));
	i = 0;
	xa_for_each(&xa, index, e) {
		assert_int_equal(index, keys[i]);
		assert_int_equal(xa_to_value(e), i);
		i++;
	}
	assert_int_equal(i, ARRAY_SIZE(keys));
	i = 2;
	xa_for_each_range(&xa, index, e, 2, 4095)
		assert_int_equal(index, keys[i++]);
	assert_int_equal(i, 5);
	xa_destroy(&xa);
	assert_true(xa_empty(&xa));
}

static void test_xarray_store_reports_a_failed_allocation(void **state)
{
	struct xarray xa;
	void *r;

	xa_init(&xa);
	assert_null(xa_store(&xa, 5, xa_mk_value(1), GFP_NOIO));
	shim_fail_alloc(1, false);
	r = xa_store(&xa, 1ul << 30, xa_mk_value(1), GFP_NOIO);
	assert_true(xa_is_err(r));
	assert_int_equal(xa_err(r), -ENOMEM);
	shim_fail_alloc(-1, false);
	assert_null(xa_load(&xa, 1ul << 30));
	assert_ptr_equal(xa_load(&xa, 5), xa_mk_value(1));
	assert_int_equal(xa_insert(&xa, 5, xa_mk_value(2), GFP_NOIO), -EBUSY);
	xa_destroy(&xa);
}

static void test_allocations_fail_on_demand(void **state)
{
	void *a, *b, *c;

	shim_fail_alloc(1, false);
	a = kmalloc(1, GFP_NOIO);
	b = kmalloc(1, GFP_NOIO);
	c = kzalloc(1, GFP_NOIO);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	assert_int_equal(shim_nr_allocs(), 3);
	shim_fail_alloc(-1, false);
	kfree(a);
	kfree(c);
}

static void test_lock_assertions_notice_a_missing_lock(void **state)
{
	struct rw_semaphore s;

	init_rwsem(&s);
	shim_warn_aborts = false;
	shim_nr_warnings = 0;
	lockdep_assert_held_write(&s);
	assert_int_equal(shim_nr_warnings, 1);
	down_read(&s);
	lockdep_assert_held(&s);
	assert_int_equal(shim_nr_warnings, 1);
	lockdep_assert_held_write(&s);
	assert_int_equal(shim_nr_warnings, 2);
	up_read(&s);
	down_write(&s);
	lockdep_assert_held_write(&s);
	up_write(&s);
	assert_int_equal(shim_nr_warnings, 2);
	shim_warn_aborts = true;
}

static void test_find_bit_stops_at_size(void **state)
{
	DECLARE_BITMAP(map, 200);

	bitmap_zero(map, 200);
	assert_int_equal(find_next_bit(map, 200, 0), 200);
	assert_int_equal(find_next_zero_bit(map, 200, 199), 199);
	bitmap_set(map, 3, 190);
	assert_int_equal(find_next_zero_bit(map, 200, 3), 193);
	assert_int_equal(find_next_zero_bit(map, 130, 3), 130);
	assert_int_equal(find_next_bit(map, 200, 193), 200);
	assert_int_equal(bitmap_weight(map, 200), 190);
	bitmap_clear(map, 64, 1);
	assert_int_equal(find_next_zero_bit(map, 200, 3), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c_has_the_kernels_semantics),
		cmocka_unit_test(test_xarray_equals_an_array),
		cmocka_unit_test(test_xarray_iterates_in_ascending_order),
		cmocka_unit_test(test_xarray_store_reports_a_failed_allocation),
		cmocka_unit_test(test_allocations_fail_on_demand),
		cmocka_unit_test(test_lock_assertions_notice_a_missing_lock),
		cmocka_unit_test(test_find_bit_stops_at_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
