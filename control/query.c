// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages to a pool that ask and change nothing.
 *
 *   map ID FROM MAX ─► steps of thinx_md_query_map() ─► lines ─► "next N", "end"
 *                          ▲ a block is missing: thinx_md_wait(), no lock
 *
 * I1  An answer is about the mappings at one instant: it ends before a step that
 *     finds another stamp.  If the first step does not get through, it begins anew.
 * I2  An answer always gets further than FROM, or ends; it may end before MAX.
 * I3  Memory and work are bounded, whatever MAX and however large the volumes:
 *     MAX_LINES, MAX_NODES, MAX_WAITS.
 * I4  An answer that does not fit fills its buffer, which is how dm core knows.
 */
#include "control/query.h"

#include <linux/device-mapper.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "data-path/map-cache.h"
#include "data-path/stats.h"
#include "data-path/volume.h"

/* Most lines of an answer: with the longest ones, 300 KiB. */
#define MAX_LINES	4096

/* Most metadata blocks that an answer looks at, cached or not: some 50 ms. */
#define MAX_NODES	32768

/* How often it waits for the metadata device: seconds, on a disk. */
#define MAX_WAITS	1024

typedef int (*step_fn)(struct thinx_md *md, struct thinx_md_query *q);

/**
 * struct answer - an answer in the making
 * @pool: the pool
 * @name: of the query
 * @q: steps
 * @step: makes one
 * @nr_devices: 1 or 2; 0: all
 * @max: lines or, of usage, metadata blocks
 * @stamp: what it is about, see I1
 * @mapped: of the first device
 * @nr_lines: so many are written
 * @nr_nodes: metadata blocks looked at
 * @nr_waits: waits for the device
 * @nr_own: usage: so far
 * @run: the next line, to which neighbours are added; @run.end is 0: none
 * @next: where the next answer goes on
 * @text: the buffer
 * @size: its size
 * @used: bytes written; @size - 1 or more: it is full
 */
struct answer {
	struct thinx_pool *pool;
	const char *name;
	struct thinx_md_query q;
	step_fn step;
	unsigned int nr_devices;
	u64 max;
	struct thinx_md_stamp stamp[2];
	u64 mapped;
	u64 nr_lines;
	u64 nr_nodes;
	unsigned int nr_waits;
	u64 nr_own;
	struct thinx_md_range run;
	u64 next;
	char *text;
	unsigned int size;
	unsigned int used;
};

/* ---- text ---- */

static bool is_full(const struct answer *a)
{
	return a->used + 1 >= a->size;
}

__printf(2, 3)
static void say(struct answer *a, const char *fmt, ...)
{
	va_list args;

	if (is_full(a))
		return;
	va_start(args, fmt);
	a->used += vscnprintf(a->text + a->used, a->size - a->used, fmt, args);
	va_end(args);
}

static void say_header(struct answer *a)
{
	unsigned int i;

	say(a, "thinx-%s 1", a->name);
	for (i = 0; i < a->nr_devices; i++)
		say(a, " %u %016llx.%llx", a->q.id[i], a->stamp[i].instance,
		    a->stamp[i].change);
	say(a, "\n");
}

static const char *const words[] = {
	[THINX_MD_OWN] = "own",
	[THINX_MD_SHARED] = "shared",
	[THINX_MD_SAME] = "same",
	[THINX_MD_DIFFERENT] = "different",
	[THINX_MD_LEFT_ONLY] = "left_only",
	[THINX_MD_RIGHT_ONLY] = "right_only",
};

static void say_run(struct answer *a)
{
	const struct thinx_md_range *r = &a->run;

	if (r->kind <= THINX_MD_SHARED)
		say(a, "%llu %llu %llu %s\n", r->begin, r->end - r->begin,
		    r->data_begin, words[r->kind]);
	else
		say(a, "%s %llu %llu\n", words[r->kind], r->begin,
		    r->end - r->begin);
	a->nr_lines++;
	a->next = r->end;
	a->run.end = 0;
}

static void say_where_next(struct answer *a, bool done)
{
	if (done)
		say(a, "end\n");
	else
		say(a, "next %llu\n", a->next);
}

/* ---- steps ---- */

static bool continues(const struct thinx_md_range *a,
		      const struct thinx_md_range *b)
{
	return a->end == b->begin && a->kind == b->kind &&
	       a->data_begin + (a->end - a->begin) == b->data_begin;
}

/* False: there are enough lines, and the next answer goes on behind the last. */
static bool take_ranges(struct answer *a)
{
	u32 i;

	for (i = 0; i < a->q.nr; i++) {
		const struct thinx_md_range *r = &a->q.ranges[i];

		if (a->run.end && continues(&a->run, r)) {
			a->run.end = r->end;
			continue;
		}
		if (a->run.end)
			say_run(a);
		if (a->nr_lines == a->max || is_full(a))
			return false;
		a->run = *r;
	}
	return true;
}

static int may_go_on(const struct answer *a)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return 0;
}

/* A step, or waiting for what it needs. */
static int make_step(struct answer *a)
{
	struct thinx_pool *pool = a->pool;
	int r;

	for (;;) {
		r = a->step(pool->md, &a->q) ?: may_go_on(a);
		if (r != -EAGAIN)
			return r;
		if (a->nr_waits++ == 2 * MAX_WAITS) {
			pool_err(pool, "%s: metadata blocks do not stay cached: memory is short",
				 a->name);
			return r;
		}
		r = thinx_md_wait(pool->md, a->q.missing) ?: may_go_on(a);
		if (r && r != -EINTR)
			pool_err(pool, "%s: metadata block %llu cannot be read: error %d",
				 a->name, a->q.missing, r);
		if (r)
			return r;
	}
}

static bool same_stamps(const struct answer *a)
{
	unsigned int i;

	for (i = 0; i < a->nr_devices; i++)
		if (a->stamp[i].change != a->q.stamp[i].change ||
		    a->stamp[i].instance != a->q.stamp[i].instance)
			return false;
	return true;
}

/* Enough for one answer?  A suspend waits for this one. */
static bool is_enough(const struct answer *a, unsigned int epoch)
{
	return a->nr_nodes >= MAX_NODES || a->nr_waits >= MAX_WAITS ||
	       READ_ONCE(a->pool->message_epoch) != epoch;
}

/* Keeps I1 and I2. */
static int make_steps(struct answer *a, bool *done,
		      bool (*take)(struct answer *a))
{
	unsigned int epoch = READ_ONCE(a->pool->message_epoch);
	bool first = true;
	int r;

	*done = false;
	do {
		r = make_step(a);
		if (r)
			return r;
		if (first) {
			memcpy(a->stamp, a->q.stamp, sizeof(a->stamp));
			a->mapped = a->q.mapped[0];
			say_header(a);
		} else if (!same_stamps(a)) {
			return 0;
		}
		first = false;
		a->nr_nodes += a->q.nr_nodes;
		if (!take(a))
			return 0;
		a->next = a->q.from;
		*done = a->q.done;
	} while (!*done && !is_enough(a, epoch));
	return 0;
}

static int answer_runs(struct answer *a)
{
	bool done;
	int r;

	r = make_steps(a, &done, take_ranges);
	if (r)
		return r;
	/* What was seen of it so far is true. */
	if (a->run.end && a->nr_lines < a->max) {
		u64 next = a->next;

		say_run(a);
		a->next = max(next, a->next);
	}
	say_where_next(a, done && !a->run.end);
	return 1;
}

static bool take_usage(struct answer *a)
{
	a->nr_own += a->q.nr_own;
	a->next = a->q.from;
	return a->q.done || a->nr_nodes < a->max;
}

static int answer_usage(struct answer *a)
{
	bool done;
	int r;

	r = make_steps(a, &done, take_usage);
	if (r)
		return r;
	say(a, "mapped %llu\nown %llu\n", a->mapped, a->nr_own);
	say_where_next(a, done);
	return 1;
}

static const char *state_of(const struct thinx_md_device_info *d)
{
	if (d->deleting)
		return "deleting";
	return d->in_use ? "used" : "idle";
}

static bool take_devices(struct answer *a)
{
	u32 i;

	for (i = 0; i < a->q.nr; i++) {
		const struct thinx_md_device_info *d = &a->q.devices[i];

		if (a->nr_lines == a->max || is_full(a))
			return false;
		say(a, "%u %llu %llu %u %u %s\n", d->id, d->mapped,
		    d->transaction_id, d->creation_time, d->snapshotted_time,
		    state_of(d));
		a->nr_lines++;
		a->next = d->id + 1;
	}
	return true;
}

static int answer_devices(struct answer *a)
{
	bool done;
	int r;

	r = make_steps(a, &done, take_devices);
	if (r)
		return r;
	say_where_next(a, done);
	return 1;
}

/* ---- numbers ---- */

/**
 * struct numbers - words and answer of the message "stats"
 * @of_volume: only those of device @id
 * @reset: begin again at zero
 */
struct numbers {
	bool of_volume;
	u32 id;
	bool reset;
};

static void say_times(struct answer *a, const char *name, const u64 *times,
		      u64 longest)
{
	unsigned int i;

	say(a, "%s_ns longest %llu", name, longest);
	for (i = 0; i < THINX_TIME_BUCKETS; i++)
		if (times[i])
			say(a, " %llu:%llu",
			    i ? 1ULL << (THINX_TIME_SHIFT + i) : 0, times[i]);
	say(a, "\n");
}

static void say_numbers(struct answer *a, const struct thinx_stats *s,
			bool of_volume)
{
	unsigned int i;

	for (i = 0; i < (of_volume ? THINX_VOLUME_COUNTERS : THINX_NR_COUNTERS); i++)
		say(a, "%s %llu\n", thinx_stats_counter_name(i), s->n[i]);
	for (i = 0; i < (of_volume ? THINX_VOLUME_TIMES : THINX_NR_TIMES); i++)
		say_times(a, thinx_stats_time_name(i), s->times[i],
			  s->longest[i]);
	if (!of_volume)
		say(a, "map_cache_chunks %lu\nmap_cache_filled %lu\nmap_cache_evicted %lu\n",
		    thinx_map_cache_count(), thinx_map_cache_filled(),
		    thinx_map_cache_evicted());
	say(a, "end\n");
}

static int parse_numbers(struct thinx_pool *pool, unsigned int argc,
			 char **argv, struct numbers *n)
{
	unsigned int i = 1;

	if (i < argc && strcasecmp(argv[i], "reset")) {
		if (thinx_parse_device_id(argv[i], &n->id)) {
			pool_warn(pool, "stats [ID] [reset]: a device id or 'reset' expected, '%s' found",
				  argv[i]);
			return -EINVAL;
		}
		n->of_volume = true;
		i++;
	}
	if (i < argc && !strcasecmp(argv[i], "reset")) {
		n->reset = true;
		i++;
	}
	if (i == argc)
		return 0;
	pool_warn(pool, "stats [ID] [reset]: nothing more expected, '%s' found",
		  argv[i]);
	return -EINVAL;
}

/* An answer that did not fit is asked for again: only what is told is reset. */
static int answer_numbers(struct thinx_pool *pool, struct answer *a,
			  const struct numbers *n, struct thinx_stats *sum)
{
	struct thinx_plane *plane = &pool->plane;
	int r = 0;

	if (n->of_volume)
		r = thinx_volume_get_stats(plane, n->id, sum, false);
	else
		thinx_stats_sum(plane->stats, sum);
	if (r) {
		pool_warn(pool, "stats: no table uses device %u", n->id);
		return r;
	}
	say(a, "thinx-stats 1");
	if (n->of_volume)
		say(a, " %u", n->id);
	say(a, "\n");
	say_numbers(a, sum, n->of_volume);
	if (!n->reset || is_full(a))
		return 1;
	if (n->of_volume)
		return thinx_volume_get_stats(plane, n->id, sum, true) ?: 1;
	thinx_stats_reset(plane->stats);
	return 1;
}

static int tell_numbers(struct thinx_pool *pool, unsigned int argc, char **argv,
			struct answer *a)
{
	struct numbers n = { };
	struct thinx_stats *sum;
	int r;

	r = parse_numbers(pool, argc, argv, &n);
	if (r)
		return r;
	sum = kmalloc(sizeof(*sum), GFP_NOIO);
	if (!sum)
		return -ENOMEM;
	r = answer_numbers(pool, a, &n, sum);
	kfree(sum);
	return r;
}

/* ---- reserves and limits ---- */

static int parse_quotas(struct thinx_pool *pool, unsigned int argc,
			char **argv, u32 *from, struct answer *a)
{
	unsigned long long max;

	if (argc != 3) {
		pool_warn(pool, "quotas FROM MAX: 3 words expected, %u found",
			  argc);
		return -EINVAL;
	}
	if (thinx_parse_device_id(argv[1], from)) {
		pool_warn(pool, "quotas FROM MAX: a device id expected, '%s' found",
			  argv[1]);
		return -EINVAL;
	}
	if (kstrtoull(argv[2], 10, &max) || !max) {
		pool_warn(pool, "quotas FROM MAX: a number of at least 1 expected, '%s' found",
			  argv[2]);
		return -EINVAL;
	}
	a->max = min_t(u64, max, MAX_LINES);
	return 0;
}

/* One at a time: whoever takes blocks waits for no more than that. */
static int tell_quotas(struct thinx_pool *pool, unsigned int argc, char **argv,
		       struct answer *a)
{
	struct thinx_quotas *q = &pool->plane.quotas;
	struct thinx_quota_view view;
	struct thinx_md_space s;
	u64 nr_free;
	bool more;
	u32 id;
	int r;

	r = parse_quotas(pool, argc, argv, &id, a);
	if (r)
		return r;
	thinx_md_get_space(pool->md, &s);
	say(a, "thinx-quotas 1\n");
	nr_free = s.data_allocatable + READ_ONCE(pool->plane.nr_trimming);
	while ((more = thinx_quotas_next(q, &id, nr_free, &view)) &&
	       a->nr_lines < a->max && !is_full(a)) {
		say(a, "%u %llu %llu ", id, view.reserve, view.left);
		if (view.limit == THINX_NO_LIMIT)
			say(a, "-\n");
		else
			say(a, "%llu\n", view.limit);
		a->nr_lines++;
		id++;
	}
	a->next = id;
	say_where_next(a, !more);
	return 1;
}

/* ---- words ---- */

static bool asks_for_numbers(const char *name)
{
	return !strcasecmp(name, "stats");
}

static bool asks_for_quotas(const char *name)
{
	return !strcasecmp(name, "quotas");
}

static const struct query {
	const char *name;
	const char *form;
	unsigned int argc;
	unsigned int nr_devices;
	step_fn step;
	int (*answer)(struct answer *a);
	u64 max;
} queries[] = {
	{ "map", "map ID FROM MAX", 4, 1, thinx_md_query_map, answer_runs,
	  MAX_LINES },
	{ "delta", "delta ID ID FROM MAX", 5, 2, thinx_md_query_delta,
	  answer_runs, MAX_LINES },
	{ "usage", "usage ID FROM MAX", 4, 1, thinx_md_query_usage,
	  answer_usage, MAX_NODES },
	{ "devices", "devices FROM MAX", 3, 0, thinx_md_query_devices,
	  answer_devices, MAX_LINES },
};

static const struct query *find_query(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queries); i++)
		if (!strcasecmp(name, queries[i].name))
			return &queries[i];
	return NULL;
}

bool thinx_is_query(const char *name)
{
	return find_query(name) || asks_for_numbers(name) ||
	       asks_for_quotas(name);
}

static int refuse(struct thinx_pool *pool, const struct query *query,
		  const char *what, const char *word)
{
	pool_warn(pool, "%s: %s expected, '%s' found", query->form, what, word);
	return -EINVAL;
}

static int parse(struct thinx_pool *pool, const struct query *query,
		 unsigned int argc, char **argv, struct answer *a)
{
	unsigned long long from, max;
	unsigned int i;

	if (argc != query->argc) {
		pool_warn(pool, "%s: %u words expected, %u found", query->form,
			  query->argc, argc);
		return -EINVAL;
	}
	for (i = 0; i < query->nr_devices; i++)
		if (thinx_parse_device_id(argv[1 + i], &a->q.id[i]))
			return refuse(pool, query, "a device id", argv[1 + i]);
	if (kstrtoull(argv[argc - 2], 10, &from))
		return refuse(pool, query, query->nr_devices ?
			      "a block number" : "a number", argv[argc - 2]);
	if (kstrtoull(argv[argc - 1], 10, &max) || !max)
		return refuse(pool, query, "a number of at least 1",
			      argv[argc - 1]);
	a->q.from = from;
	a->next = from;
	a->max = min_t(u64, max, query->max);
	return 0;
}

/* Say why there is no answer, unless that has been said. */
static int explain(struct thinx_pool *pool, const struct answer *a, int r)
{
	switch (r) {
	case -ENODATA:
		if (a->nr_devices == 2)
			pool_warn(pool, "%s: there is no device %u, or no device %u",
				  a->name, a->q.id[0], a->q.id[1]);
		else
			pool_warn(pool, "%s: there is no device %u", a->name,
				  a->q.id[0]);
		break;
	case -EBUSY:
		pool_warn(pool, "%s: the device is being deleted", a->name);
		break;
	case -ENODEV:
		pool_err(pool, "%s: the metadata cannot be read in fail mode",
			 a->name);
		return -EOPNOTSUPP;
	case -EUCLEAN:
		pool_warn(pool, "%s: a transaction is about to be aborted: ask again",
			  a->name);
		return -EAGAIN;
	}
	return r;
}

int thinx_query(struct thinx_pool *pool, unsigned int argc, char **argv,
		char *result, unsigned int maxlen)
{
	const struct query *query = find_query(argv[0]);
	struct answer *a;
	int r;

	/* The device may be suspended: no I/O for memory. */
	a = kzalloc(sizeof(*a), GFP_NOIO);
	if (!a)
		return -ENOMEM;
	a->pool = pool;
	a->text = result;
	a->size = maxlen;
	if (!query) {
		r = asks_for_quotas(argv[0]) ?
			tell_quotas(pool, argc, argv, a) :
			tell_numbers(pool, argc, argv, a);
		goto out;
	}
	a->name = query->name;
	a->step = query->step;
	a->nr_devices = query->nr_devices;
	r = parse(pool, query, argc, argv, a);
	if (!r)
		r = explain(pool, a, query->answer(a));
out:
	kfree(a);
	return r;
}
