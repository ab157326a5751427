// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Files of reserves and limits (tools/rules.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

static int read_rules(const char *text, struct rules *rules, unsigned int *line)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int r;

	memset(rules, 0, sizeof(*rules));
	r = rules_read(f, rules, line);
	fclose(f);
	return r;
}

static void test_sizes(void **state)
{
	static const char *const bad[] = {
		"", "x", "-1", "+1", " 1", "1 ", "1x", "1kk", "1kb", "0x10", "1.5g",
		"18446744073709551616", "16e", "18014398509481984k",
	};
	uint64_t n;
	size_t i;

	assert_true(parse_size("0", &n) && n == 0);
	assert_true(parse_size("4096", &n) && n == 4096);
	assert_true(parse_size("3k", &n) && n == 3072);
	assert_true(parse_size("3K", &n) && n == 3072);
	assert_true(parse_size("10g", &n) && n == 10ULL << 30);
	assert_true(parse_size("15e", &n) && n == 15ULL << 60);
	assert_true(parse_size("18446744073709551615", &n) && n == UINT64_MAX);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_size(bad[i], &n))
			fail_msg("taken for a size: '%s'", bad[i]);
}

static void test_a_file(void **state)
{
	struct rules rules;
	unsigned int line;

	assert_int_equal(read_rules("# of mine\n\n  device 7 limit 10g # at most\n"
				    "device 16777215 reserve 1m limit 2m\n"
				    "device\t0  reserve\t5", &rules, &line), 0);
	assert_int_equal(rules.nr, 3);
	assert_int_equal(rules.rule[0].id, 0);
	assert_int_equal(rules.rule[0].reserve, 5);
	assert_int_equal(rules.rule[0].limit, 0);
	assert_int_equal(rules.rule[1].limit, 10ULL << 30);
	assert_int_equal(rules.rule[1].reserve, 0);
	assert_int_equal(rules.rule[2].reserve, 1 << 20);
	assert_int_equal(rules.rule[2].limit, 2 << 20);
	rules_clear(&rules);
	assert_int_equal(read_rules("\n", &rules, &line), 0);
	assert_int_equal(rules.nr, 0);
}

static void test_what_is_wrong_is_told(void **state)
{
	static const char *const bad[] = {
		"device", "device x", "device 16777216 limit 1", "device 7k limit 1",
		"device 7 limit", "device 7 limit x", "device 7 limits 1",
		"device 7 limit 1 reserve", "reserve 7 1", "device -1 limit 1",
		"device 5 limit 1",
	};
	struct rules rules;
	char text[128];
	unsigned int line;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "device 5 reserve 3\n\n%s\ndevice 9\n", bad[i]);
		if (read_rules(text, &rules, &line) != -EINVAL)
			fail_msg("not refused: %s", bad[i]);
		assert_int_equal(line, 3);
		rules_clear(&rules);
	}
}

static void test_what_is_written_is_read(void **state)
{
	struct rules rules = { }, again;
	unsigned int line;
	size_t size;
	char *text;
	FILE *f;

	rules_find(&rules, 9, true)->limit = UINT64_MAX;
	rules_find(&rules, 3, true)->reserve = 12345;
	rules_find(&rules, 5, true);
	rules_find(&rules, 4, true)->reserve = 1;
	rules_find(&rules, 4, true)->limit = 2;
	assert_int_equal(rules.nr, 4);
	assert_null(rules_find(&rules, 6, false));
	f = open_memstream(&text, &size);
	rules_write(f, &rules);
	fclose(f);
	assert_int_equal(read_rules(text, &again, &line), 0);
	/* That of 5 says nothing. */
	assert_int_equal(again.nr, 3);
	assert_int_equal(again.rule[0].id, 3);
	assert_int_equal(again.rule[0].reserve, 12345);
	assert_int_equal(again.rule[1].limit, 2);
	assert_true(again.rule[2].limit == UINT64_MAX);
	free(text);
	rules_clear(&rules);
	rules_clear(&again);
}

static void test_blocks(void **state)
{
	assert_int_equal(blocks_of(0, 128), 0);
	assert_int_equal(blocks_of(1, 128), 1);
	assert_int_equal(blocks_of(65536, 128), 1);
	assert_int_equal(blocks_of(65537, 128), 2);
	assert_true(blocks_of(UINT64_MAX, 128) == 1ULL << 48);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_what_is_wrong_is_told),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
