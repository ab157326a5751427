// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Questions about mappings: the answers are those of look-ups one by one, of the
 * counts that follow from them, and of thin_dump and thin_delta; nothing is read
 * while the lock is held, and little at all; stamps change with the mappings.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metadata/metadata.h"

#include <cmocka.h>

#define NR_BLOCKS	3100	/* virtual blocks looked at */
#define NR_DATA		60000
#define MAX_DEVS	20

/* ---- a store that objects to reads under the metadata lock ---- */

static struct {
	struct md_env *e;
	const struct pd_block_io_ops *store;
	struct pd_block_io_ops ops;
	unsigned long nr_waits;
} watched;

static int watched_read(struct pd_block_io *io, pd_block_t b, void **handle,
			void **data, struct pd_buffer_aux **aux)
{
	md_insist(!"reads while the lock is held");
	return -EIO;
}

static int watched_wait(struct pd_block_io *io, pd_block_t b)
{
	md_insist(!lockdep_is_held(&watched.e->md->lock));
	watched.nr_waits++;
	return watched.store->wait(io, b);
}

static void watch(struct md_env *e)
{
	watched.e = e;
	watched.store = e->io->ops;
	watched.ops = *e->io->ops;
	watched.ops.read = watched_read;
	watched.ops.wait = watched_wait;
	e->io->ops = &watched.ops;
}

static void unwatch(struct md_env *e)
{
	e->io->ops = watched.store;
}

/* ---- asking ---- */

typedef int (*step_fn)(struct thinx_md *md, struct thinx_md_query *q);

/* One step that gets somewhere. */
static int step(struct md_env *e, step_fn fn, struct thinx_md_query *q)
{
	int r;

	do {
		u64 from = q->from;

		r = fn(e->md, q);
		md_insist(r || q->done || q->from > from);
		if (r == -EAGAIN)
			md_insist(!thinx_md_wait(e->md, q->missing));
	} while (r == -EAGAIN);
	return r;
}

struct answer {
	struct thinx_md_range *ranges;
	u32 nr;
	u64 nr_own;
	u32 nr_nodes, most_nodes;
	struct thinx_md_stamp stamp[2];
	u64 mapped[2];
};

/* Neighbours that are alike become one. */
static void add(struct answer *a, const struct thinx_md_range *range)
{
	struct thinx_md_range *last = a->nr ? &a->ranges[a->nr - 1] : NULL;

	md_insist(range->begin < range->end);
	md_insist(!last || last->end <= range->begin);
	if (last && last->kind == range->kind && last->end == range->begin &&
	    last->data_begin + (last->end - last->begin) == range->data_begin) {
		last->end = range->end;
		return;
	}
	if (!(a->nr & (a->nr - 1)))
		a->ranges = realloc(a->ranges, 2 * (a->nr + 1) * sizeof(*range));
	a->ranges[a->nr++] = *range;
}

static struct answer ask(struct md_env *e, step_fn fn, u32 a, u32 b, u64 from)
{
	struct thinx_md_query *q = calloc(1, sizeof(*q));
	struct answer answer = { 0 };
	u32 i;

	q->id[0] = a;
	q->id[1] = b;
	q->from = from;
	while (!q->done) {
		md_insist(!step(e, fn, q));
		for (i = 0; i < q->nr; i++)
			add(&answer, &q->ranges[i]);
		answer.nr_own += q->nr_own;
		answer.nr_nodes += q->nr_nodes;
		if (answer.most_nodes < q->nr_nodes)
			answer.most_nodes = q->nr_nodes;
		memcpy(answer.stamp, q->stamp, sizeof(q->stamp));
		memcpy(answer.mapped, q->mapped, sizeof(q->mapped));
	}
	free(q);
	return answer;
}

static int ask_error(struct md_env *e, step_fn fn, u32 a, u32 b)
{
	struct thinx_md_query *q = calloc(1, sizeof(*q));
	int r;

	q->id[0] = a;
	q->id[1] = b;
	r = step(e, fn, q);
	free(q);
	return r;
}

static struct thinx_md_stamp stamp_of(struct md_env *e, u32 id)
{
	struct answer a = ask(e, thinx_md_query_usage, id, 0, 0);

	free(a.ranges);
	return a.stamp[0];
}

static bool same_stamp(struct thinx_md_stamp a, struct thinx_md_stamp b)
{
	return a.instance == b.instance && a.change == b.change;
}

/* ---- the model: look-ups one by one ---- */

struct model {
	struct md_env *e;
	bool exists[MAX_DEVS];
	thinx_word_t map[MAX_DEVS][NR_BLOCKS];
	u32 users[NR_DATA];	/* devices that map it */
};

struct take {
	thinx_word_t *map;
	u64 next;
	bool last;
};

static void take_leaf(void *context, const struct thinx_md_leaf *l)
{
	struct take *t = context;
	const __le64 *keys = l->keys, *values = l->values;
	u32 i;

	for (i = 0; i < l->nr; i++) {
		md_insist(le64_to_cpu(keys[i]) < NR_BLOCKS);
		t->map[le64_to_cpu(keys[i])] = le64_to_cpu(values[i]);
	}
	t->next = l->end;
	t->last = !l->end;
}

static void learn(struct model *m, struct md_env *e)
{
	u32 id, v;

	memset(m, 0, sizeof(*m));
	m->e = e;
	for (id = 0; id < MAX_DEVS; id++) {
		struct take t = { .map = m->map[id] };
		struct thinx_md_dev *dev;

		for (v = 0; v < NR_BLOCKS; v++)
			m->map[id][v] = THINX_WORD_HOLE;
		if (thinx_md_open_device(e->md, id, &dev))
			continue;
		m->exists[id] = true;
		while (!t.last)
			md_insist(!thinx_md_lookup(dev, t.next, take_leaf, &t));
		thinx_md_close_device(dev);
		for (v = 0; v < NR_BLOCKS; v++)
			if (m->map[id][v] != THINX_WORD_HOLE)
				m->users[thinx_mapping_block(m->map[id][v])]++;
	}
}

static void check_map(struct model *m, u32 id, u64 from, bool sharing)
{
	struct answer a = ask(m->e, thinx_md_query_map, id, 0, from);
	u64 next = from, v, nr_mapped = 0;
	u32 i;

	for (v = 0; v < NR_BLOCKS; v++)
		nr_mapped += m->map[id][v] != THINX_WORD_HOLE;
	assert_int_equal(a.mapped[0], nr_mapped);
	for (i = 0; i < a.nr; i++) {
		struct thinx_md_range *r = &a.ranges[i];

		for (; next < r->begin; next++)
			assert_true(m->map[id][next] == THINX_WORD_HOLE);
		for (; next < r->end; next++) {
			thinx_dblock_t d = thinx_mapping_block(m->map[id][next]);

			assert_true(m->map[id][next] != THINX_WORD_HOLE);
			assert_true(d == r->data_begin + (next - r->begin));
			if (sharing)
				assert_int_equal(r->kind, m->users[d] > 1 ?
						 THINX_MD_SHARED : THINX_MD_OWN);
		}
	}
	for (; next < NR_BLOCKS; next++)
		assert_true(m->map[id][next] == THINX_WORD_HOLE);
	free(a.ranges);
}

static enum thinx_md_kind kind_at(const struct model *m, u32 l, u32 r, u64 v)
{
	thinx_word_t a = m->map[l][v], b = m->map[r][v];

	if (a == THINX_WORD_HOLE || b == THINX_WORD_HOLE)
		return a != THINX_WORD_HOLE ? THINX_MD_LEFT_ONLY :
		       b != THINX_WORD_HOLE ? THINX_MD_RIGHT_ONLY : THINX_MD_SAME;
	return thinx_mapping_block(a) == thinx_mapping_block(b) ?
	       THINX_MD_SAME : THINX_MD_DIFFERENT;
}

static void check_delta(struct model *m, u32 l, u32 r, u64 from)
{
	struct answer a = ask(m->e, thinx_md_query_delta, l, r, from);
	u64 next = from, v;
	u32 i;

	for (i = 0; i < a.nr; i++) {
		assert_true(a.ranges[i].begin == next);
		for (; next < a.ranges[i].end; next++)
			assert_int_equal(a.ranges[i].kind,
					 kind_at(m, l, r, next));
	}
	/* It ends right behind the last mapping of either. */
	for (v = next; v < NR_BLOCKS; v++)
		assert_true(m->map[l][v] == THINX_WORD_HOLE &&
			    m->map[r][v] == THINX_WORD_HOLE);
	assert_true(next == from || m->map[l][next - 1] != THINX_WORD_HOLE ||
		    m->map[r][next - 1] != THINX_WORD_HOLE);
	free(a.ranges);
}

static void check_usage(struct model *m, u32 id)
{
	struct answer a = ask(m->e, thinx_md_query_usage, id, 0, 0);
	u64 nr_own = 0;
	u32 v;

	for (v = 0; v < NR_BLOCKS; v++)
		nr_own += m->map[id][v] != THINX_WORD_HOLE &&
			  m->users[thinx_mapping_block(m->map[id][v])] == 1;
	assert_int_equal(a.nr_own, nr_own);
	free(a.ranges);
}

/* ---- random pools ---- */

/* A bit of everything; returns how many ids were used. */
static void workload(struct md_env *e, u64 *rng, int nr_ops)
{
	int i;

	for (i = 0; i < nr_ops; i++) {
		u32 id = md_rnd(rng) % MAX_DEVS, origin = md_rnd(rng) % MAX_DEVS;
		u64 v = md_rnd(rng) % 3000;
		struct thinx_md_dev *dev;
		int r;

		if (md_rnd(rng) % 12 == 0) {
			r = md_rnd(rng) % 4 ?
			    thinx_md_create_snap(e->md, id, origin) :
			    thinx_md_create_thin(e->md, id);
			md_insist(!r || r == -ENODATA || r == -EEXIST);
			continue;
		}
		if (md_rnd(rng) % 100 == 0) {
			r = thinx_md_delete(e->md, id);
			md_insist(!r || r == -ENODATA);
			continue;
		}
		if (md_rnd(rng) % 30 == 0)
			md_commit(e);
		if (thinx_md_open_device(e->md, id, &dev))
			continue;
		if (md_rnd(rng) % 4)
			md_map(e, dev, v, md_rnd(rng) % 100 + 1);
		else
			md_unmap(e, dev, v, v + md_rnd(rng) % 60);
		thinx_md_close_device(dev);
	}
}

static void check_all(struct model *m, struct md_env *e, u64 *rng, bool sharing)
{
	u32 id, n;

	learn(m, e);
	watch(e);
	for (id = 0; id < MAX_DEVS; id++) {
		if (!m->exists[id]) {
			assert_int_equal(ask_error(e, thinx_md_query_map, id, 0),
					 -ENODATA);
			continue;
		}
		check_map(m, id, md_rnd(rng) % 2 ? 0 : md_rnd(rng) % NR_BLOCKS,
			  sharing);
		if (sharing)
			check_usage(m, id);
		for (n = 0; n < 4; n++) {
			u32 other = md_rnd(rng) % MAX_DEVS;

			if (m->exists[other])
				check_delta(m, id, other, md_rnd(rng) % 2 ? 0 :
					    md_rnd(rng) % NR_BLOCKS);
		}
	}
	unwatch(e);
}

static void test_answers_are_those_of_lookups(void **state)
{
	struct model *m = malloc(sizeof(*m));
	struct md_env e;
	u64 seed, rng;
	int i;

	for (seed = 1; seed <= 12; seed++) {
		rng = seed;
		md_begin(&e, 4096, NR_DATA);
		for (i = 0; i < 4; i++) {
			workload(&e, &rng, 150);
			/* Half of the time with much that is not committed. */
			if (md_rnd(&rng) % 2)
				md_commit(&e);
			if (md_rnd(&rng) % 2)
				ram_store_shake(e.io, seed, 40);
			check_all(m, &e, &rng, true);
			ram_store_shake(e.io, seed, 0);
		}
		md_commit(&e);
		/* A metadata snapshot is one more user of what has not changed. */
		assert_int_equal(thinx_md_reserve_snap(e.md), 0);
		md_commit(&e);
		workload(&e, &rng, 50);
		check_all(m, &e, &rng, false);
		assert_int_equal(thinx_md_release_snap(e.md), 0);
		md_commit(&e);
		check_all(m, &e, &rng, true);
		md_end(&e);
	}
	free(m);
}

/* Counts of three or more, from which an open transaction took some away. */
static void test_what_is_shared_follows_from_large_counts_too(void **state)
{
	struct model *m = malloc(sizeof(*m));
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 rng = 5;
	u32 id;

	md_begin(&e, 2048, NR_DATA);
	dev = md_create(&e, 0);
	md_map(&e, dev, 0, 300);
	for (id = 1; id < 6; id++) {
		struct thinx_md_dev *snap;

		assert_int_equal(thinx_md_create_snap(e.md, id, 0), 0);
		/* So that the leaves are copied and the blocks counted. */
		snap = md_open(&e, id);
		md_map(&e, snap, 290, 10);
		md_map(&e, snap, 0, 1);
		thinx_md_close_device(snap);
	}
	md_commit(&e);
	for (id = 1; id < 6; id++) {
		struct thinx_md_dev *snap = md_open(&e, id);

		md_unmap(&e, snap, 100, 200);
		thinx_md_close_device(snap);
		ram_store_evict(e.io);
		check_all(m, &e, &rng, true);
	}
	thinx_md_close_device(dev);
	md_end(&e);
	free(m);
}

static void test_usage_is_what_deleting_frees(void **state)
{
	struct md_env e;
	u64 seed, rng;
	u32 id;

	for (seed = 21; seed <= 26; seed++) {
		rng = seed;
		md_begin(&e, 4096, NR_DATA);
		workload(&e, &rng, 400);
		if (seed % 2) {
			assert_int_equal(thinx_md_reserve_snap(e.md), 0);
			workload(&e, &rng, 50);
		}
		md_commit(&e);
		for (id = 0; id < MAX_DEVS; id++) {
			struct thinx_md_space before, after;
			struct answer a;

			if (ask_error(&e, thinx_md_query_usage, id, 0))
				continue;
			a = ask(&e, thinx_md_query_usage, id, 0, 0);
			thinx_md_get_space(e.md, &before);
			assert_int_equal(thinx_md_delete(e.md, id), 0);
			md_commit(&e);
			thinx_md_get_space(e.md, &after);
			assert_int_equal(before.data_used - after.data_used,
					 a.nr_own);
		}
		md_end(&e);
	}
}

/* ---- the tools ---- */

static void write_map(FILE *f, struct md_env *e, u32 id)
{
	struct answer a = ask(e, thinx_md_query_map, id, 0, 0);
	u64 v;
	u32 i;

	for (i = 0; i < a.nr; i++)
		for (v = a.ranges[i].begin; v < a.ranges[i].end; v++)
			fprintf(f, "%u %llu %llu\n", id, (unsigned long long)v,
				(unsigned long long)(a.ranges[i].data_begin + v -
						     a.ranges[i].begin));
	free(a.ranges);
}

static void write_delta(FILE *f, struct md_env *e, u32 l, u32 r)
{
	static const char *const words[] = {
		[THINX_MD_SAME] = "same",
		[THINX_MD_DIFFERENT] = "different",
		[THINX_MD_LEFT_ONLY] = "left_only",
		[THINX_MD_RIGHT_ONLY] = "right_only",
	};
	struct answer a = ask(e, thinx_md_query_delta, l, r, 0);
	u32 i;

	for (i = 0; i < a.nr; i++)
		if (a.ranges[i].kind != THINX_MD_SAME)
			fprintf(f, "%s %llu %llu\n", words[a.ranges[i].kind],
				(unsigned long long)a.ranges[i].begin,
				(unsigned long long)(a.ranges[i].end -
						     a.ranges[i].begin));
	free(a.ranges);
}

/* thin_dump's mappings as "device block data block". */
static const char dump_to_text[] =
"import sys, xml.etree.ElementTree as E\n"
"for d in E.parse(sys.argv[1]).getroot().iter('device'):\n"
"  for m in d:\n"
"    n = int(m.get('length', 1))\n"
"    b = int(m.get('origin_begin', m.get('origin_block', 0)))\n"
"    t = int(m.get('data_begin', m.get('data_block', 0)))\n"
"    for i in range(n): print(d.get('dev_id'), b + i, t + i)\n";

/* thin_delta's runs that are not the same, neighbours joined. */
static const char delta_to_text[] =
"import sys, xml.etree.ElementTree as E\n"
"last = None\n"
"for m in E.parse(sys.argv[1]).getroot().find('diff'):\n"
"  if m.tag == 'same': continue\n"
"  b, n = int(m.get('begin')), int(m.get('length'))\n"
"  if last and last[0] == m.tag and last[1] + last[2] == b: last[2] += n\n"
"  else:\n"
"    if last: print(*last)\n"
"    last = [m.tag, b, n]\n"
"if last: print(*last)\n";

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	md_insist(f && fputs(text, f) >= 0 && !fclose(f));
}

static void test_answers_are_those_of_the_tools(void **state)
{
	const char *image = md_tmp("image"), *xml = md_tmp("xml");
	const char *ours = md_tmp("ours"), *theirs = md_tmp("theirs");
	const char *map_py = md_tmp("map.py"), *delta_py = md_tmp("delta.py");
	struct ram_image *img;
	struct md_env e;
	u64 seed, rng;
	u32 id, n, nr_deltas = 0;
	FILE *f;

	if (!md_have("thin_dump") || !md_have("thin_delta") || !md_have("python3"))
		skip();
	write_text(map_py, dump_to_text);
	write_text(delta_py, delta_to_text);
	for (seed = 31; seed <= 34; seed++) {
		rng = seed;
		md_begin(&e, 4096, NR_DATA);
		workload(&e, &rng, 500);
		md_commit(&e);
		img = ram_store_image(e.io);
		md_insist(!ram_image_save(img, image));
		ram_image_destroy(img);

		md_insist(!md_shell("PATH=$PATH:/usr/sbin thin_dump %s >%s && python3 %s %s >%s",
				    image, xml, map_py, xml, theirs));
		f = fopen(ours, "w");
		for (id = 0; id < MAX_DEVS; id++)
			if (!ask_error(&e, thinx_md_query_map, id, 0))
				write_map(f, &e, id);
		fclose(f);
		assert_int_equal(md_shell("cmp %s %s", ours, theirs), 0);

		for (n = 0; n < 40; n++) {
			u32 l = md_rnd(&rng) % MAX_DEVS, r = md_rnd(&rng) % MAX_DEVS;

			if (l == r || ask_error(&e, thinx_md_query_delta, l, r))
				continue;
			md_insist(!md_shell("PATH=$PATH:/usr/sbin thin_delta --snap1 %u --snap2 %u %s >%s && python3 %s %s >%s",
					    l, r, image, xml, delta_py, xml,
					    theirs));
			f = fopen(ours, "w");
			write_delta(f, &e, l, r);
			fclose(f);
			assert_int_equal(md_shell("cmp %s %s", ours, theirs), 0);
			nr_deltas++;
		}
		md_end(&e);
	}
	assert_true(nr_deltas > 10);
}

/* ---- how much is read, and how long the lock is held ---- */

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

#define LARGE (4ULL << 20)

static void make_large(struct md_env *e)
{
	struct thinx_md_dev *dev;
	u64 v;

	md_begin(e, 70000, LARGE + 100000);
	dev = md_create(e, 1);
	for (v = 0; v < LARGE; v += 65536) {
		md_map(e, dev, v, 65536);
		md_commit(e);
	}
	thinx_md_close_device(dev);
	md_insist(!thinx_md_create_snap(e->md, 2, 1));
	md_commit(e);
}

static void test_time_goes_with_what_changed(void **state)
{
	unsigned long nr_reads;
	struct thinx_md_dev *dev;
	struct answer a;
	struct md_env e;
	double ms;
	u32 i;

	make_large(&e);
	/* 1000 blocks in 500 places. */
	dev = md_open(&e, 1);
	for (i = 0; i < 500; i++)
		md_map(&e, dev, i * (LARGE / 500), 2);
	thinx_md_close_device(dev);
	md_commit(&e);

	ram_store_evict(e.io);
	watch(&e);
	watched.nr_waits = 0;
	nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	a = ask(&e, thinx_md_query_delta, 2, 1, 0);
	nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ) - nr_reads;
	assert_int_equal(a.nr, 1000);
	for (i = 0; i < a.nr; i++)
		assert_int_equal(a.ranges[i].kind, i % 2 ? THINX_MD_SAME :
				 THINX_MD_DIFFERENT);
	assert_true(a.ranges[a.nr - 1].end == LARGE);
	free(a.ranges);
	print_message("delta of 1000 blocks of 4 Mi: %lu reads, %lu waits, %u nodes, %u in a step\n",
		      nr_reads, watched.nr_waits, a.nr_nodes, a.most_nodes);
	assert_true(nr_reads <= 2000);
	assert_true(watched.nr_waits < nr_reads / 4);
	assert_true(a.most_nodes < 40);

	ms = now_ms();
	a = ask(&e, thinx_md_query_delta, 2, 1, 0);
	ms = now_ms() - ms;
	free(a.ranges);
	print_message("again, cached: %.1f ms\n", ms);

	/* Of a snapshot hardly anything is its own; usage skips the rest. */
	ram_store_evict(e.io);
	nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ);
	a = ask(&e, thinx_md_query_usage, 1, 0, 0);
	nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ) - nr_reads;
	assert_int_equal(a.nr_own, 1000);
	assert_int_equal(a.mapped[0], LARGE);
	print_message("usage: %lu reads\n", nr_reads);
	assert_true(nr_reads <= 2000);
	free(a.ranges);

	ms = now_ms();
	a = ask(&e, thinx_md_query_map, 1, 0, 0);
	ms = now_ms() - ms;
	print_message("map of 4 Mi blocks: %.1f ms, %u ranges, %u nodes in a step\n",
		      ms, a.nr, a.most_nodes);
	assert_true(a.most_nodes < 40);
	free(a.ranges);
	unwatch(&e);
	md_close(&e);
}

/* ---- stamps ---- */

/* It is another one than *@old, and is remembered. */
static bool stamp_changed(struct md_env *e, u32 id, struct thinx_md_stamp *old)
{
	struct thinx_md_stamp now = stamp_of(e, id);
	bool changed = !same_stamp(*old, now);

	*old = now;
	return changed;
}

static void test_a_stamp_changes_with_the_mappings(void **state)
{
	struct thinx_md_stamp old, other;
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 1024, 1000);
	dev = md_create(&e, 1);
	md_insist(!thinx_md_create_thin(e.md, 2));
	md_commit(&e);
	other = stamp_of(&e, 2);
	old = stamp_of(&e, 1);
	assert_true(same_stamp(old, stamp_of(&e, 1)));

	md_map(&e, dev, 5, 1);
	assert_true(stamp_changed(&e, 1, &old));
	/* The same generation. */
	md_map(&e, dev, 6, 1);
	assert_true(stamp_changed(&e, 1, &old));
	md_map(&e, dev, 5, 1);
	assert_true(stamp_changed(&e, 1, &old));
	md_unmap(&e, dev, 6, 7);
	assert_true(stamp_changed(&e, 1, &old));
	md_commit(&e);
	assert_true(same_stamp(old, stamp_of(&e, 1)));
	/* An abort takes back what was seen. */
	md_map(&e, dev, 7, 1);
	assert_true(stamp_changed(&e, 1, &old));
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(stamp_changed(&e, 1, &old));
	/* It outlives the object. */
	md_map(&e, dev, 8, 1);
	assert_true(stamp_changed(&e, 1, &old));
	thinx_md_close_device(dev);
	assert_true(same_stamp(old, stamp_of(&e, 1)));
	md_commit(&e);
	assert_null(xa_load(&e.md->devices, 1));
	assert_true(same_stamp(old, stamp_of(&e, 1)));
	dev = md_open(&e, 1);
	assert_true(same_stamp(old, stamp_of(&e, 1)));
	md_map(&e, dev, 8, 1);
	assert_true(stamp_changed(&e, 1, &old));
	thinx_md_close_device(dev);
	md_commit(&e);
	/* Another device with the same id. */
	md_insist(!thinx_md_delete(e.md, 1) && !thinx_md_create_thin(e.md, 1));
	assert_true(stamp_changed(&e, 1, &old));
	/* Deleted and back: as any abort. */
	md_commit(&e);
	md_insist(!thinx_md_delete(e.md, 1));
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_true(stamp_changed(&e, 1, &old));
	/* Another life. */
	md_crash(&e);
	assert_true(stamp_changed(&e, 1, &old));
	assert_false(other.instance == stamp_of(&e, 2).instance);
	md_end(&e);
}

static void test_what_others_do_leaves_a_stamp_alone(void **state)
{
	struct thinx_md_dev *dev;
	struct thinx_md_stamp old;
	struct md_env e;
	u32 i;

	md_begin(&e, 1024, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 5, 10);
	md_insist(!thinx_md_create_snap(e.md, 2, 1));
	md_commit(&e);
	old = stamp_of(&e, 2);
	for (i = 0; i < 20; i++) {
		md_map(&e, dev, i, 5);
		md_unmap(&e, dev, 0, i);
		md_commit(&e);
		md_insist(!thinx_md_create_snap(e.md, 10 + i, 1));
		if (i % 3)
			md_insist(!thinx_md_delete(e.md, 10 + i));
		assert_true(same_stamp(old, stamp_of(&e, 2)));
	}
	thinx_md_close_device(dev);
	md_end(&e);
}

/* ---- at the edges ---- */

static void test_errors_and_edges(void **state)
{
	struct thinx_md_dev *dev;
	struct answer a;
	struct md_env e;

	md_begin(&e, 1024, 10000);
	dev = md_create(&e, 1);
	md_insist(!thinx_md_create_thin(e.md, 2));
	/* Nothing is mapped. */
	a = ask(&e, thinx_md_query_map, 1, 0, 0);
	assert_int_equal(a.nr, 0);
	a = ask(&e, thinx_md_query_delta, 1, 2, 0);
	assert_int_equal(a.nr, 0);
	a = ask(&e, thinx_md_query_usage, 1, 0, 0);
	assert_int_equal(a.nr_own, 0);
	md_map(&e, dev, 1ULL << 40, 2000);
	/* From the middle, the end, behind it, and as far as there is. */
	a = ask(&e, thinx_md_query_map, 1, 0, (1ULL << 40) + 1000);
	assert_int_equal(a.nr, 1);
	assert_true(a.ranges[0].begin == (1ULL << 40) + 1000);
	assert_true(a.ranges[0].end == (1ULL << 40) + 2000);
	free(a.ranges);
	a = ask(&e, thinx_md_query_map, 1, 0, (1ULL << 40) + 2000);
	assert_int_equal(a.nr, 0);
	a = ask(&e, thinx_md_query_map, 1, 0, U64_MAX);
	assert_int_equal(a.nr, 0);
	a = ask(&e, thinx_md_query_delta, 1, 2, U64_MAX);
	assert_int_equal(a.nr, 0);
	a = ask(&e, thinx_md_query_usage, 1, 0, U64_MAX);
	assert_int_equal(a.nr_own, 0);
	/* With itself. */
	a = ask(&e, thinx_md_query_delta, 1, 1, 5);
	assert_int_equal(a.nr, 1);
	assert_int_equal(a.ranges[0].kind, THINX_MD_SAME);
	assert_true(a.ranges[0].end == (1ULL << 40) + 2000);
	free(a.ranges);

	assert_int_equal(ask_error(&e, thinx_md_query_map, 3, 0), -ENODATA);
	assert_int_equal(ask_error(&e, thinx_md_query_map, U32_MAX, 0), -ENODATA);
	assert_int_equal(ask_error(&e, thinx_md_query_usage, 3, 0), -ENODATA);
	assert_int_equal(ask_error(&e, thinx_md_query_delta, 1, 3), -ENODATA);
	assert_int_equal(ask_error(&e, thinx_md_query_delta, 3, 1), -ENODATA);
	/* Read-only is no obstacle; nothing is changed. */
	md_commit(&e);
	thinx_md_set_read_only(e.md);
	a = ask(&e, thinx_md_query_map, 1, 0, 0);
	assert_int_equal(a.nr, 1);
	free(a.ranges);
	assert_false(thinx_md_is_dirty(e.md));
	thinx_md_set_read_write(e.md);
	/* A query keeps nobody from deleting. */
	thinx_md_close_device(dev);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(ask_error(&e, thinx_md_query_map, 1, 0), -ENODATA);
	thinx_md_fail(e.md);
	assert_int_equal(ask_error(&e, thinx_md_query_map, 2, 0), -ENODEV);
	md_close(&e);
}

/* Each is found by its path alone, and without an object. */
static void test_ten_thousand_devices_are_no_more_work(void **state)
{
	unsigned long nr_reads;
	struct answer a;
	struct md_env e;
	u32 id;

	md_begin(&e, 24000, 40000);
	for (id = 0; id < 10000; id++) {
		struct thinx_md_dev *dev = md_create(&e, id * 1600);

		md_map(&e, dev, id, 2);
		thinx_md_close_device(dev);
		if (id % 500 == 0)
			md_commit(&e);
	}
	md_commit(&e);
	watch(&e);
	for (id = 0; id < 10000; id += 7) {
		ram_store_evict(e.io);
		nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ);
		a = ask(&e, thinx_md_query_map, id * 1600, 0, 0);
		nr_reads = ram_store_nr_ops(e.io, RAM_OP_READ) - nr_reads;
		assert_int_equal(a.nr, 1);
		assert_int_equal(a.ranges[0].begin, id);
		assert_int_equal(a.ranges[0].kind, THINX_MD_OWN);
		assert_int_equal(a.mapped[0], 2);
		free(a.ranges);
		/* Details, devices, a leaf, bitmaps of nodes and of data. */
		assert_true(nr_reads <= 12);
		a = ask(&e, thinx_md_query_delta, id * 1600,
			(id + 1) % 10000 * 1600, 0);
		assert_int_equal(a.ranges[a.nr - 1].kind, id < 9999 ?
				 THINX_MD_RIGHT_ONLY : THINX_MD_LEFT_ONLY);
		free(a.ranges);
	}
	assert_true(xa_empty(&e.md->devices));
	unwatch(&e);
	md_end(&e);
}

/* ---- the list of devices ---- */

#define MAX_LISTED	3000

/* All of them from @from on; how many. */
static u32 list_devices(struct md_env *e, u64 from,
			struct thinx_md_device_info *list)
{
	struct thinx_md_query *q = calloc(1, sizeof(*q));
	u32 nr = 0, i;

	q->from = from;
	while (!q->done) {
		md_insist(!step(e, thinx_md_query_devices, q));
		md_insist(q->nr <= THINX_MD_QUERY_RANGES);
		for (i = 0; i < q->nr; i++) {
			md_insist(nr < MAX_LISTED && q->devices[i].id >= from);
			md_insist(!nr || list[nr - 1].id < q->devices[i].id);
			list[nr++] = q->devices[i];
		}
	}
	free(q);
	return nr;
}

/* The same devices as in the model, with as many mappings. */
static void check_list(struct model *m)
{
	static struct thinx_md_device_info list[MAX_LISTED];
	u32 nr = list_devices(m->e, 0, list), i = 0, id, v;

	for (id = 0; id < MAX_DEVS; id++) {
		u64 nr_mapped = 0;

		if (!m->exists[id])
			continue;
		for (v = 0; v < NR_BLOCKS; v++)
			nr_mapped += m->map[id][v] != THINX_WORD_HOLE;
		assert_true(i < nr);
		assert_int_equal(list[i].id, id);
		assert_int_equal(list[i].mapped, nr_mapped);
		assert_false(list[i].in_use);
		assert_false(list[i].deleting);
		i++;
	}
	assert_int_equal(i, nr);
}

static void test_the_list_has_every_device(void **state)
{
	struct model *m = malloc(sizeof(*m));
	struct md_env e;
	u64 seed, rng;
	int i;

	for (seed = 1; seed <= 8; seed++) {
		rng = seed;
		md_begin(&e, 4096, NR_DATA);
		for (i = 0; i < 4; i++) {
			workload(&e, &rng, 150);
			if (md_rnd(&rng) % 2)
				md_commit(&e);
			learn(m, &e);
			watch(&e);
			check_list(m);
			unwatch(&e);
		}
		md_end(&e);
	}
	free(m);
}

static void test_the_list_of_many_devices(void **state)
{
	static struct thinx_md_device_info list[MAX_LISTED];
	struct md_env e;
	u32 id, nr;

	md_begin(&e, 8192, 1000);
	assert_int_equal(list_devices(&e, 0, list), 0);
	for (id = 0; id < 2000; id++)
		md_insist(!thinx_md_create_thin(e.md, 3 * id));
	md_insist(!thinx_md_create_thin(e.md, THINX_DEV_ID_MAX));
	/* Without objects, and from the device. */
	md_commit(&e);
	assert_true(xa_empty(&e.md->devices));
	ram_store_evict(e.io);
	watch(&e);
	assert_int_equal(list_devices(&e, 0, list), 2001);
	for (id = 0; id < 2000; id++)
		assert_int_equal(list[id].id, 3 * id);
	assert_int_equal(list[2000].id, THINX_DEV_ID_MAX);
	/* From a device, from between two, from the last, from behind it. */
	for (id = 0; id < 6000; id += 31) {
		nr = list_devices(&e, id, list);
		assert_int_equal(nr, id < 5998 ? 2001 - (id + 2) / 3 : 1);
		assert_int_equal(list[0].id, id < 5998 ? (id + 2) / 3 * 3 :
				 THINX_DEV_ID_MAX);
	}
	assert_int_equal(list_devices(&e, THINX_DEV_ID_MAX, list), 1);
	assert_int_equal(list_devices(&e, THINX_DEV_ID_MAX + 1ULL, list), 0);
	assert_int_equal(list_devices(&e, U64_MAX, list), 0);
	unwatch(&e);
	md_end(&e);
}

static void test_the_list_tells_of_each_device(void **state)
{
	struct thinx_md_device_info list[4];
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 1024, 1000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 5, 3);
	assert_int_equal(thinx_md_set_transaction_id(e.md, 0, 7), 0);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	/* What no tree says yet. */
	md_map(&e, dev, 50, 1);
	assert_int_equal(list_devices(&e, 0, list), 2);
	assert_int_equal(list[0].mapped, 4);
	assert_true(list[0].in_use);
	assert_int_equal(list[0].transaction_id, 0);
	assert_int_equal(list[0].creation_time, 0);
	assert_int_equal(list[0].snapshotted_time, 1);
	assert_int_equal(list[1].id, 2);
	assert_int_equal(list[1].mapped, 3);
	assert_false(list[1].in_use);
	assert_int_equal(list[1].transaction_id, 7);
	assert_int_equal(list[1].creation_time, 1);
	assert_int_equal(list[1].snapshotted_time, 1);
	/* A device that an abort undid is gone, though somebody has it open. */
	thinx_md_close_device(dev);
	md_commit(&e);
	dev = md_create(&e, 3);
	assert_int_equal(list_devices(&e, 0, list), 3);
	assert_int_equal(thinx_md_abort(e.md), 0);
	assert_int_equal(list_devices(&e, 0, list), 2);
	assert_int_equal(list[0].mapped, 4);
	thinx_md_close_device(dev);
	/* In every mode but fail. */
	thinx_md_set_read_only(e.md);
	assert_int_equal(list_devices(&e, 0, list), 2);
	assert_false(thinx_md_is_dirty(e.md));
	thinx_md_fail(e.md);
	assert_int_equal(ask_error(&e, thinx_md_query_devices, 0, 0), -ENODEV);
	md_close(&e);
}

static struct md_env *deleting_in;

static int query_between_steps(void *context)
{
	struct thinx_md_device_info list[2];
	struct md_env *e = deleting_in;

	assert_int_equal(ask_error(e, thinx_md_query_map, 1, 0), -EBUSY);
	assert_int_equal(ask_error(e, thinx_md_query_delta, 2, 1), -EBUSY);
	assert_int_equal(list_devices(e, 0, list), 2);
	assert_true(list[0].deleting && !list[1].deleting);
	++*(int *)context;
	return thinx_md_commit(e->md, NULL);
}

static void test_a_device_being_deleted_is_busy(void **state)
{
	struct thinx_md_dev *dev;
	int nr_commits = 0;
	struct md_env e;
	u64 v;

	md_begin(&e, 8192, 4 << 20);
	md_insist(!thinx_md_create_thin(e.md, 2));
	dev = md_create(&e, 1);
	/* Scattered, so that unmapping is heavy. */
	for (v = 0; v < 40000; v++) {
		md_map(&e, dev, v, 1);
		md_leap(&e, 80, 0);
	}
	thinx_md_close_device(dev);
	md_commit(&e);
	deleting_in = &e;
	assert_int_equal(md_delete_with(e.md, 1, query_between_steps, &nr_commits),
			 0);
	assert_true(nr_commits > 0);
	assert_int_equal(ask_error(&e, thinx_md_query_map, 1, 0), -ENODATA);
	md_end(&e);
}

static void test_a_read_that_fails_is_reported(void **state)
{
	struct thinx_md_query *q = calloc(1, sizeof(*q));
	struct thinx_md_dev *dev;
	struct md_env e;

	md_begin(&e, 1024, 10000);
	dev = md_create(&e, 1);
	md_map(&e, dev, 0, 5000);
	thinx_md_close_device(dev);
	md_commit(&e);
	ram_store_evict(e.io);
	ram_store_fail(e.io, RAM_OP_READ, 0, true);
	q->id[0] = 1;
	assert_int_equal(thinx_md_query_map(e.md, q), -EAGAIN);
	assert_int_equal(thinx_md_wait(e.md, q->missing), -EIO);
	ram_store_fail(e.io, RAM_OP_READ, -1, false);
	assert_int_equal(step(&e, thinx_md_query_map, q), 0);
	assert_true(q->from > 0 && q->nr == 1);
	free(q);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_those_of_lookups),
		cmocka_unit_test(test_what_is_shared_follows_from_large_counts_too),
		cmocka_unit_test(test_usage_is_what_deleting_frees),
		cmocka_unit_test(test_answers_are_those_of_the_tools),
		cmocka_unit_test(test_time_goes_with_what_changed),
		cmocka_unit_test(test_a_stamp_changes_with_the_mappings),
		cmocka_unit_test(test_what_others_do_leaves_a_stamp_alone),
		cmocka_unit_test(test_errors_and_edges),
		cmocka_unit_test(test_ten_thousand_devices_are_no_more_work),
		cmocka_unit_test(test_the_list_has_every_device),
		cmocka_unit_test(test_the_list_of_many_devices),
		cmocka_unit_test(test_the_list_tells_of_each_device),
		cmocka_unit_test(test_a_device_being_deleted_is_busy),
		cmocka_unit_test(test_a_read_that_fails_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
