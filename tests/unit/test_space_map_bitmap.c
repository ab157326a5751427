// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Two-bit entries, against plain arrays and bytes of docs/format.md.
 */
#include "persistent-data/space-map-bitmap.h"

#include "include/pd-format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/bitops.h>

static void test_entries_have_their_bits_swapped_on_disk(void **state)
{
	/* docs/format.md 13.3: counts 2 1 1 2 2 1 1 1 are bytes 69 a9. */
	static const unsigned char counts[] = { 2, 1, 1, 2, 2, 1, 1, 1 };
	struct pd_disk_bitmap bm = { 0 };
	const unsigned char *bytes = (const unsigned char *)&bm;
	u32 e;

	for (e = 0; e < 8; e++)
		pd_bitmap_set(&bm, e, counts[e]);
	assert_int_equal(bytes[16], 0x69);
	assert_int_equal(bytes[17], 0xa9);
	for (e = 18; e < PD_BLOCK_SIZE; e++)
		assert_int_equal(bytes[e], 0);
	for (e = 0; e < 8; e++)
		assert_int_equal(pd_bitmap_get(&bm, e), counts[e]);
	pd_bitmap_set(&bm, 3, PD_BITMAP_MANY);
	assert_int_equal(bytes[16], 0xe9);
}

static void test_random_entries_equal_an_array(void **state)
{
	static unsigned char twin[PD_ENTRIES_PER_BITMAP];
	static struct pd_disk_bitmap bm;
	DECLARE_BITMAP(bits, PD_ENTRIES_PER_BITMAP);
	u32 i, e, used, first, limit;

	srandom(7);
	for (i = 0; i < 40000; i++) {
		e = random() % PD_ENTRIES_PER_BITMAP;
		if (i % 1000 < 500)
			e %= 700;	/* dense at the beginning */
		twin[e] = random() % 4;
		pd_bitmap_set(&bm, e, twin[e]);
		if (i % 1000)
			continue;
		limit = random() % (PD_ENTRIES_PER_BITMAP + 1);
		used = 0;
		first = PD_ENTRIES_PER_BITMAP;
		pd_bitmap_used_bits(&bm, bits);
		for (e = 0; e < PD_ENTRIES_PER_BITMAP; e++) {
			assert_int_equal(pd_bitmap_get(&bm, e), twin[e]);
			assert_int_equal(test_bit(e, bits), !!twin[e]);
			used += twin[e] && e < limit;
			if (!twin[e] && first == PD_ENTRIES_PER_BITMAP)
				first = e;
		}
		assert_int_equal(pd_bitmap_nr_used(&bm, limit), used);
		assert_int_equal(pd_bitmap_first_free(&bm), first);
	}
	assert_int_equal(bm.csum, 0);
	assert_int_equal(bm.blocknr, 0);
}

static void test_full_bitmap_has_no_first_free_entry(void **state)
{
	static struct pd_disk_bitmap bm;

	memset(bm.words, 0xaa, sizeof(bm.words));
	assert_int_equal(pd_bitmap_first_free(&bm), PD_ENTRIES_PER_BITMAP);
	assert_int_equal(pd_bitmap_nr_used(&bm, PD_ENTRIES_PER_BITMAP),
			 PD_ENTRIES_PER_BITMAP);
	pd_bitmap_set(&bm, PD_ENTRIES_PER_BITMAP - 1, 0);
	assert_int_equal(pd_bitmap_first_free(&bm), PD_ENTRIES_PER_BITMAP - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_have_their_bits_swapped_on_disk),
		cmocka_unit_test(test_random_entries_equal_an_array),
		cmocka_unit_test(test_full_bitmap_has_no_first_free_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
