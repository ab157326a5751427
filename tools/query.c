// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See query.h.
 */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask_page(const struct query *q, uint64_t from, struct page *page,
		    struct runs *runs)
{
	char message[128], *reply = NULL;
	int r;

	if (!strcmp(q->name, "delta"))
		snprintf(message, sizeof(message), "delta %u %u %llu %u", q->id[0],
			 q->id[1], (unsigned long long)from, q->max);
	else
		snprintf(message, sizeof(message), "%s %u %llu %u", q->name, q->id[0],
			 (unsigned long long)from, q->max);
	r = q->ask(q->context, message, &reply);
	if (r)
		return r;
	if (!parse_page(reply, q->name, page, runs))
		r = -EPROTO;
	/* A page that gets no further would be asked for again and again. */
	else if (!page->done && page->next <= from)
		r = -EPROTO;
	free(reply);
	return r;
}

static bool moved(const struct page *a, const struct page *b)
{
	unsigned int i;

	for (i = 0; i < a->nr_devices; i++)
		if (strcmp(a->stamp[i], b->stamp[i]))
			return true;
	return false;
}

static int read_once(const struct query *q, struct page *sum, struct runs *runs)
{
	struct page page;
	uint64_t own = 0, from = 0;
	int r;

	do {
		r = ask_page(q, from, &page, runs);
		if (r)
			return r;
		if (!from)
			*sum = page;
		else if (moved(sum, &page))
			return -EAGAIN;
		own += page.own;
		from = page.next;
		if (q->progress && !page.done)
			q->progress(q->context, from);
	} while (!page.done);
	sum->done = true;
	sum->own = own;
	return 0;
}

int query_all(const struct query *q, struct page *sum, struct runs *runs)
{
	unsigned int i;
	int r = -EAGAIN;

	for (i = 0; i < QUERY_TRIES && r == -EAGAIN; i++) {
		runs->nr = 0;
		r = read_once(q, sum, runs);
	}
	return r;
}

/* Lines of one answer: few enough for its buffer to need no third try. */
#define DEVICES_PAGE	1000

typedef bool (*parse_fn)(const char *text, bool *done, uint64_t *next,
			 struct infos *infos);

static int ask_for_all(const char *name, parse_fn parse, ask_fn ask, void *context,
		       struct infos *infos)
{
	uint64_t from = 0, next = 0;
	char message[64], *reply;
	bool done = false;
	int r = 0;

	for (; !r && !done; from = next) {
		snprintf(message, sizeof(message), "%s %llu %u", name,
			 (unsigned long long)from, DEVICES_PAGE);
		r = ask(context, message, &reply);
		if (r)
			break;
		if (!parse(reply, &done, &next, infos) || (!done && next <= from))
			r = -EPROTO;
		free(reply);
	}
	return r;
}

int query_devices(ask_fn ask, void *context, struct infos *infos)
{
	return ask_for_all("devices", parse_devices, ask, context, infos);
}

int query_quotas(ask_fn ask, void *context, struct infos *infos)
{
	return ask_for_all("quotas", parse_quotas, ask, context, infos);
}
