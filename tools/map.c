// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx map and thinx delta: which blocks a volume has, and in which two differ; of
 * one instant, or not at all.
 *
 * The attributes of thin_dump's XML that the kernel does not tell are left out, the
 * times above all: thin_restore refuses the text for lack of them.  With wrong ones
 * it would make volumes that write into each other's blocks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "say.h"
#include "write.h"

/* Lines of one answer: few enough for its buffer to need no second try. */
#define PAGE_LINES	500

/**
 * struct answer - what is printed
 * @shape: block size and so on
 * @runs: of it
 */
struct answer {
	struct shape shape;
	struct runs runs;
};

static int not_found(const char *name)
{
	complain("%s: there is no such volume; 'thinx list' shows all", name);
	return FAILED;
}

/* A volume by its name, or, with a pool by its name, the ID that goes with it. */
static int find(struct system *s, const char *name, bool has_id, uint32_t id,
		struct pool **pool, uint32_t *found, uint64_t *sectors)
{
	struct volume *v = has_id ? NULL : find_volume(s, name);

	*sectors = UINT64_MAX;
	if (has_id) {
		*pool = find_pool(s, name);
		*found = id;
		if (*pool)
			return DONE;
		complain("%s: there is no such pool; 'thinx list' shows all", name);
		return FAILED;
	}
	if (!v)
		return not_found(name);
	if (!v->pool) {
		complain("%s: its pool cannot be asked", name);
		return FAILED;
	}
	*pool = v->pool;
	*found = v->table.id;
	if (v->whole)
		*sectors = v->sectors;
	return DONE;
}

static int ask(struct pool *pool, struct query *q, struct answer *a)
{
	int e;

	q->max = PAGE_LINES;
	q->ask = pool_ask;
	q->context = pool;
	e = query_all(q, &a->shape.page, &a->runs);
	if (e) {
		pool_complain(pool, q->name, e);
		return FAILED;
	}
	a->shape.block_sectors = pool->table.block_sectors;
	a->shape.transaction = pool->status.transaction;
	a->shape.nr_data_blocks = pool->status.data_total;
	return DONE;
}

static int print(const struct options *o, const struct answer *a, bool of_map)
{
	if (o->ranges)
		write_ranges(stdout, &a->shape, &a->runs);
	else if (o->json)
		write_json(stdout, &a->shape, &a->runs);
	else if (of_map)
		write_map_xml(stdout, &a->shape, &a->runs);
	else
		write_delta_xml(stdout, &a->shape, &a->runs);
	return flush_output() ? DONE : FAILED;
}

static int refuse(const char *how)
{
	complain("%s", how);
	return MISUSED;
}

static int map(struct options *o, struct system *s, struct answer *a)
{
	struct query q = { .name = "map" };
	struct pool *pool;
	int r;

	r = find(s, o->words[0], o->has_id[0], o->id[0], &pool, &q.id[0],
		 &a->shape.sectors);
	return r ?: ask(pool, &q, a) ?: print(o, a, true);
}

int command_map(struct options *o)
{
	struct answer a = { };
	struct system s;
	int r = FAILED;

	if (o->nr_words != 1)
		return refuse("map: a volume is expected, or --dev-id ID and a pool");
	if (system_read(&s))
		r = map(o, &s, &a);
	runs_clear(&a.runs);
	system_free(&s);
	return r;
}

static int delta(struct options *o, struct system *s, struct answer *a)
{
	struct query q = { .name = "delta" };
	struct pool *pool[2];
	uint64_t sectors[2];
	int i, r;

	for (i = 0; i < 2; i++) {
		r = find(s, o->words[o->has_id[0] ? 0 : i], o->has_id[i], o->id[i],
			 &pool[i], &q.id[i], &sectors[i]);
		if (r)
			return r;
	}
	if (pool[0] != pool[1]) {
		complain("%s and %s are of two pools: only volumes of one can be compared",
			 o->words[0], o->words[1]);
		return FAILED;
	}
	a->shape.sectors = sectors[0] > sectors[1] ? sectors[0] : sectors[1];
	return ask(pool[0], &q, a) ?: print(o, a, false);
}

int command_delta(struct options *o)
{
	struct answer a = { };
	struct system s;
	int r = FAILED;

	if (o->has_id[0] != o->has_id[1] || o->nr_words != (o->has_id[0] ? 1 : 2))
		return refuse("delta: two volumes are expected, or --thin1 ID --thin2 ID and a pool");
	if (system_read(&s))
		r = delta(o, &s, &a);
	runs_clear(&a.runs);
	system_free(&s);
	return r;
}
