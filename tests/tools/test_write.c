// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What tools/write.c makes of recorded answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "write.h"
#include "recorded.h"

typedef void (*write_fn)(FILE *f, const struct shape *s, const struct runs *runs);

static void expect(const char *answer, const char *name, write_fn write,
		   uint64_t sectors, const char *wanted)
{
	struct shape s = {
		.block_sectors = 128, .transaction = 7, .nr_data_blocks = 2048,
		.sectors = sectors,
	};
	struct runs runs = { };
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	assert_true(parse_page(answer, name, &s.page, &runs));
	write(f, &s, &runs);
	fclose(f);
	assert_string_equal(text, wanted);
	free(text);
	runs_clear(&runs);
}

static void test_xml_of_a_map(void **state)
{
	expect(recorded_map, "map", write_map_xml, UINT64_MAX,
	       "<superblock uuid=\"\" transaction=\"7\" data_block_size=\"128\" nr_data_blocks=\"2048\">\n"
	       "  <device dev_id=\"1\" mapped_blocks=\"12\">\n"
	       "    <range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"2\" shared=\"true\"/>\n"
	       "    <single_mapping origin_block=\"2\" data_block=\"12\" shared=\"false\"/>\n"
	       "    <range_mapping origin_begin=\"3\" data_begin=\"3\" length=\"7\" shared=\"true\"/>\n"
	       "    <range_mapping origin_begin=\"1024\" data_begin=\"10\" length=\"2\" shared=\"true\"/>\n"
	       "  </device>\n"
	       "</superblock>\n");
}

static void test_xml_of_a_delta(void **state)
{
	expect(recorded_delta, "delta", write_delta_xml, UINT64_MAX,
	       "<superblock uuid=\"\" transaction=\"7\" data_block_size=\"128\" nr_data_blocks=\"2048\">\n"
	       "  <diff left=\"3\" right=\"1\">\n"
	       "    <same begin=\"0\" length=\"2\"/>\n"
	       "    <different begin=\"2\" length=\"1\"/>\n"
	       "    <same begin=\"3\" length=\"1021\"/>\n"
	       "    <left_only begin=\"1024\" length=\"1\"/>\n"
	       "    <same begin=\"1025\" length=\"1023\"/>\n"
	       "    <right_only begin=\"2048\" length=\"2\"/>\n"
	       "  </diff>\n"
	       "</superblock>\n");
}

static void test_json(void **state)
{
	expect("thinx-map 1 1 a.1\n5 2 9 own\n8 1 3 shared\nend\n", "map", write_json, 0,
	       "{\"block_sectors\":128,\"devices\":[{\"id\":1,\"stamp\":\"a.1\"}],\"ranges\":[\n"
	       "{\"begin\":5,\"length\":2,\"kind\":\"own\",\"data_begin\":9},\n"
	       "{\"begin\":8,\"length\":1,\"kind\":\"shared\",\"data_begin\":3}]}\n");
	expect("thinx-delta 1 1 a.1 2 a.2\ndifferent 5 2\nend\n", "delta", write_json, 0,
	       "{\"block_sectors\":128,\"devices\":[{\"id\":1,\"stamp\":\"a.1\"},{\"id\":2,\"stamp\":\"a.2\"}],\"ranges\":[\n"
	       "{\"begin\":5,\"length\":2,\"kind\":\"different\"}]}\n");
	expect("thinx-map 1 1 a.1\nend\n", "map", write_json, 0,
	       "{\"block_sectors\":128,\"devices\":[{\"id\":1,\"stamp\":\"a.1\"}],\"ranges\":[]}\n");
}

static void test_ranges_are_bytes(void **state)
{
	expect(recorded_map, "map", write_ranges, UINT64_MAX,
	       "0 131072 shared 0\n"
	       "131072 65536 own 786432\n"
	       "196608 458752 shared 196608\n"
	       "67108864 131072 shared 655360\n");
	expect(recorded_delta, "delta", write_ranges, UINT64_MAX,
	       "131072 65536 different\n"
	       "67108864 65536 left_only\n"
	       "134217728 131072 right_only\n");
}

static void test_ranges_end_with_the_volume(void **state)
{
	expect("thinx-map 1 1 a.1\n0 4 0 own\n9 1 9 own\nend\n", "map", write_ranges,
	       3 * 128 + 1, "0 197120 own 0\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml_of_a_map),
		cmocka_unit_test(test_xml_of_a_delta),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_ranges_are_bytes),
		cmocka_unit_test(test_ranges_end_with_the_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
