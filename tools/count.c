// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See count.h.
 */
#include "count.h"

#include <stdio.h>
#include <unistd.h>

#include "say.h"

/* Metadata blocks that one answer looks at: a few milliseconds. */
#define NODES		2048

#define BAR_WIDTH	40

/**
 * struct job - the context of a query
 * @s: the device
 * @bar: is there one?
 */
struct job {
	const struct subject *s;
	bool bar;
};

static int ask(void *context, const char *message, char **reply)
{
	const struct job *j = context;

	return pool_ask(j->s->pool, message, reply);
}

static void show_bar(void *context, uint64_t next)
{
	const struct job *j = context;
	uint64_t done = next * j->s->pool->table.block_sectors;
	uint64_t all = j->s->end;
	int n = BAR_WIDTH, i;

	if (!j->bar)
		return;
	if (done < all)
		n = (double)done / all * BAR_WIDTH;
	fprintf(stderr, "\r%-20.20s [", j->s->name);
	for (i = 0; i < BAR_WIDTH; i++)
		fputc(i < n ? '#' : ' ', stderr);
	fprintf(stderr, "] %3d%%", n * 100 / BAR_WIDTH);
}

bool count_device(const struct subject *s, bool bar, uint64_t *mapped, uint64_t *own)
{
	struct job j = { .s = s, .bar = bar && s->end && isatty(STDERR_FILENO) };
	struct query q = {
		.name = "usage",
		.id = { s->id },
		.max = NODES,
		.ask = ask,
		.progress = show_bar,
		.context = &j,
	};
	struct runs none = { };
	struct page sum;
	int r;

	show_bar(&j, 0);
	r = query_all(&q, &sum, &none);
	runs_clear(&none);
	/* The table is to begin on an empty line. */
	if (j.bar)
		fprintf(stderr, "\r%*s\r", BAR_WIDTH + 30, "");
	if (r) {
		complain("%s cannot be counted", s->name);
		pool_complain(s->pool, "usage", r);
		return false;
	}
	*mapped = sum.mapped * s->pool->table.block_sectors;
	*own = sum.own * s->pool->table.block_sectors;
	return true;
}
