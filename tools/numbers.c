// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See numbers.h.
 */
#include "numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool take_number(const char **p, uint64_t *n)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*n = strtoull(*p, &end, 10);
	*p = end;
	return !errno;
}

static unsigned int bucket_of(uint64_t low)
{
	return low ? 63 - __builtin_clzll(low) : 0;
}

/* longest NS LOW:COUNT... */
static bool parse_times(const char *p, struct times *t)
{
	uint64_t low, count;

	if (strncmp(p, "longest ", 8))
		return false;
	p += 8;
	if (!take_number(&p, &t->longest))
		return false;
	while (*p == ' ') {
		p++;
		if (!take_number(&p, &low) || *p++ != ':' || !take_number(&p, &count))
			return false;
		t->bucket[bucket_of(low)] += count;
		t->nr += count;
	}
	return *p == '\n';
}

static bool parse_line(const char *p, struct numbers *n)
{
	size_t length = strcspn(p, "\n ");
	bool of_times = length > 3 && !strncmp(p + length - 3, "_ns", 3);
	char *name;
	uint64_t value;

	if (!length || p[length] != ' ' || length >= NAME_SIZE)
		return false;
	if (of_times && n->nr_times < MAX_TIMES) {
		name = n->times[n->nr_times].name;
		memcpy(name, p, length - 3);
		return parse_times(p + length + 1, &n->times[n->nr_times++]);
	}
	if (of_times || n->nr_counters == MAX_COUNTERS)
		return true;
	name = n->counter[n->nr_counters].name;
	memcpy(name, p, length);
	p += length + 1;
	if (!take_number(&p, &value))
		return false;
	n->counter[n->nr_counters++].value = value;
	return true;
}

bool parse_numbers(const char *text, struct numbers *n)
{
	memset(n, 0, sizeof(*n));
	if (strncmp(text, "thinx-stats 1", 13) || (text[13] != ' ' && text[13] != '\n'))
		return false;
	for (;;) {
		text = strchr(text, '\n');
		if (!text)
			return false;
		text++;
		if (!strncmp(text, "end\n", 4))
			return true;
		if (!parse_line(text, n))
			return false;
	}
}

/* ---- differences ---- */

static uint64_t grown_by(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static void counter_since(struct counter *c, const struct numbers *before)
{
	unsigned int i;

	for (i = 0; i < before->nr_counters; i++)
		if (!strcmp(c->name, before->counter[i].name))
			c->value = grown_by(c->value, before->counter[i].value);
}

static void times_since(struct times *t, const struct numbers *before)
{
	unsigned int i, k;

	for (i = 0; i < before->nr_times; i++) {
		const struct times *b = &before->times[i];

		if (strcmp(t->name, b->name) || t->nr < b->nr)
			continue;
		t->nr = 0;
		for (k = 0; k < NR_BUCKETS; k++) {
			t->bucket[k] = grown_by(t->bucket[k], b->bucket[k]);
			t->nr += t->bucket[k];
		}
	}
}

void numbers_since(struct numbers *n, const struct numbers *before)
{
	unsigned int i;

	for (i = 0; i < n->nr_counters; i++)
		counter_since(&n->counter[i], before);
	for (i = 0; i < n->nr_times; i++)
		times_since(&n->times[i], before);
}

uint64_t times_quantile(const struct times *t, unsigned int percent)
{
	/* Rounded up: of one, half is one. */
	uint64_t wanted = t->nr / 100 * percent + (t->nr % 100 * percent + 99) / 100;
	uint64_t seen = 0, end;
	unsigned int i;

	if (!t->nr)
		return 0;
	for (i = 0; i < NR_BUCKETS - 1; i++) {
		seen += t->bucket[i];
		/* The first one is that of all below 2048. */
		end = i ? 2ULL << i : 2048;
		if (seen >= wanted)
			return end < t->longest ? end : t->longest;
	}
	return t->longest;
}
