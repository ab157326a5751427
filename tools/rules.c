// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See rules.h.
 */
#include "rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "kmgtpe";
	unsigned long long n;
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		unit = strchr(units, *end | 0x20);
		if (!unit || end[1])
			return false;
		shift = 10 * (unit - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

struct rule *rules_find(struct rules *rules, uint32_t id, bool make)
{
	struct rule *more;
	size_t i = 0;

	while (i < rules->nr && rules->rule[i].id < id)
		i++;
	if (i < rules->nr && rules->rule[i].id == id)
		return &rules->rule[i];
	if (!make)
		return NULL;
	more = realloc(rules->rule, (rules->nr + 1) * sizeof(*more));
	if (!more)
		return NULL;
	rules->rule = more;
	memmove(more + i + 1, more + i, (rules->nr - i) * sizeof(*more));
	rules->nr++;
	more[i] = (struct rule){ .id = id };
	return &more[i];
}

void rules_clear(struct rules *rules)
{
	free(rules->rule);
	memset(rules, 0, sizeof(*rules));
}

/* ---- files ---- */

static bool parse_id(const char *word, uint32_t *id)
{
	uint64_t n;

	/* Without a unit. */
	if (!word || strspn(word, "0123456789") != strlen(word) ||
	    !parse_size(word, &n) || n > MAX_DEVICE_ID)
		return false;
	*id = n;
	return true;
}

/* Words of a line, which it takes apart. */
static int parse_line(char *line, struct rules *rules)
{
	char *word, *rest, *value;
	struct rule *rule;
	uint32_t id;

	line[strcspn(line, "#\n")] = '\0';
	word = strtok_r(line, " \t", &rest);
	if (!word)
		return 0;
	if (strcmp(word, "device") || !parse_id(strtok_r(NULL, " \t", &rest), &id) ||
	    rules_find(rules, id, false))
		return -EINVAL;
	rule = rules_find(rules, id, true);
	if (!rule)
		return -ENOMEM;
	for (;;) {
		word = strtok_r(NULL, " \t", &rest);
		if (!word)
			return 0;
		value = strtok_r(NULL, " \t", &rest);
		if (!value || (strcmp(word, "reserve") && strcmp(word, "limit")) ||
		    !parse_size(value, *word == 'r' ? &rule->reserve : &rule->limit))
			return -EINVAL;
	}
}

int rules_read(FILE *f, struct rules *rules, unsigned int *line)
{
	char *text = NULL;
	size_t room = 0;
	int r = 0;

	*line = 0;
	while (!r && getline(&text, &room, f) >= 0) {
		++*line;
		r = parse_line(text, rules);
	}
	free(text);
	return r ?: ferror(f) ? -EIO : 0;
}

void rules_write(FILE *f, const struct rules *rules)
{
	size_t i;

	fputs("# Reserves and limits, in bytes: see thinx(8), policy.\n", f);
	for (i = 0; i < rules->nr; i++) {
		const struct rule *r = &rules->rule[i];

		if (!r->reserve && !r->limit)
			continue;
		fprintf(f, "device %" PRIu32, r->id);
		if (r->reserve)
			fprintf(f, " reserve %" PRIu64, r->reserve);
		if (r->limit)
			fprintf(f, " limit %" PRIu64, r->limit);
		fputc('\n', f);
	}
}

uint64_t blocks_of(uint64_t bytes, uint64_t block_sectors)
{
	uint64_t size = block_sectors * 512;

	return bytes / size + !!(bytes % size);
}
