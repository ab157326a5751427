// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What tools/metrics.c makes of pools, volumes and answers to "stats": by a reader of
 * the format that knows no more than its grammar, and by looking for single lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "recorded.h"

static struct numbers numbers[2];
static struct pool_metrics pools[] = {
	{ .name = "pool", .block_sectors = 128, .known = true, .numbers = &numbers[0] },
	{ .name = "odd \"name\\", .block_sectors = 256, .known = true, .numbers = &numbers[1] },
	{ .name = "of-dm-thin", .block_sectors = 128, .known = true },
	{ .name = "broken", .known = true },
	{ .name = "gone" },
};

static struct volume_metrics volumes[] = {
	{ .name = "v", .pool = "pool", .id = 1, .sectors = 2048,
	  .status = { .known = true, .mapped = 1536 } },
	{ .name = "w", .pool = "odd \"name\\", .id = 16777215, .sectors = 4096 },
};

static const struct metrics all = { pools, 5, volumes, 2 };
static char *text;

static void write_all(const struct metrics *m, bool json)
{
	size_t size;
	FILE *f;

	parse_numbers(recorded_stats, &numbers[0]);
	parse_numbers(recorded_stats, &numbers[1]);
	parse_pool_status(recorded_pool_status, &pools[0].status);
	parse_pool_status("3 5/6 7/8 12 ro no_discard_passdown error_if_no_space needs_check 1024",
			  &pools[1].status);
	parse_pool_status(recorded_pool_status, &pools[2].status);
	parse_pool_status("Fail", &pools[3].status);
	free(text);
	f = open_memstream(&text, &size);
	metrics_write(f, m, json);
	fclose(f);
}

static void has_line(const char *line)
{
	const char *p = text;
	size_t n = strlen(line);

	while ((p = strstr(p, line))) {
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return;
		p++;
	}
	fail_msg("no such line: %s", line);
}

static void test_lines(void **state)
{
	write_all(&all, false);
	has_line("thinx_pool_data_size_bytes{pool=\"pool\"} 134217728");
	has_line("thinx_pool_data_used_bytes{pool=\"pool\"} 983040");
	has_line("thinx_pool_data_used_bytes{pool=\"odd \\\"name\\\\\"} 917504");
	has_line("thinx_pool_metadata_used_bytes{pool=\"pool\"} 1724416");
	has_line("thinx_pool_needs_check{pool=\"pool\"} 0");
	has_line("thinx_pool_needs_check{pool=\"odd \\\"name\\\\\"} 1");
	has_line("thinx_pool_mode{pool=\"pool\",mode=\"rw\"} 1");
	has_line("thinx_pool_mode{pool=\"pool\",mode=\"fail\"} 0");
	has_line("thinx_pool_mode{pool=\"broken\",mode=\"fail\"} 1");
	has_line("thinx_volume_size_bytes{pool=\"pool\",volume=\"v\",id=\"1\"} 1048576");
	has_line("thinx_volume_mapped_bytes{pool=\"pool\",volume=\"v\",id=\"1\"} 786432");
	has_line("thinx_commits_total{pool=\"pool\"} 8");
	has_line("# TYPE thinx_commits_total counter");
	/* Those of the cache are of all pools. */
	has_line("thinx_map_cache_chunks 27");
	has_line("# TYPE thinx_map_cache_chunks gauge");
	/* commit: 262144:3 524288:3 8388608:2 */
	has_line("thinx_stage_seconds_bucket{pool=\"pool\",stage=\"commit\",le=\"0.000262144\"} 0");
	has_line("thinx_stage_seconds_bucket{pool=\"pool\",stage=\"commit\",le=\"0.000524288\"} 3");
	has_line("thinx_stage_seconds_bucket{pool=\"pool\",stage=\"commit\",le=\"0.001048576\"} 6");
	has_line("thinx_stage_seconds_bucket{pool=\"pool\",stage=\"commit\",le=\"0.016777216\"} 8");
	has_line("thinx_stage_seconds_bucket{pool=\"pool\",stage=\"commit\",le=\"+Inf\"} 8");
	has_line("thinx_stage_seconds_count{pool=\"pool\",stage=\"commit\"} 8");
	/* What is not known is left out. */
	assert_null(strstr(text, "data_size_bytes{pool=\"broken\""));
	assert_null(strstr(text, "{pool=\"gone\""));
	assert_null(strstr(text, "mapped_bytes{pool=\"odd"));
	assert_null(strstr(text, "commits_total{pool=\"of-dm-thin\""));
}

/* ---- the grammar ---- */

static const char *name_end(const char *p)
{
	if (!isalpha(*p) && *p != '_')
		fail_msg("no name: %.40s", p);
	while (isalnum(*p) || *p == '_')
		p++;
	return p;
}

static const char *string_end(const char *p)
{
	assert_int_equal(*p, '"');
	for (p++; *p != '"'; p++) {
		assert_true(*p && *p != '\n');
		if (*p == '\\') {
			p++;
			assert_true(*p == '\\' || *p == '"' || *p == 'n');
		}
	}
	return p + 1;
}

/* NAME[{NAME="VALUE",...}] NUMBER, of the family that was begun last */
static const char *sample_end(const char *p, const char *family, const char *type)
{
	const char *end = name_end(p);
	size_t n = strlen(family);

	assert_true((size_t)(end - p) >= n && !memcmp(p, family, n));
	if ((size_t)(end - p) > n)
		assert_true(!strcmp(type, "histogram") &&
			    (!strncmp(p + n, "_bucket", 7) || !strncmp(p + n, "_count", 6)));
	p = end;
	if (*p == '{') {
		do {
			p = name_end(p + 1);
			assert_int_equal(*p, '=');
			p = string_end(p + 1);
		} while (*p == ',');
		assert_int_equal(*p++, '}');
	}
	assert_int_equal(*p++, ' ');
	assert_true(isdigit(*p));
	return p + strspn(p, "0123456789");
}

static void check_grammar(void)
{
	char family[64] = "", seen[8192] = " ", type[16] = "", name[64], help[64];
	const char *p = text;
	int n, nr;

	while (*p) {
		if (*p == '#') {
			n = 0;
			nr = sscanf(p, "# HELP %63s %63[^\n]\n# TYPE %63s %15s%n",
				    family, help, name, type, &n);
			assert_int_equal(nr, 4);
			assert_string_equal(family, name);
			assert_true(!strcmp(type, "gauge") || !strcmp(type, "counter") ||
				    !strcmp(type, "histogram"));
			/* Counters are called so, and others not. */
			assert_int_equal(!strcmp(type, "counter"),
					 !strcmp(family + strlen(family) - 6, "_total"));
			/* A family is written once. */
			snprintf(name, sizeof(name), " %.60s ", family);
			assert_null(strstr(seen, name));
			strcat(seen, name + 1);
			p = strchr(strchr(p, '\n') + 1, '\n');
		} else {
			p = sample_end(p, family, type);
		}
		assert_int_equal(*p++, '\n');
	}
}

static void test_the_grammar(void **state)
{
	static const struct metrics none;

	write_all(&all, false);
	check_grammar();
	write_all(&none, false);
	check_grammar();
}

static void test_buckets_never_fall(void **state)
{
	unsigned long long value, last = 0;
	const char *p;
	int nr = 0;

	write_all(&all, false);
	for (p = text; (p = strstr(p, "_bucket{")); p++) {
		const char *end = strchr(p, '}');

		value = strtoull(end + 1, NULL, 10);
		if (strstr(p, "le=\"2.048e-06\"") && strstr(p, "le=\"2.048e-06\"") < end)
			last = 0;
		assert_true(value >= last);
		last = value;
		nr++;
	}
	assert_int_equal(nr, 2 * 12 * 28);
}

static void test_json(void **state)
{
	write_all(&all, true);
	has_line("{\"name\":\"thinx_pool_data_used_bytes\",\"type\":\"gauge\",\"labels\":{\"pool\":\"odd \\\"name\\\\\"},\"value\":917504},");
	has_line("{\"name\":\"thinx_map_cache_chunks\",\"type\":\"gauge\",\"labels\":{},\"value\":27},");
	assert_int_equal(strncmp(text, "{\"metrics\":[\n{", 14), 0);
	assert_string_equal(text + strlen(text) - 4, "}]}\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_the_grammar),
		cmocka_unit_test(test_buckets_never_fall),
		cmocka_unit_test(test_json),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(text);
	return r;
}
