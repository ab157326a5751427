// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the kernel says, read by tools/text.c.  The answers in recorded.h are real
 * ones; the others are what a later version, or a broken one, might say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "recorded.h"

static void test_pool_tables(void **state)
{
	struct pool_table t;

	assert_true(parse_pool_table(recorded_pool_table, &t));
	assert_int_equal(t.meta_major, 7);
	assert_int_equal(t.meta_minor, 0);
	assert_int_equal(t.data_minor, 1);
	assert_int_equal(t.block_sectors, 128);
	assert_true(parse_pool_table("8:1 259:300 2097152 100 1 skip_block_zeroing ", &t));
	assert_int_equal(t.data_major, 259);
	assert_int_equal(t.data_minor, 300);
	assert_false(parse_pool_table("", &t));
	assert_false(parse_pool_table("7:0 7:1", &t));
	assert_false(parse_pool_table("7:0 7:1 0 0 0", &t));
	assert_false(parse_pool_table("/dev/sda /dev/sdb 128 0", &t));
}

static void test_thin_tables(void **state)
{
	struct thin_table t;

	assert_true(parse_thin_table(recorded_thin_table, &t));
	assert_int_equal(t.id, 1);
	assert_string_equal(t.origin, "");
	assert_true(parse_thin_table("254:3 16777215 7:9", &t));
	assert_string_equal(t.origin, "7:9");
	assert_int_equal(t.pool_major, 254);
	assert_int_equal(t.pool_minor, 3);
	assert_int_equal(t.id, 16777215);
	assert_false(parse_thin_table("254:3", &t));
	assert_false(parse_thin_table("254 3", &t));
	assert_false(parse_thin_table("254:3 4294967296", &t));
}

static void test_pool_status(void **state)
{
	struct pool_status s;

	assert_true(parse_pool_status(recorded_pool_status, &s));
	assert_false(s.failed);
	assert_int_equal(s.data_used, 15);
	assert_int_equal(s.data_total, 2048);
	assert_int_equal(s.meta_total, 4096);
	assert_string_equal(s.mode, "rw");
	assert_string_equal(s.discard, "discard_passdown");
	assert_string_equal(s.no_space, "queue_if_no_space");
	assert_false(s.needs_check);
	assert_true(parse_pool_status("3 5/6 7/8 12 ro no_discard_passdown error_if_no_space needs_check 1024 ",
				      &s));
	assert_int_equal(s.transaction, 3);
	assert_int_equal(s.meta_used, 5);
	assert_string_equal(s.mode, "ro");
	assert_true(s.needs_check);
	assert_true(parse_pool_status("Fail", &s));
	assert_true(s.failed);
	assert_false(parse_pool_status("Error", &s));
	assert_false(parse_pool_status("3 5/6 7", &s));
}

static void test_thin_status(void **state)
{
	struct thin_status s;

	assert_true(parse_thin_status(recorded_thin_status, &s));
	assert_true(s.known);
	assert_int_equal(s.mapped, 12 * 128);
	assert_int_equal(s.end, 1026 * 128);
	assert_true(parse_thin_status("0 -", &s));
	assert_true(s.known);
	assert_int_equal(s.end, 0);
	assert_true(parse_thin_status("Fail", &s));
	assert_false(s.known);
	assert_true(parse_thin_status("Error", &s));
	assert_false(s.known);
	assert_false(parse_thin_status("", &s));
	assert_false(parse_thin_status("128 x", &s));
}

static void expect_run(const struct run *r, uint64_t begin, uint64_t length,
		       uint64_t data_begin, enum run_kind kind)
{
	assert_int_equal(r->begin, begin);
	assert_int_equal(r->length, length);
	assert_int_equal(r->data_begin, data_begin);
	assert_string_equal(run_kind_name(r->kind), run_kind_name(kind));
}

static void test_a_map(void **state)
{
	struct runs runs = { };
	struct page page;

	assert_true(parse_page(recorded_map, "map", &page, &runs));
	assert_int_equal(page.nr_devices, 1);
	assert_int_equal(page.id[0], 1);
	assert_int_equal(strlen(page.stamp[0]), strcspn(page.stamp[0], " "));
	assert_true(strchr(page.stamp[0], '.'));
	assert_true(page.done);
	assert_int_equal(runs.nr, 4);
	expect_run(&runs.run[0], 0, 2, 0, RUN_SHARED);
	expect_run(&runs.run[1], 2, 1, 12, RUN_OWN);
	expect_run(&runs.run[2], 3, 7, 3, RUN_SHARED);
	expect_run(&runs.run[3], 1024, 2, 10, RUN_SHARED);
	runs_clear(&runs);
	assert_true(parse_page(recorded_map_page, "map", &page, &runs));
	assert_false(page.done);
	assert_int_equal(page.next, 2);
	assert_int_equal(runs.nr, 1);
	runs_clear(&runs);
	assert_true(parse_page(recorded_map_empty, "map", &page, &runs));
	assert_true(page.done);
	assert_int_equal(runs.nr, 0);
	runs_clear(&runs);
}

static void test_a_delta(void **state)
{
	struct runs runs = { };
	struct page page;

	assert_true(parse_page(recorded_delta, "delta", &page, &runs));
	assert_int_equal(page.nr_devices, 2);
	assert_int_equal(page.id[0], 3);
	assert_int_equal(page.id[1], 1);
	assert_string_not_equal(page.stamp[0], page.stamp[1]);
	assert_true(page.done);
	assert_int_equal(runs.nr, 6);
	expect_run(&runs.run[0], 0, 2, 0, RUN_SAME);
	expect_run(&runs.run[1], 2, 1, 0, RUN_DIFFERENT);
	expect_run(&runs.run[2], 3, 1021, 0, RUN_SAME);
	expect_run(&runs.run[3], 1024, 1, 0, RUN_LEFT_ONLY);
	expect_run(&runs.run[5], 2048, 2, 0, RUN_RIGHT_ONLY);
	runs_clear(&runs);
}

static void test_usage(void **state)
{
	struct runs runs = { };
	struct page page;

	assert_true(parse_page(recorded_usage, "usage", &page, &runs));
	assert_int_equal(page.mapped, 13);
	assert_int_equal(page.own, 3);
	assert_true(page.done);
}

static void test_what_later_versions_may_say(void **state)
{
	struct runs runs = { };
	struct page page;

	assert_true(parse_page("thinx-map 1 7 a.b later\n3 4 5 own age 9\nend of it\n",
			       "map", &page, &runs));
	assert_int_equal(runs.nr, 1);
	expect_run(&runs.run[0], 3, 4, 5, RUN_OWN);
	runs_clear(&runs);
	assert_true(parse_page("thinx-usage 1 7 a.b\nmapped 8 x\nheld 3\nown 5\nnext 9 x\n",
			       "usage", &page, &runs));
	assert_int_equal(page.own, 5);
	assert_int_equal(page.next, 9);
}

static void test_what_is_no_answer(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"end\n",
		"thinx-map 1 7 a.b",			/* cut off */
		"thinx-map 1 7 a.b\n",
		"thinx-map 1 7 a.b\n3 4 5 own\n",
		"thinx-map 1 7 a.b\n3 4 5 ow",
		"thinx-map 1 7 a.b\n3 4 5 own\nnext\n",
		"thinx-map 2 7 a.b\nend\n",		/* another format */
		"thinx-delta 1 7 a.b 8 a.b\nend\n",
		"thinx-mapping 1 7 a.b\nend\n",
		"thinx-map 1 7\nend\n",
		"thinx-map 1 7 a.b\n3 0 5 own\nend\n",	/* lines that mean nothing */
		"thinx-map 1 7 a.b\n3 4 5 same\nend\n",
		"thinx-map 1 7 a.b\n-3 4 5 own\nend\n",
		"thinx-map 1 7 a.b\n18446744073709551616 4 5 own\nend\n",
		"thinx-map 1 7 a.b\n\nend\n",
		"thinx-map 1 7 a.b\nend\n3 4 5 own\n",	/* behind the end */
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* A copy of its own size, so that the sanitizer sees the end. */
		char *text = strdup(bad[i]);
		struct runs runs = { };
		struct page page;

		if (parse_page(text, "map", &page, &runs))
			fail_msg("taken for an answer: %s", text);
		runs_clear(&runs);
		free(text);
	}
}

static void test_every_answer_cut_off_anywhere(void **state)
{
	static const struct {
		const char *text, *name;
	} all[] = {
		{ recorded_map, "map" }, { recorded_delta, "delta" },
		{ recorded_usage, "usage" }, { recorded_map_page, "map" },
	};
	unsigned int i;
	size_t n;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		/* "next 20" cut off is "next 2"; without its newline, "end" is whole. */
		for (n = 0; n < strlen(all[i].text) - 4; n++) {
			char *text = strndup(all[i].text, n);
			struct runs runs = { };
			struct page page;

			if (parse_page(text, all[i].name, &page, &runs))
				fail_msg("taken for an answer: %s", text);
			runs_clear(&runs);
			free(text);
		}
}

static void test_runs_that_continue_are_one(void **state)
{
	struct runs runs = { };
	struct run a = { 0, 2, 10, RUN_OWN }, b = { 2, 3, 12, RUN_OWN };
	struct run other = { 5, 1, 20, RUN_OWN }, shared = { 6, 1, 21, RUN_SHARED };
	struct run d = { 7, 1, 0, RUN_SAME }, e = { 8, 2, 0, RUN_SAME };
	uint64_t i;

	assert_true(runs_add(&runs, &a) && runs_add(&runs, &b) &&
		    runs_add(&runs, &other) && runs_add(&runs, &shared) &&
		    runs_add(&runs, &d) && runs_add(&runs, &e));
	assert_int_equal(runs.nr, 4);
	expect_run(&runs.run[0], 0, 5, 10, RUN_OWN);
	expect_run(&runs.run[3], 7, 3, 0, RUN_SAME);
	runs_clear(&runs);
	for (i = 0; i < 1000; i++) {
		struct run r = { 2 * i, 1, i, RUN_OWN };

		assert_true(runs_add(&runs, &r));
	}
	assert_int_equal(runs.nr, 1000);
	expect_run(&runs.run[999], 1998, 1, 999, RUN_OWN);
	runs_clear(&runs);
}

/* ---- the list of devices ---- */

static void test_a_list_of_devices(void **state)
{
	struct infos infos = { };
	uint64_t next = 0;
	bool done;

	assert_true(parse_devices(recorded_devices, &done, &next, &infos));
	assert_true(done);
	assert_int_equal(infos.nr, 3);
	assert_int_equal(infos.info[0].mapped, 12);
	assert_int_equal(infos.info[0].snapped, 2);
	assert_string_equal(infos.info[0].state, "used");
	assert_int_equal(infos.info[2].id, 16777215);
	assert_int_equal(infos.info[2].transaction, 5);
	assert_int_equal(infos.info[2].created, 2);
	assert_ptr_equal(infos_find(&infos, 2), &infos.info[1]);
	assert_null(infos_find(&infos, 0));
	assert_null(infos_find(&infos, 3));
	assert_null(infos_find(&infos, UINT32_MAX));
	infos_clear(&infos);
	assert_null(infos_find(&infos, 2));
	/* A page, and words of later versions. */
	assert_true(parse_devices("thinx-devices 1 more\n7 1 2 3 4 held 9\nnext 8\n",
				  &done, &next, &infos));
	assert_false(done);
	assert_int_equal(next, 8);
	assert_string_equal(infos.info[0].state, "held");
	infos_clear(&infos);
}

static void test_what_is_no_list(void **state)
{
	static const char *const bad[] = {
		"", "thinx-devices 1", "thinx-devices 1\n", "thinx-devices 2\nend\n",
		"thinx-device 1\nend\n", "thinx-devices 1\n1 2 3 4 5\nend\n",
		"thinx-devices 1\n1 2 3 4 5 idle\n",
		"thinx-devices 1\n16777216 2 3 4 5 idle\nend\n",
		"thinx-devices 1\n2 2 3 4 5 idle\n2 2 3 4 5 idle\nend\n",
		"thinx-devices 1\n2 2 3 4 5 idle\n1 2 3 4 5 idle\nend\n",
		"thinx-devices 1\nend\n1 2 3 4 5 idle\n",
	};
	uint64_t next;
	unsigned int i;
	bool done;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = strdup(bad[i]);
		struct infos infos = { };

		if (parse_devices(text, &done, &next, &infos))
			fail_msg("taken for an answer: %s", text);
		infos_clear(&infos);
		free(text);
	}
}

static void test_quotas(void **state)
{
	static const char *const bad[] = {
		"", "thinx-quotas 1", "thinx-quotas 1\n", "thinx-quotas 2\nend\n",
		"thinx-devices 1\nend\n", "thinx-quotas 1\n1 2 3\nend\n",
		"thinx-quotas 1\n1 2 3 x\nend\n", "thinx-quotas 1\n1 2 3 -\n",
		"thinx-quotas 1\nend\n1 2 3 -\n",
	};
	struct infos infos = { };
	uint64_t next;
	unsigned int i;
	bool done;

	assert_true(parse_devices(recorded_devices, &done, &next, &infos));
	assert_true(parse_quotas("thinx-quotas 1\n1 5 2 - more\n3 1 1 1\n16777215 0 0 900\nend\n",
				 &done, &next, &infos));
	assert_true(done);
	assert_int_equal(infos.info[0].reserve, 5);
	assert_int_equal(infos.info[0].left, 2);
	assert_false(infos.info[0].has_limit);
	assert_int_equal(infos.info[1].reserve, 0);
	assert_true(infos.info[2].has_limit);
	assert_int_equal(infos.info[2].limit, 900);
	assert_true(parse_quotas("thinx-quotas 1\n2 1 1 0\nnext 3\n", &done, &next, &infos));
	assert_false(done);
	assert_int_equal(next, 3);
	assert_true(infos.info[1].has_limit && !infos.info[1].limit);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = strdup(bad[i]);

		if (parse_quotas(text, &done, &next, &infos))
			fail_msg("taken for an answer: %s", text);
		free(text);
	}
	infos_clear(&infos);
}

static void test_free_ids_are_the_highest(void **state)
{
	struct info some[] = { { .id = 0 }, { .id = 1 }, { .id = 16777212 },
			       { .id = 16777214 } };
	struct infos infos = { .info = some, .nr = 4 }, none = { }, two = { .info = some, .nr = 2 };
	static uint32_t ids[MAX_DEVICE_ID + 2];

	assert_true(infos_free_ids(&infos, ids, 3));
	assert_int_equal(ids[0], 16777215);
	assert_int_equal(ids[1], 16777213);
	assert_int_equal(ids[2], 16777211);
	assert_true(infos_free_ids(&none, ids, MAX_DEVICE_ID + 1));
	assert_int_equal(ids[MAX_DEVICE_ID], 0);
	assert_false(infos_free_ids(&none, ids, MAX_DEVICE_ID + 2));
	assert_true(infos_free_ids(&two, ids, MAX_DEVICE_ID - 1));
	assert_int_equal(ids[MAX_DEVICE_ID - 2], 2);
	assert_false(infos_free_ids(&two, ids, MAX_DEVICE_ID));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_tables),
		cmocka_unit_test(test_thin_tables),
		cmocka_unit_test(test_pool_status),
		cmocka_unit_test(test_thin_status),
		cmocka_unit_test(test_a_map),
		cmocka_unit_test(test_a_delta),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_what_later_versions_may_say),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_every_answer_cut_off_anywhere),
		cmocka_unit_test(test_runs_that_continue_are_one),
		cmocka_unit_test(test_a_list_of_devices),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_free_ids_are_the_highest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
