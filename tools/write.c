// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See write.h.  There is nothing but numbers and words of our own, so nothing has to
 * be escaped.
 */
#include "write.h"

#include <inttypes.h>

static void write_mapping(FILE *f, const struct run *r)
{
	const char *shared = r->kind == RUN_SHARED ? "true" : "false";

	if (r->length == 1)
		fprintf(f, "    <single_mapping origin_block=\"%" PRIu64 "\" data_block=\"%" PRIu64 "\" shared=\"%s\"/>\n",
			r->begin, r->data_begin, shared);
	else
		fprintf(f, "    <range_mapping origin_begin=\"%" PRIu64 "\" data_begin=\"%" PRIu64 "\" length=\"%" PRIu64 "\" shared=\"%s\"/>\n",
			r->begin, r->data_begin, r->length, shared);
}

static void write_superblock(FILE *f, const struct shape *s)
{
	fprintf(f, "<superblock uuid=\"\" transaction=\"%" PRIu64 "\" data_block_size=\"%" PRIu64 "\" nr_data_blocks=\"%" PRIu64 "\">\n",
		s->transaction, s->block_sectors, s->nr_data_blocks);
}

static uint64_t sum_of(const struct runs *runs)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < runs->nr; i++)
		n += runs->run[i].length;
	return n;
}

void write_map_xml(FILE *f, const struct shape *s, const struct runs *runs)
{
	size_t i;

	write_superblock(f, s);
	fprintf(f, "  <device dev_id=\"%" PRIu32 "\" mapped_blocks=\"%" PRIu64 "\">\n",
		s->page.id[0], sum_of(runs));
	for (i = 0; i < runs->nr; i++)
		write_mapping(f, &runs->run[i]);
	fputs("  </device>\n</superblock>\n", f);
}

void write_delta_xml(FILE *f, const struct shape *s, const struct runs *runs)
{
	size_t i;

	write_superblock(f, s);
	fprintf(f, "  <diff left=\"%" PRIu32 "\" right=\"%" PRIu32 "\">\n",
		s->page.id[0], s->page.id[1]);
	for (i = 0; i < runs->nr; i++)
		fprintf(f, "    <%s begin=\"%" PRIu64 "\" length=\"%" PRIu64 "\"/>\n",
			run_kind_name(runs->run[i].kind), runs->run[i].begin,
			runs->run[i].length);
	fputs("  </diff>\n</superblock>\n", f);
}

void write_json(FILE *f, const struct shape *s, const struct runs *runs)
{
	unsigned int d;
	size_t i;

	fprintf(f, "{\"block_sectors\":%" PRIu64 ",\"devices\":[", s->block_sectors);
	for (d = 0; d < s->page.nr_devices; d++)
		fprintf(f, "%s{\"id\":%" PRIu32 ",\"stamp\":\"%s\"}", d ? "," : "",
			s->page.id[d], s->page.stamp[d]);
	fputs("],\"ranges\":[", f);
	for (i = 0; i < runs->nr; i++) {
		const struct run *r = &runs->run[i];

		fprintf(f, "%s\n{\"begin\":%" PRIu64 ",\"length\":%" PRIu64 ",\"kind\":\"%s\"",
			i ? "," : "", r->begin, r->length, run_kind_name(r->kind));
		if (r->kind <= RUN_SHARED)
			fprintf(f, ",\"data_begin\":%" PRIu64, r->data_begin);
		fputc('}', f);
	}
	fputs("]}\n", f);
}

void write_ranges(FILE *f, const struct shape *s, const struct runs *runs)
{
	const uint64_t block = s->block_sectors * 512;
	size_t i;

	for (i = 0; i < runs->nr; i++) {
		const struct run *r = &runs->run[i];
		uint64_t begin = r->begin * s->block_sectors;
		uint64_t end = begin + r->length * s->block_sectors;

		if (end > s->sectors)
			end = s->sectors;
		if (r->kind == RUN_SAME || begin >= end)
			continue;
		fprintf(f, "%" PRIu64 " %" PRIu64 " %s", begin * 512, (end - begin) * 512,
			run_kind_name(r->kind));
		if (r->kind <= RUN_SHARED)
			fprintf(f, " %" PRIu64, r->data_begin * block);
		fputc('\n', f);
	}
}
