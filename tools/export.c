// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx export: what is known of pools and volumes without counting, for monitoring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "metrics.h"
#include "say.h"

static bool is_wanted(struct system *s, const struct options *o, const struct pool *p)
{
	int i;

	for (i = 0; i < o->nr_words; i++)
		if (find_pool(s, o->words[i]) == p)
			return true;
	return !o->nr_words;
}

static bool words_are_pools(struct system *s, const struct options *o)
{
	int i;

	for (i = 0; i < o->nr_words; i++)
		if (!find_pool(s, o->words[i])) {
			complain("%s: there is no such pool; 'thinx list' shows all",
				 o->words[i]);
			return false;
		}
	return true;
}

/* dm-thin knows no such message, and a pool may just have gone. */
static struct numbers *ask_for_numbers(struct pool *p)
{
	struct numbers *n = malloc(sizeof(*n));
	char *reply = NULL;

	if (!n || pool_ask(p, "stats", &reply) || !parse_numbers(reply, n)) {
		free(n);
		n = NULL;
	}
	free(reply);
	return n;
}

static void add_volumes(struct system *s, const struct pool *p, struct metrics *m)
{
	size_t i;

	for (i = 0; i < s->nr_volumes; i++) {
		const struct volume *v = &s->volumes[i];

		if (v->pool == p)
			m->volume[m->nr_volumes++] = (struct volume_metrics){
				.name = v->dev.name,
				.pool = p->dev.name,
				.id = v->table.id,
				.sectors = v->sectors,
				.status = v->status,
			};
	}
}

static void add_pool(struct system *s, struct pool *p, struct metrics *m)
{
	m->pool[m->nr_pools++] = (struct pool_metrics){
		.name = p->dev.name,
		.block_sectors = p->table.block_sectors,
		.status = p->status,
		.known = p->known,
		.numbers = ask_for_numbers(p),
	};
	add_volumes(s, p, m);
}

static int export(struct options *o, struct system *s)
{
	struct metrics m = { };
	int r = FAILED;
	size_t i;

	if (!words_are_pools(s, o))
		return FAILED;
	m.pool = calloc(s->nr_pools + 1, sizeof(*m.pool));
	m.volume = calloc(s->nr_volumes + 1, sizeof(*m.volume));
	if (m.pool && m.volume) {
		for (i = 0; i < s->nr_pools; i++)
			if (is_wanted(s, o, &s->pools[i]))
				add_pool(s, &s->pools[i], &m);
		metrics_write(stdout, &m, o->json);
		r = DONE;
	} else {
		complain("out of memory");
	}
	for (i = 0; i < m.nr_pools; i++)
		free(m.pool[i].numbers);
	free(m.pool);
	free(m.volume);
	return r;
}

int command_export(struct options *o)
{
	struct system s;
	int r = FAILED;

	if (o->json == o->prometheus) {
		complain("export: --prometheus or --json is expected");
		return MISUSED;
	}
	if (system_read(&s))
		r = export(o, &s);
	system_free(&s);
	return r;
}
