// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Pages, stamps, and devices that move (tools/query.c), with a kernel that answers as
 * a list says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "recorded.h"

/* What is to be asked, and what is answered: NULL, an error. */
struct exchange {
	const char *asked, *answer;
	int error;
};

static unsigned int nr_asked, nr_progress;
static uint64_t last_progress;

static int answer(void *context, const char *message, char **reply)
{
	const struct exchange *e = (struct exchange *)context + nr_asked++;

	assert_non_null(e->asked);
	assert_string_equal(message, e->asked);
	if (!e->answer)
		return e->error;
	*reply = strdup(e->answer);
	return 0;
}

static void progress(void *context, uint64_t next)
{
	nr_progress++;
	last_progress = next;
}

static int ask_all(const char *name, const struct exchange *list, struct page *sum,
		   struct runs *runs)
{
	struct query q = {
		.name = name, .id = { 1, 3 }, .max = 10, .ask = answer,
		.progress = progress, .context = (void *)list,
	};

	nr_asked = 0;
	nr_progress = 0;
	return query_all(&q, sum, runs);
}

static void test_one_page(void **state)
{
	static const struct exchange list[] = { { "map 1 0 10", recorded_map, 0 }, { } };
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("map", list, &sum, &runs), 0);
	assert_int_equal(runs.nr, 4);
	assert_int_equal(nr_progress, 0);
	runs_clear(&runs);
}

static void test_a_run_goes_on_in_the_next_page(void **state)
{
	static const struct exchange list[] = {
		{ "map 1 0 10", "thinx-map 1 1 a.1\n0 4 7 own\nnext 4\n", 0 },
		{ "map 1 4 10", "thinx-map 1 1 a.1\n4 4 11 own\n9 1 3 own\nend\n", 0 },
		{ }
	};
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("map", list, &sum, &runs), 0);
	assert_int_equal(runs.nr, 2);
	assert_int_equal(runs.run[0].length, 8);
	assert_int_equal(nr_progress, 1);
	assert_int_equal(last_progress, 4);
	runs_clear(&runs);
}

static void test_a_device_that_moves_is_read_anew(void **state)
{
	static const struct exchange list[] = {
		{ "map 1 0 10", "thinx-map 1 1 a.1\n0 4 7 own\nnext 4\n", 0 },
		{ "map 1 4 10", "thinx-map 1 1 a.2\n5 4 11 own\nend\n", 0 },
		{ "map 1 0 10", "thinx-map 1 1 a.2\n2 2 9 own\nnext 5\n", 0 },
		{ "map 1 5 10", "thinx-map 1 1 a.2\n5 4 11 own\nend\n", 0 },
		{ }
	};
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("map", list, &sum, &runs), 0);
	assert_int_equal(runs.nr, 2);
	assert_int_equal(runs.run[0].begin, 2);
	assert_string_equal(sum.stamp[0], "a.2");
	runs_clear(&runs);
}

static void test_either_of_two_devices_moves(void **state)
{
	static const struct exchange list[] = {
		{ "delta 1 3 0 10", "thinx-delta 1 1 a.1 3 a.5\nsame 0 4\nnext 4\n", 0 },
		{ "delta 1 3 4 10", "thinx-delta 1 1 a.1 3 a.6\nsame 4 4\nend\n", 0 },
		{ "delta 1 3 0 10", "thinx-delta 1 1 a.1 3 a.6\ndifferent 0 9\nend\n", 0 },
		{ }
	};
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("delta", list, &sum, &runs), 0);
	assert_int_equal(runs.nr, 1);
	assert_int_equal(runs.run[0].kind, RUN_DIFFERENT);
	runs_clear(&runs);
}

static void test_one_that_moves_for_ever_is_given_up(void **state)
{
	struct exchange list[2 * QUERY_TRIES + 1] = { };
	struct runs runs = { };
	struct page sum;
	unsigned int i;

	for (i = 0; i < 2 * QUERY_TRIES; i += 2) {
		list[i].asked = "map 1 0 10";
		list[i].answer = "thinx-map 1 1 a.1\n0 4 7 own\nnext 4\n";
		list[i + 1].asked = "map 1 4 10";
		list[i + 1].answer = "thinx-map 1 1 a.2\nend\n";
	}
	assert_int_equal(ask_all("map", list, &sum, &runs), -EAGAIN);
	assert_int_equal(nr_asked, 2 * QUERY_TRIES);
	runs_clear(&runs);
}

static void test_usage_adds_up(void **state)
{
	static const struct exchange list[] = {
		{ "usage 1 0 10", "thinx-usage 1 1 a.1\nmapped 9\nown 2\nnext 100\n", 0 },
		{ "usage 1 100 10", "thinx-usage 1 1 a.1\nmapped 9\nown 0\nnext 200\n", 0 },
		{ "usage 1 200 10", "thinx-usage 1 1 a.1\nmapped 9\nown 5\nend\n", 0 },
		{ }
	};
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("usage", list, &sum, &runs), 0);
	assert_int_equal(sum.mapped, 9);
	assert_int_equal(sum.own, 7);
	assert_int_equal(nr_progress, 2);
}

static void test_errors_end_it(void **state)
{
	static const struct exchange gone[] = {
		{ "map 1 0 10", "thinx-map 1 1 a.1\n0 4 7 own\nnext 4\n", 0 },
		{ "map 1 4 10", NULL, -ENODATA },
		{ }
	};
	static const struct exchange stuck[] = {
		{ "map 1 0 10", "thinx-map 1 1 a.1\nnext 0\n", 0 }, { }
	};
	static const struct exchange odd[] = { { "map 1 0 10", "no such thing", 0 }, { } };
	struct runs runs = { };
	struct page sum;

	assert_int_equal(ask_all("map", gone, &sum, &runs), -ENODATA);
	assert_int_equal(nr_asked, 2);
	assert_int_equal(ask_all("map", stuck, &sum, &runs), -EPROTO);
	assert_int_equal(ask_all("map", odd, &sum, &runs), -EPROTO);
	runs_clear(&runs);
}

static void test_the_list_of_devices(void **state)
{
	static const struct exchange list[] = {
		{ "devices 0 1000", "thinx-devices 1\n0 1 2 3 4 idle\nnext 1\n", 0 },
		{ "devices 1 1000", "thinx-devices 1\n7 1 2 3 4 used\nend\n", 0 },
		{ }
	};
	static const struct exchange stuck[] = {
		{ "devices 0 1000", "thinx-devices 1\n0 1 2 3 4 idle\nnext 1\n", 0 },
		{ "devices 1 1000", "thinx-devices 1\nnext 1\n", 0 }, { }
	};
	static const struct exchange unknown[] = {
		{ "devices 0 1000", NULL, -EINVAL }, { }
	};
	struct infos infos = { };

	nr_asked = 0;
	assert_int_equal(query_devices(answer, (void *)list, &infos), 0);
	assert_int_equal(infos.nr, 2);
	assert_int_equal(infos.info[1].id, 7);
	infos_clear(&infos);
	nr_asked = 0;
	assert_int_equal(query_devices(answer, (void *)stuck, &infos), -EPROTO);
	infos_clear(&infos);
	nr_asked = 0;
	assert_int_equal(query_devices(answer, (void *)unknown, &infos), -EINVAL);
	infos_clear(&infos);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_a_run_goes_on_in_the_next_page),
		cmocka_unit_test(test_a_device_that_moves_is_read_anew),
		cmocka_unit_test(test_either_of_two_devices_moves),
		cmocka_unit_test(test_one_that_moves_for_ever_is_given_up),
		cmocka_unit_test(test_usage_adds_up),
		cmocka_unit_test(test_errors_end_it),
		cmocka_unit_test(test_the_list_of_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
