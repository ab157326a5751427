// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What tools/numbers.c makes of answers to "stats".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"
#include "recorded.h"

static struct numbers n, before;

static void test_a_pool(void **state)
{
	const struct times *t = n.times;

	assert_true(parse_numbers(recorded_stats, &n));
	assert_int_equal(n.nr_counters, 28);
	assert_string_equal(n.counter[0].name, "deferred");
	assert_int_equal(n.counter[0].value, 7);
	assert_string_equal(n.counter[27].name, "map_cache_evicted");
	assert_int_equal(n.nr_times, 12);
	assert_string_equal(t->name, "queued");
	assert_int_equal(t->longest, 75776);
	assert_int_equal(t->nr, 7);
	assert_int_equal(t->bucket[13], 2);
	assert_int_equal(t->bucket[15], 4);
	assert_int_equal(t->bucket[16], 1);
	assert_string_equal(t[1].name, "learning");
	assert_int_equal(t[1].bucket[0], 4);
}

static void test_a_volume(void **state)
{
	assert_true(parse_numbers(recorded_volume_stats, &n));
	assert_int_equal(n.nr_counters, 18);
	assert_int_equal(n.nr_times, 7);
	assert_string_equal(n.times[6].name, "locked");
}

static void test_quantiles(void **state)
{
	assert_true(parse_numbers("thinx-stats 1\nx_ns longest 70000 0:50 4096:40 65536:10\nnone_ns longest 0\nend\n",
				  &n));
	assert_int_equal(times_quantile(&n.times[0], 50), 2048);
	assert_int_equal(times_quantile(&n.times[0], 51), 8192);
	assert_int_equal(times_quantile(&n.times[0], 90), 8192);
	/* Nothing took longer than the longest. */
	assert_int_equal(times_quantile(&n.times[0], 99), 70000);
	assert_int_equal(times_quantile(&n.times[1], 50), 0);
}

static void test_differences(void **state)
{
	assert_true(parse_numbers("thinx-stats 1\na 5\nb 9\nx_ns longest 9000 4096:4 8192:1\ny_ns longest 5 0:9\nend\n",
				  &before));
	assert_true(parse_numbers("thinx-stats 1\nnew 3\na 7\nb 2\nx_ns longest 9000 4096:6 8192:1\ny_ns longest 5 0:2\nend\n",
				  &n));
	numbers_since(&n, &before);
	assert_int_equal(n.counter[0].value, 3);
	assert_int_equal(n.counter[1].value, 2);
	/* These have begun again at zero. */
	assert_int_equal(n.counter[2].value, 2);
	assert_int_equal(n.times[1].nr, 2);
	assert_int_equal(n.times[0].nr, 2);
	assert_int_equal(n.times[0].bucket[12], 2);
	assert_int_equal(n.times[0].bucket[13], 0);
}

static void test_more_than_there_is_room_for(void **state)
{
	char text[16384] = "thinx-stats 1\n", line[64];
	unsigned int i;

	for (i = 0; i < MAX_COUNTERS + 5; i++) {
		snprintf(line, sizeof(line), "c%u %u\nt%u_ns longest 1 0:1\n", i, i, i);
		strcat(text, line);
	}
	strcat(text, "end\n");
	assert_true(parse_numbers(text, &n));
	assert_int_equal(n.nr_counters, MAX_COUNTERS);
	assert_int_equal(n.nr_times, MAX_TIMES);
}

static void test_what_is_no_answer(void **state)
{
	static const char *const bad[] = {
		"", "thinx-stats 1", "thinx-stats 1\n", "thinx-stats 10\nend\n",
		"thinx-stats 1\na\nend\n", "thinx-stats 1\na x\nend\n",
		"thinx-stats 1\na_ns longest\nend\n", "thinx-stats 1\na_ns longest 3 4\nend\n",
		"thinx-stats 1\na_ns longest 3 4:\nend\n", "thinx-stats 1\na_ns longest 3 4:5",
		"thinx-stats 1\n\nend\n",
		"thinx-stats 1\nmuch_too_long_a_name_for_any_of_us 3\nend\n",
	};
	unsigned int i;
	size_t k;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = strdup(bad[i]);

		if (parse_numbers(text, &n))
			fail_msg("taken for an answer: %s", text);
		free(text);
	}
	for (k = 0; k < strlen(recorded_stats); k++) {
		char *text = strndup(recorded_stats, k);

		assert_false(parse_numbers(text, &n));
		free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pool),
		cmocka_unit_test(test_a_volume),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_more_than_there_is_room_for),
		cmocka_unit_test(test_what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
