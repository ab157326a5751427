// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages about several devices at once: snapshots of one moment, contents
 * exchanged.
 *
 *   create_snaps   close all gates ─► drain each ─► all snapshots ─► open
 *   swap           nobody uses them? close all gates ─► drain, wait for workers
 *                  ─► exchange ─► drop map caches ─► commit ─► open
 *
 * I1  What is changed is changed in one section of the metadata lock, so it is
 *     in one transaction: all of it, or nothing.
 * I2  Gates stay closed until a swap is durable.  Before that a crash would
 *     bring back the old contents, and a block that one volume has written in
 *     place would show in the other.  Snapshots need no such wait: what is
 *     written in place belongs to the same volume before and after.
 * I3  A swap takes from a volume what others believe to know of it: the map
 *     cache is dropped; times, counts and what is uncommitted or lost is moved or
 *     set by the metadata.  Held ranges, discards, updates and starved writes
 *     all belong to bios, of which there are none.
 *
 * Crash: before the commit nothing has happened, after it everything.
 */
#include "control/pairs.h"

#include <linux/device-mapper.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "control/quotas.h"
#include "data-path/commit.h"
#include "data-path/volume.h"

/**
 * struct pairs - a message taken apart
 * @pairs: as in the message
 * @nr: how many
 * @stops: the devices to be stopped, by id
 * @nr_stops: how many
 */
struct pairs {
	struct thinx_md_pair pairs[THINX_MD_PAIRS_MAX];
	unsigned int nr;
	struct thinx_stop stops[2 * THINX_MD_PAIRS_MAX];
	unsigned int nr_stops;
};

int thinx_pairs_parse_id(struct thinx_pool *pool, const char *word, u32 *id)
{
	int r = thinx_parse_device_id(word, id);

	if (r)
		pool_warn(pool, "Message received with invalid device id: %s",
			  word);
	return r;
}

static int parse_pairs(struct thinx_pool *pool, unsigned int argc, char **argv,
		       struct pairs *p)
{
	unsigned int i;
	int r;

	p->nr = (argc - 1) / 2;
	if (argc % 2 == 0 || !p->nr || p->nr > THINX_MD_PAIRS_MAX) {
		pool_warn(pool, "Message received with %u arguments: %s takes 1 to %u pairs of device ids.",
			  argc, argv[0], THINX_MD_PAIRS_MAX);
		return -EINVAL;
	}
	for (i = 0; i < p->nr; i++) {
		r = thinx_pairs_parse_id(pool, argv[1 + 2 * i],
					 &p->pairs[i].id);
		if (r)
			return r;
		r = thinx_pairs_parse_id(pool, argv[2 + 2 * i],
					 &p->pairs[i].other);
		if (r)
			return r;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct thinx_stop *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Each device once; they are drained in this order. */
static void sort_stops(struct pairs *p)
{
	unsigned int i, nr = 0;

	sort(p->stops, p->nr_stops, sizeof(*p->stops), by_id, NULL);
	for (i = 0; i < p->nr_stops; i++)
		if (!nr || p->stops[nr - 1].id != p->stops[i].id)
			p->stops[nr++].id = p->stops[i].id;
	p->nr_stops = nr;
}

static int create_snaps(struct thinx_pool *pool, struct pairs *p)
{
	unsigned int i;
	int r;

	for (i = 0; i < p->nr; i++)
		p->stops[p->nr_stops++].id = p->pairs[i].other;
	sort_stops(p);
	for (i = 0; i < p->nr; i++)
		thinx_quotas_end(pool, p->pairs[i].id);
	thinx_volume_stop_writes(&pool->plane, p->stops, p->nr_stops);
	r = thinx_md_create_snaps(pool->md, p->pairs, p->nr);
	thinx_volume_allow_writes(&pool->plane, p->stops, p->nr_stops);
	return r;
}

static int swap_contents(struct thinx_pool *pool, struct pairs *p)
{
	unsigned int i;
	u32 busy;
	int r;

	for (i = 0; i < p->nr; i++) {
		p->stops[p->nr_stops++].id = p->pairs[i].id;
		p->stops[p->nr_stops++].id = p->pairs[i].other;
	}
	sort_stops(p);
	r = thinx_volume_stop_all(&pool->plane, p->stops, p->nr_stops, &busy);
	if (r) {
		pool_warn(pool, "cannot swap device %u: a table that is not suspended uses it, or a message",
			  busy);
		return r;
	}
	r = thinx_md_swap(pool->md, p->pairs, p->nr);
	if (!r) {
		thinx_volume_forget(&pool->plane, p->stops, p->nr_stops);
		r = thinx_commit_now(&pool->plane);
	}
	thinx_volume_allow_writes(&pool->plane, p->stops, p->nr_stops);
	return r;
}

static int with_pairs(struct thinx_pool *pool, unsigned int argc, char **argv,
		      int (*fn)(struct thinx_pool *pool, struct pairs *p))
{
	struct pairs *p = kzalloc(sizeof(*p), GFP_NOIO);
	int r;

	if (!p)
		return -ENOMEM;
	r = parse_pairs(pool, argc, argv, p);
	if (!r)
		r = fn(pool, p);
	kfree(p);
	return r;
}

int thinx_pairs_create_snaps(struct thinx_pool *pool, unsigned int argc,
			     char **argv)
{
	return with_pairs(pool, argc, argv, create_snaps);
}

int thinx_pairs_swap(struct thinx_pool *pool, unsigned int argc, char **argv)
{
	return with_pairs(pool, argc, argv, swap_contents);
}
