// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * How fast is the library by itself, without device and kernel?  Works on a store
 * in memory, with a tree of mappings whose values are counted in a data space map,
 * as a thin volume has it.
 *
 * Prints one line per case: name, operations, seconds, operations per second,
 * metadata blocks written per 1000 operations.  Times are of this process only,
 * whatever else the machine does; they depend on the machine: compare them with
 * each other, or before and after a change.
 *
 *   pd-bench [PART-OF-A-NAME]	all cases, or those with it in their names
 */
#include "persistent-data/block-manager.h"
#include "persistent-data/btree.h"
#include "persistent-data/space-map.h"
#include "persistent-data/transaction.h"
#include "stores/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/kernel.h>
#include <asm/byteorder.h>

#define NR_META		65536
#define NR_DATA		4000000
#define PER_BITMAP	16320ULL
#define NR_VIRTUAL	2000000
#define PER_COMMIT	1000

struct bench {
	struct pd_block_io *io;
	struct pd_bm *bm;
	struct pd_tm *tm;
	struct pd_sm *meta, *data;
	struct pd_btree t;
	pd_block_t root;
	unsigned long writes;
	double began;
	unsigned int rng;
};

static void must(int r)
{
	if (!r)
		return;
	fprintf(stderr, "error %d\n", r);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static u32 rnd(struct bench *b, u32 below)
{
	b->rng = b->rng * 1664525 + 1013904223;
	return (u64)(b->rng >> 4) * below >> 28;
}

/* ---- values that refer to data blocks ---- */

static int count_values(struct pd_sm *sm, const __le64 *v, u32 nr,
			int (*fn)(struct pd_sm *sm, pd_block_t b, pd_block_t e))
{
	u32 i, n;
	int r = 0;

	for (i = 0; i < nr && !r; i += n) {
		u64 first = le64_to_cpu(v[i]) >> 24;

		for (n = 1; i + n < nr; n++)
			if (le64_to_cpu(v[i + n]) >> 24 != first + n)
				break;
		r = fn(sm, first, first + n);
	}
	return r;
}

static int inc(void *context, const void *values, u32 nr)
{
	return count_values(context, values, nr, pd_sm_inc);
}

static int dec(void *context, const void *values, u32 nr)
{
	return count_values(context, values, nr, pd_sm_dec);
}

/* ---- life ---- */

static void commit(struct bench *b)
{
	unsigned char root[32];

	must(pd_sm_close(b->data, root));
	must(pd_tm_close(b->tm, root));
	must(pd_bm_flush(b->bm));
	pd_sm_complete(b->data);
	pd_tm_complete(b->tm);
}

static void begin_with(struct bench *b, pd_block_t nr_data)
{
	memset(b, 0, sizeof(*b));
	b->io = ram_store_create(NR_META);
	must(pd_bm_create(b->io, &b->bm));
	must(pd_tm_create(b->bm, &b->tm, &b->meta));
	must(pd_sm_disk_create(b->tm, &b->data));
	must(pd_sm_extend(b->data, nr_data));
	b->t = (struct pd_btree){
		.bm = b->bm, .tm = b->tm, .levels = 1, .name = "mappings",
		.value = { .size = 8, .inc = inc, .dec = dec,
			   .context = b->data },
	};
	must(pd_btree_empty(&b->t, &b->root));
	commit(b);
}

static void begin(struct bench *b)
{
	begin_with(b, NR_DATA);
}

static void end(struct bench *b)
{
	pd_sm_destroy(b->data);
	pd_tm_destroy(b->tm);
	pd_bm_destroy(b->bm);
}

static void start(struct bench *b)
{
	b->writes = ram_store_nr_ops(b->io, RAM_OP_WRITE);
	b->began = now();
}

static void stop(struct bench *b, const char *name, unsigned long nr)
{
	double s = now() - b->began;

	printf("%-36s %8lu %8.3f s %10.0f /s %8.1f blocks/1000\n", name, nr, s,
	       nr / s, (ram_store_nr_ops(b->io, RAM_OP_WRITE) - b->writes) *
	       1000.0 / nr);
	fflush(stdout);
}

/* ---- cases ---- */

struct bench_case {
	const char *name;
	void (*fn)(const struct bench_case *c);
	unsigned long nr;
	u32 run;
	bool random;
};

static void insert_one(struct bench *b, u64 key)
{
	pd_block_t d;
	__le64 value;

	must(pd_sm_alloc(b->data, &d));
	value = cpu_to_le64(d << 24);
	must(pd_btree_insert(&b->t, &b->root, &key, &value, NULL));
}

static void insert_run(struct bench *b, u64 key, u32 nr)
{
	__le64 values[256];
	pd_block_t d, n, i;
	u32 inserted;

	while (nr) {
		must(pd_sm_find_run(b->data, nr, &d, &n));
		for (i = 0; i < n; i++)
			values[i] = cpu_to_le64((d + i) << 24);
		must(pd_sm_inc(b->data, d, d + n));
		must(pd_btree_insert_run(&b->t, &b->root, &key, values, n,
					 &inserted));
		pd_sm_unhold(b->data, d, d + n);
		key += n;
		nr -= n;
	}
}

static void bench_inserts(const struct bench_case *c)
{
	unsigned long i;
	struct bench b;

	begin(&b);
	start(&b);
	for (i = 0; i < c->nr; i += c->run) {
		u64 key = c->random ? rnd(&b, NR_VIRTUAL / c->run) * c->run : i;

		if (c->run == 1)
			insert_one(&b, key);
		else
			insert_run(&b, key, c->run);
		if (i / PER_COMMIT != (i + c->run) / PER_COMMIT)
			commit(&b);
	}
	stop(&b, c->name, c->nr);
	end(&b);
}

static void fill(struct bench *b, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i += 200)
		insert_run(b, i, 200);
	commit(b);
}

static void bench_lookups(const struct bench_case *c)
{
	unsigned long i;
	struct bench b;
	__le64 value;
	u64 key;

	begin(&b);
	fill(&b, 1000000);
	start(&b);
	for (i = 0; i < c->nr; i++) {
		key = c->random ? rnd(&b, 1000000) : i % 1000000;
		must(pd_btree_lookup(&b.t, b.root, &key, &value));
	}
	stop(&b, c->name, c->nr);
	end(&b);
}

/* Overwrite blocks shared with a snapshot, one by one. */
static void bench_breaking(const struct bench_case *c)
{
	unsigned long i;
	struct bench b;

	begin(&b);
	fill(&b, 1000000);
	must(pd_tm_inc(b.tm, b.root));
	commit(&b);
	start(&b);
	for (i = 0; i < c->nr; i++) {
		insert_one(&b, c->random ? rnd(&b, 1000000) : i);
		if (i % PER_COMMIT == PER_COMMIT - 1)
			commit(&b);
	}
	stop(&b, c->name, c->nr);
	end(&b);
}

static void bench_remove(const struct bench_case *c)
{
	struct pd_btree_range range = { 0 };
	unsigned long steps = 0;
	struct bench b;

	begin(&b);
	fill(&b, c->nr);
	start(&b);
	range.end = c->nr;
	while (!range.done) {
		must(pd_btree_remove_range(&b.t, &b.root, &(u64){ 0 }, &range,
					   8));
		if (++steps % 16 == 0)
			commit(&b);
	}
	commit(&b);
	stop(&b, c->name, c->nr);
	end(&b);
}

static void bench_alloc_when_nearly_full(const struct bench_case *c)
{
	unsigned long i;
	struct bench b;
	pd_block_t d;

	begin(&b);
	must(pd_sm_inc(b.data, 0, NR_DATA));
	commit(&b);
	/* One block in a hundred is free. */
	for (i = 0; i < NR_DATA; i += 100)
		must(pd_sm_dec(b.data, i, i + 1));
	commit(&b);
	start(&b);
	for (i = 0; i < c->nr; i++) {
		must(pd_sm_alloc(b.data, &d));
		if (i % PER_COMMIT == PER_COMMIT - 1)
			commit(&b);
	}
	stop(&b, c->name, c->nr);
	end(&b);
}

/* ---- counts alone: what the metadata lock is held for ---- */

static void count_up(struct bench *b, const struct bench_case *c, u32 nr)
{
	pd_block_t d, step = c->random ? 97 : c->run;

	while (nr--)
		for (d = 0; d < c->nr * step / c->run; d += step)
			must(pd_sm_inc(b->data, d, d + c->run));
}

static void count_down(struct bench *b, const struct bench_case *c)
{
	pd_block_t d, step = c->random ? 97 : c->run;

	for (d = 0; d < c->nr * step / c->run; d += step)
		must(pd_sm_dec(b->data, d, d + c->run));
}

static void stop_phase(struct bench *b, const struct bench_case *c,
		       const char *phase)
{
	char name[64];

	snprintf(name, sizeof(name), "%s: %s", c->name, phase);
	stop(b, name, c->nr);
	start(b);
}

/* Counts that go down by one in one transaction, from @from. */
static void count_phases(const struct bench_case *c, u32 from)
{
	unsigned char root[32];
	struct bench b;

	begin(&b);
	count_up(&b, c, from);
	commit(&b);
	start(&b);
	count_down(&b, c);
	stop_phase(&b, c, "change");
	must(pd_sm_close(b.data, root));
	must(pd_tm_close(b.tm, root));
	stop_phase(&b, c, "close");
	must(pd_bm_flush(b.bm));
	start(&b);
	pd_sm_complete(b.data);
	pd_tm_complete(b.tm);
	stop_phase(&b, c, "complete");
	end(&b);
}

static void bench_drop_one(const struct bench_case *c)
{
	count_phases(c, 1);
}

static void bench_drop_many(const struct bench_case *c)
{
	count_phases(c, 5);
}

/* Counts that leave the overflow tree. */
static void bench_drop_three(const struct bench_case *c)
{
	count_phases(c, 3);
}

/* Closing and completing, without the writes that belong between them. */
static void bench_small_commits(const struct bench_case *c)
{
	unsigned char root[32];
	struct bench b;
	unsigned long i;
	pd_block_t d;

	begin_with(&b, c->run * PER_BITMAP);
	start(&b);
	for (i = 0; i < c->nr; i++) {
		must(pd_sm_alloc(b.data, &d));
		must(pd_sm_close(b.data, root));
		must(pd_tm_close(b.tm, root));
		pd_sm_complete(b.data);
		pd_tm_complete(b.tm);
	}
	stop(&b, c->name, c->nr);
	end(&b);
}

static const struct bench_case cases[] = {
	{ "insert, sequential", bench_inserts, 500000, 1, false },
	{ "insert, random", bench_inserts, 200000, 1, true },
	{ "insert runs of 16, sequential", bench_inserts, 1000000, 16, false },
	{ "insert runs of 16, random", bench_inserts, 500000, 16, true },
	{ "insert runs of 128, sequential", bench_inserts, 1000000, 128,
	  false },
	{ "look up, sequential", bench_lookups, 1000000, 1, false },
	{ "look up, random", bench_lookups, 1000000, 1, true },
	{ "break sharing, sequential", bench_breaking, 200000, 1, false },
	{ "break sharing, random", bench_breaking, 50000, 1, true },
	{ "remove range", bench_remove, 1000000, 1, false },
	{ "drop one, neighbours", bench_drop_one, 1008000, 252, false },
	{ "drop one, scattered", bench_drop_one, 40000, 1, true },
	{ "drop many, neighbours", bench_drop_many, 302400, 252, false },
	{ "drop many, scattered", bench_drop_many, 40000, 1, true },
	{ "drop three, neighbours", bench_drop_three, 302400, 252, false },
	{ "drop three, scattered", bench_drop_three, 40000, 1, true },
	{ "commit one block, 1 bitmap", bench_small_commits, 2000, 1, false },
	{ "commit one block, 20000 bitmaps", bench_small_commits, 2000, 20000,
	  false },
	{ "allocate, 1 % free", bench_alloc_when_nearly_full, 30000, 1, true },
};

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (strstr(cases[i].name, wanted))
			cases[i].fn(&cases[i]);
	return 0;
}
