// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * When a pool will be full (tools/space.c), and the log of it (tools/log.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "recorded.h"

#define GIB	(1ULL << 30)

static struct samples samples;

static void add(double time, uint64_t data, uint64_t meta)
{
	struct sample s = { time, { data, meta }, { 100 * GIB, GIB } };

	samples_add(&samples, &s);
}

static void near(double got, double wanted)
{
	assert_true(got > wanted - 0.01 * (wanted + 1) && got < wanted + 0.01 * (wanted + 1));
}

static void test_a_steady_slope(void **state)
{
	double slope;
	int i;

	samples.nr = 0;
	/* A gibibyte in ten seconds, far from 1970; metadata does not grow. */
	for (i = 0; i < 6; i++)
		add(1.8e9 + 10 * i, (50 + i) * GIB, GIB / 2);
	assert_true(samples_slope(&samples, SPACE_DATA, &slope));
	near(slope, GIB / 10.0);
	near(samples_until_full(&samples, SPACE_DATA), 450);
	assert_true(samples_slope(&samples, SPACE_METADATA, &slope));
	assert_true(slope == 0);
	assert_true(samples_until_full(&samples, SPACE_METADATA) < 0);
}

static void test_an_uneven_one(void **state)
{
	double slope;

	samples.nr = 0;
	/* Not through the first and the last: the line that fits best. */
	add(100, 10, 0);
	add(101, 10, 0);
	add(102, 13, 0);
	add(103, 13, 0);
	assert_true(samples_slope(&samples, SPACE_DATA, &slope));
	near(slope, 1.2);
}

static void test_what_shrinks_is_never_full(void **state)
{
	double slope;

	samples.nr = 0;
	add(100, 50 * GIB, 0);
	add(110, 40 * GIB, 0);
	assert_true(samples_slope(&samples, SPACE_DATA, &slope));
	assert_true(slope < 0);
	assert_true(samples_until_full(&samples, SPACE_DATA) < 0);
	/* Nor what takes more than ten years. */
	samples.nr = 0;
	add(100, 0, 0);
	add(110, 1, 0);
	assert_true(samples_until_full(&samples, SPACE_DATA) < 0);
}

static void test_what_is_full(void **state)
{
	samples.nr = 0;
	add(100, 100 * GIB, 0);
	assert_true(samples_until_full(&samples, SPACE_DATA) == 0);
}

static void test_one_moment_has_no_slope(void **state)
{
	double slope;

	samples.nr = 0;
	assert_false(samples_slope(&samples, SPACE_DATA, &slope));
	assert_true(samples_until_full(&samples, SPACE_DATA) < 0);
	add(100, GIB, 0);
	assert_false(samples_slope(&samples, SPACE_DATA, &slope));
	add(100, 2 * GIB, 0);
	assert_false(samples_slope(&samples, SPACE_DATA, &slope));
	assert_true(samples_until_full(&samples, SPACE_DATA) < 0);
}

static void test_the_last_ones_count(void **state)
{
	double slope;
	int i;

	samples.nr = 0;
	/* Steep at first, long ago. */
	for (i = 0; i < 50; i++)
		add(i, i * GIB, 0);
	for (i = 0; i < MAX_SAMPLES; i++)
		add(1000 + i, 50 * GIB + i, 0);
	assert_int_equal(samples.nr, MAX_SAMPLES);
	assert_true(samples_slope(&samples, SPACE_DATA, &slope));
	near(slope, 1);
	/* The clock was set back. */
	add(500, GIB, 0);
	assert_int_equal(samples.nr, 1);
}

static void expect_duration(double seconds, const char *wanted)
{
	char text[16];

	format_duration(text, sizeof(text), seconds);
	assert_string_equal(text, wanted);
}

static void test_durations(void **state)
{
	expect_duration(-1, "-");
	expect_duration(0, "0s");
	expect_duration(59.9, "59s");
	expect_duration(60, "1m00s");
	expect_duration(3599, "59m59s");
	expect_duration(3600, "1h00m");
	expect_duration(86399, "23h59m");
	expect_duration(86400 * 3 + 4 * 3600, "3d04h");
	expect_duration(86400 * 100.0, "100d");
	expect_duration(86400 * 3650.0, "3650d");
}

/* ---- the log ---- */

static struct log_entry seen[8];
static int nr_seen;

static void note(void *context, const struct log_entry *e)
{
	assert_ptr_equal(context, seen);
	assert_true(nr_seen < 8);
	seen[nr_seen++] = *e;
}

static int read_log(const char *text, char *name)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int r;

	assert_non_null(f);
	nr_seen = 0;
	r = log_read(f, name, note, seen);
	fclose(f);
	return r;
}

static void test_a_log_is_read_as_it_was_written(void **state)
{
	static struct numbers n;
	struct sample s = { 1764550000.25, { 5 * GIB, 12345 }, { 100 * GIB, GIB } };
	char text[3 * LOG_LINE], name[LOG_NAME];

	assert_true(parse_numbers(recorded_stats, &n));
	log_format_header(text, "vg-pool-tpool");
	log_format(text + strlen(text), &s, NULL);
	s.time += 10;
	log_format(text + strlen(text), &s, &n);
	assert_int_equal(read_log(text, name), 0);
	assert_string_equal(name, "vg-pool-tpool");
	assert_int_equal(nr_seen, 2);
	assert_true(seen[0].sample.time == 1764550000.25);
	assert_int_equal(seen[0].nr_stages, 0);
	assert_int_equal(seen[1].sample.used[SPACE_DATA], 5 * GIB);
	assert_int_equal(seen[1].sample.total[SPACE_DATA], 100 * GIB);
	assert_int_equal(seen[1].sample.used[SPACE_METADATA], 12345);
	assert_int_equal(seen[1].sample.total[SPACE_METADATA], GIB);
	assert_int_equal(seen[1].nr_stages, n.nr_times);
	assert_string_equal(seen[1].stage[0].name, "queued");
	assert_int_equal(seen[1].stage[0].nr, 7);
	assert_int_equal(seen[1].stage[0].quantile[Q50],
			 times_quantile(&n.times[0], 50));
	assert_int_equal(seen[1].stage[0].quantile[Q99],
			 times_quantile(&n.times[0], 99));
}

static void test_the_longest_line_fits(void **state)
{
	static struct numbers n;
	struct sample s = { 1e10, { UINT64_MAX, UINT64_MAX }, { UINT64_MAX, UINT64_MAX } };
	char text[2 * LOG_LINE], name[LOG_NAME];
	int i;

	memset(&n, 0, sizeof(n));
	n.nr_times = MAX_TIMES;
	for (i = 0; i < MAX_TIMES; i++) {
		memset(n.times[i].name, 'x', NAME_SIZE - 1);
		n.times[i].nr = UINT64_MAX;
		n.times[i].longest = UINT64_MAX;
		n.times[i].bucket[NR_BUCKETS - 1] = UINT64_MAX;
	}
	log_format_header(text, "p");
	log_format(text + strlen(text), &s, &n);
	assert_int_equal(read_log(text, name), 0);
	assert_int_equal(nr_seen, 1);
	assert_int_equal(seen[0].nr_stages, MAX_TIMES);
	assert_true(seen[0].stage[MAX_TIMES - 1].quantile[Q99] == UINT64_MAX);
}

static void test_what_is_no_line_is_left_out(void **state)
{
	static const char text[] =
		"thinx-log 1 p\n"
		"1 data 2 3 metadata 4 5\n"
		"\n"
		"1 data 2 3 metadata 4\n"
		"1 data 2 3 metadata 4 5 queued 1:2:3\n"
		"1 data 2 3 metadata 4 5 queued 1:2:3:4:5\n"
		"x data 2 3 metadata 4 5\n"
		"-1 data 2 3 metadata 4 5\n"
		"2 data 2 3 metadata 4 5 queued 1:2:3:4\n"
		"3 data 2 3 metadata 4 5 que";
	char name[LOG_NAME];

	assert_int_equal(read_log(text, name), 0);
	assert_int_equal(nr_seen, 2);
	assert_true(seen[1].sample.time == 2);
}

static void test_what_is_no_log(void **state)
{
	char name[LOG_NAME] = "x";
	FILE *f = tmpfile();

	assert_int_equal(read_log("root:x:0:0:root\n", name), -EPROTO);
	assert_int_equal(read_log("thinx-log 2 p\n", name), -EPROTO);
	assert_int_equal(read_log("thinx-log 1 p", name), -EPROTO);
	assert_int_equal(log_read(f, name, note, seen), 0);
	assert_string_equal(name, "");
	fclose(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_steady_slope),
		cmocka_unit_test(test_an_uneven_one),
		cmocka_unit_test(test_what_shrinks_is_never_full),
		cmocka_unit_test(test_what_is_full),
		cmocka_unit_test(test_one_moment_has_no_slope),
		cmocka_unit_test(test_the_last_ones_count),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_a_log_is_read_as_it_was_written),
		cmocka_unit_test(test_the_longest_line_fits),
		cmocka_unit_test(test_what_is_no_line_is_left_out),
		cmocka_unit_test(test_what_is_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
