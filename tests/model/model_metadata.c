// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Random operations on the metadata façade, compared with a simple twin.
 *
 *   pool ─┬─ thinx_md                         every answer is compared,
 *         └─ twin: devices, flat arrays of    now and then everything
 *            mappings; one more for what the
 *            last commit left, one for what
 *            the metadata snapshot pins
 *
 * Besides equality, three rules that keep volumes apart are checked:
 *
 * I1  A data block handed out, or trimmed, is in no twin: not the working one, not
 *     the committed or closing one, not the pinned one; and what is being trimmed
 *     is not handed out.
 * I2  A block reported exclusive has no other mapping, now or after a crash.
 * I3  A block two devices map has, in each, a time older than that device's last
 *     snapshot: dm-thin's test for sharing must hold (docs/format.md 15).
 *
 * With many steps (tests/common.mk) volumes are large, both spaces have several
 * bitmaps, and what takes many steps is committed, with changes beneath, or
 * ended by an error, between them:
 *
 * I4  What a delete has taken away by then are mappings of that device.
 *
 * model_metadata [--ops N] [--seed S]
 */
#include "unit/md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef MANY_STEPS
/* One device can have three levels. */
#define NR_DEVS		5
#define NR_VBLOCKS	70000
#define NR_DATA		160000
#define NR_META		33500
#define NR_LEAP		16320
/* Kinds of operations, the first few on whole devices; one large range in. */
#define NR_KINDS	30
#define LARGE_ONE_IN	3
#define CHECK_EVERY	50
#else
#define NR_DEVS		10
#define NR_VBLOCKS	4000
#define NR_DATA		16000
#define NR_META		4096
#define NR_LEAP		0
#define NR_KINDS	60
#define LARGE_ONE_IN	10
#define CHECK_EVERY	500
#endif

#define NONE	THINX_WORD_HOLE
#define insist(what) md_insist(what)

struct twin_dev {
	bool exists;
	u32 snapshotted_time;
	u64 swapped_gen;	/* generation of its last swap */
	u64 map[NR_VBLOCKS];
};

struct twin {
	struct twin_dev devs[NR_DEVS];
	u8 nr_users[NR_DATA];	/* mappings to a data block */
	u32 time;
	bool time_used;		/* perhaps, by a mapping */
	u64 trans_id;
	bool held;
	u64 nr_data;
};

struct model {
	struct md_env e;
	struct twin now, committed, closing, pinned, closing_pinned,
		    committed_pinned;
	bool in_commit;
	u32 deleting, unmapping;	/* between steps; NR_DEVS: none */
	bool releasing, stopped;
	struct thinx_md_free trim;
	bool trimming;
	bool held[NR_DATA];	/* for that */
	pd_block_t narrow;
	struct thinx_md_dev *open[NR_DEVS];
	u64 rng;
	unsigned long nr_ops, nr_checks, nr_commits, nr_pipelined, nr_undone,
		      nr_snaps, nr_swaps, nr_mapped, nr_restamped, nr_refused,
		      nr_between, nr_stopped, nr_trimmed;
};

static u32 rnd(struct model *m, u32 n)
{
	return md_rnd(&m->rng) % n;
}

/* A device that nobody is at work on. */
static u32 pick(struct model *m)
{
	u32 id;

	do {
		id = rnd(m, NR_DEVS);
	} while (id == m->deleting || id == m->unmapping);
	return id;
}

/* ---- rules ---- */

static void set_mapping(struct twin *t, u32 id, u64 v, u64 to)
{
	u64 *m = &t->devs[id].map[v];

	if (*m != NONE)
		t->nr_users[thinx_mapping_block(*m)]--;
	*m = to;
	if (to != NONE)
		t->nr_users[thinx_mapping_block(to)]++;
}

/* Nothing is mapped afterwards. */
static void clear_device(struct twin *t, u32 id)
{
	u32 v;

	for (v = 0; v < NR_VBLOCKS; v++)
		set_mapping(t, id, v, NONE);
}

static bool uses(const struct twin *t, u64 dblock)
{
	return t->nr_users[dblock];
}

/* I1 for a run; only for a sample of a longer one, because it is slow. */
static void insist_unused(struct model *m, u64 begin, u64 nr)
{
	u64 b;

	for (b = begin; b < begin + nr; b++) {
		insist(!m->held[b]);
		if (nr > 4 && rnd(m, nr) > 4)
			continue;
		insist(!uses(&m->now, b));
		insist(!uses(&m->committed, b));
		if (m->in_commit)
			insist(!uses(&m->closing, b));
		if (m->now.held)
			insist(!uses(&m->pinned, b));
		if (m->committed.held)
			insist(!uses(&m->committed_pinned, b));
	}
}

static bool used_by_others(const struct twin *t, u32 id, u64 v, u64 dblock)
{
	u64 own = t->devs[id].map[v];

	return t->nr_users[dblock] >
	       (own != NONE && thinx_mapping_block(own) == dblock);
}

static void check_times(struct model *m)
{
	u32 d, v;

	for (d = 0; d < NR_DEVS; d++) {
		const struct twin_dev *t = &m->now.devs[d];

		for (v = 0; t->exists && v < NR_VBLOCKS; v++)
			if (t->map[v] != NONE &&
			    m->now.nr_users[thinx_mapping_block(t->map[v])] > 1)
				insist(thinx_mapping_time(t->map[v]) <
				       t->snapshotted_time);	/* I3 */
	}
}

/* ---- comparing ---- */

struct compare {
	struct twin *now;
	u32 id;
	bool resync;	/* it may have lost mappings */
	u64 next;
	bool last;
	u64 nr;
};

/* A delete that did not end took mappings away, it changed none; keeps I4. */
static void forget_what_is_gone(struct compare *c,
				const struct thinx_md_leaf *l)
{
	u64 v, end = l->end && l->end < NR_VBLOCKS ? l->end : NR_VBLOCKS;
	const u64 *map = c->now->devs[c->id].map;
	const __le64 *keys = l->keys;
	u32 i = 0;

	for (v = l->begin; v < end; v++) {
		if (i < l->nr && le64_to_cpu(keys[i]) == v)
			i++;
		else if (map[v] != NONE)
			set_mapping(c->now, c->id, v, NONE);
	}
}

static void compare_leaf(void *context, const struct thinx_md_leaf *l)
{
	const __le64 *keys = l->keys, *values = l->values;
	struct compare *c = context;
	u64 v, end;
	u32 i = 0;

	if (c->resync)
		forget_what_is_gone(c, l);
	end = l->end && l->end < NR_VBLOCKS ? l->end : NR_VBLOCKS;
	for (v = l->begin; v < end; v++) {
		bool there = i < l->nr && le64_to_cpu(keys[i]) == v;

		insist(c->now->devs[c->id].map[v] ==
		       (there ? le64_to_cpu(values[i]) : NONE));
		i += there;
	}
	insist(i == l->nr);
	c->nr += i;
	c->last = !l->end;
	c->next = l->end;
}

static void compare_device(struct model *m, u32 id, bool resync)
{
	const struct twin_dev *t = &m->now.devs[id];
	struct compare c = { .now = &m->now, .id = id, .resync = resync };
	struct thinx_md_dev *dev;
	int r;

	r = md_open_any(m->e.md, id, &dev);
	insist(r == (t->exists ? 0 : -ENODATA));
	if (r)
		return;
	while (!c.last)
		insist(!thinx_md_lookup(dev, c.next, compare_leaf, &c));
	insist(thinx_md_dev_mapped_blocks(dev) == c.nr);
	insist(thinx_md_dev_snapshotted_time(dev) == t->snapshotted_time);
	md_close_any(dev);
}

static void compare_all(struct model *m)
{
	struct thinx_md_space s;
	u32 id;

	for (id = 0; id < NR_DEVS; id++)
		compare_device(m, id, false);
	insist(thinx_md_transaction_id(m->e.md) == m->now.trans_id);
	insist(!thinx_md_held_root(m->e.md) == !m->now.held);
	thinx_md_get_space(m->e.md, &s);
	insist(s.data_total == m->now.nr_data);
	check_times(m);
	md_check(&m->e);
	m->nr_checks++;
}

/* ---- operations ---- */

/* Lack of space is a valid answer; then the twin has not changed either. */
static bool worked(struct model *m, int r)
{
	insist(!r || r == -ENOSPC || r == -EXFULL);
	m->nr_refused += r != 0;
	return !r;
}

/* Has commit_between() ended the operation? */
static bool was_stopped(struct model *m, int r)
{
	bool stopped = m->stopped;

	m->stopped = false;
	insist(!stopped || r == -EIO);
	return stopped;
}

static void op_create(struct model *m, u32 id)
{
	struct twin_dev *t = &m->now.devs[id];
	int r = thinx_md_create_thin(m->e.md, id);

	if (t->exists) {
		insist(r == -EEXIST);
	} else if (worked(m, r)) {
		t->exists = true;
		t->snapshotted_time = m->now.time;
	}
}

static void twin_snap(struct model *m, u32 id, u32 origin)
{
	struct twin_dev *t = &m->now.devs[id], *o = &m->now.devs[origin];
	u32 v;

	o->snapshotted_time = m->now.time;
	t->exists = true;
	t->snapshotted_time = m->now.time;
	for (v = 0; v < NR_VBLOCKS; v++)
		set_mapping(&m->now, id, v, o->map[v]);
	m->nr_snaps++;
}

#define MOST_PAIRS 3

/* Devices that nobody is at work on. */
static u32 pick_pairs(struct model *m, struct thinx_md_pair *p)
{
	u32 nr = rnd(m, MOST_PAIRS) + 1, i;

	for (i = 0; i < nr; i++)
		p[i] = (struct thinx_md_pair){ pick(m), pick(m) };
	return nr;
}

/* What is wrong with the first pair that is wrong. */
static int wanted_of_snaps(struct model *m, const struct thinx_md_pair *p, u32 nr)
{
	u32 i, k;

	for (i = 0; i < nr; i++) {
		for (k = 0; k < i; k++)
			if (p[k].id == p[i].id)
				return -EINVAL;
		if (m->now.devs[p[i].id].exists)
			return -EEXIST;
		if (!m->now.devs[p[i].other].exists)
			return -ENODATA;
	}
	return 0;
}

static void op_snaps(struct model *m)
{
	struct thinx_md_pair p[MOST_PAIRS];
	u32 nr = pick_pairs(m, p), i;
	int wanted = wanted_of_snaps(m, p, nr), r;

	r = nr == 1 ? thinx_md_create_snap(m->e.md, p->id, p->other) :
		      thinx_md_create_snaps(m->e.md, p, nr);
	if (wanted) {
		insist(r == wanted);
	} else if (worked(m, r)) {
		m->now.time += m->now.time_used;
		m->now.time_used = false;
		for (i = 0; i < nr; i++)
			twin_snap(m, p[i].id, p[i].other);
	}
}

static int wanted_of_swap(struct model *m, const struct thinx_md_pair *p, u32 nr)
{
	u32 seen = 0, i, bits;

	for (i = 0; i < nr; i++) {
		bits = 1U << p[i].id | 1U << p[i].other;
		if (p[i].id == p[i].other || (seen & bits))
			return -EINVAL;
		seen |= bits;
		if (!m->now.devs[p[i].id].exists ||
		    !m->now.devs[p[i].other].exists)
			return -ENODATA;
	}
	return 0;
}

static void op_swap(struct model *m)
{
	static struct twin_dev tmp;
	struct thinx_md_pair p[MOST_PAIRS];
	u32 nr = pick_pairs(m, p), i;
	int wanted = wanted_of_swap(m, p, nr);
	int r = thinx_md_swap(m->e.md, p, nr);

	if (wanted) {
		insist(r == wanted);
		return;
	}
	if (!worked(m, r))
		return;
	for (i = 0; i < nr; i++) {
		tmp = m->now.devs[p[i].id];
		m->now.devs[p[i].id] = m->now.devs[p[i].other];
		m->now.devs[p[i].other] = tmp;
		m->now.devs[p[i].id].swapped_gen =
		m->now.devs[p[i].other].swapped_gen =
			thinx_md_open_generation(m->e.md);
	}
	m->nr_swaps++;
}

static void op_delete(struct model *m, u32 id)
{
	struct twin_dev *t = &m->now.devs[id];
	u32 outer = m->deleting;
	int r;

	m->deleting = id;
	r = thinx_md_delete(m->e.md, id);
	m->deleting = outer;
	if (!t->exists) {
		insist(r == -ENODATA);
	} else if (m->open[id]) {
		insist(r == -EBUSY);
	} else if (!was_stopped(m, r) && worked(m, r)) {
		t->exists = false;
		clear_device(&m->now, id);
	} else {
		compare_device(m, id, true);
	}
}

static void op_map(struct model *m, struct thinx_md_dev *dev, u32 id, u64 v,
		   u64 nr)
{
	thinx_word_t first;
	u64 begin, got, i;

	thinx_md_lock(m->e.md);
	while (nr) {
		u64 want = nr < THINX_MD_RUN_MAX ? nr : THINX_MD_RUN_MAX;

		if (!worked(m, thinx_md_find_run_locked(m->e.md, want, &begin,
							&got)))
			break;
		insist_unused(m, begin, got);
		if (!worked(m, thinx_md_insert_run_locked(dev, v, begin, got,
							  &first))) {
			thinx_md_unhold_locked(m->e.md, begin, begin + got);
			break;
		}
		insist(first == thinx_mapping_pack(begin, m->now.time));
		for (i = 0; i < got; i++)
			set_mapping(&m->now, id, v + i,
				    thinx_mapping_pack(begin + i, m->now.time));
		m->now.time_used = true;
		m->nr_mapped += got;
		v += got;
		nr -= got;
	}
	thinx_md_unlock(m->e.md);
}

static void insist_freed(struct model *m, const struct thinx_md_removal *rm)
{
	u32 i;
	u64 b;

	for (i = 0; i < rm->nr_freed; i++)
		for (b = rm->freed[i].begin; b < rm->freed[i].end; b++)
			if (rnd(m, 50) == 0)
				insist(!uses(&m->now, b));
}

static void op_commit(struct model *m);

static void commit_while_unmapping(struct model *m, u32 id)
{
	if (m->in_commit || rnd(m, 3) == 0)
		return;
	m->unmapping = id;
	op_commit(m);
	m->unmapping = NR_DEVS;
	m->nr_between++;
}

static void op_unmap(struct model *m, struct thinx_md_dev *dev, u32 id, u64 v,
		     u64 end)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	bool ok = true;
	u64 from;
	u32 i;

	rm->begin = v;
	rm->end = end;
	rm->want_freed = rnd(m, 2);
	while (ok && !rm->done) {
		thinx_md_lock(m->e.md);
		from = rm->begin;
		ok = worked(m, thinx_md_remove_range_locked(dev, rm));
		if (ok && rm->done)
			rm->begin = end;
		for (; from < rm->begin && from < NR_VBLOCKS; from++)
			set_mapping(&m->now, id, from, NONE);
		if (ok)
			insist_freed(m, rm);
		for (i = 0; ok && i < rm->nr_freed; i++)
			thinx_md_unhold_locked(m->e.md, rm->freed[i].begin,
					       rm->freed[i].end);
		thinx_md_unlock(m->e.md);
		if (ok && !rm->done && thinx_md_is_heavy(m->e.md))
			commit_while_unmapping(m, id);
	}
	free(rm);
}

static void op_restamp(struct model *m, struct thinx_md_dev *dev, u32 id,
		       u64 v, u32 nr)
{
	struct twin_dev *t = &m->now.devs[id];
	thinx_word_t now[128];
	bool ex[128], ok;
	u32 i;

	thinx_md_lock(m->e.md);
	ok = worked(m, thinx_md_restamp_locked(dev, v, nr, now, ex));
	thinx_md_unlock(m->e.md);
	for (i = 0; ok && i < nr; i++) {
		u64 old = t->map[v + i], b = thinx_mapping_block(old);

		if (old == NONE) {
			insist(now[i] == NONE && !ex[i]);
			continue;
		}
		insist(thinx_mapping_block(now[i]) == b);
		insist(now[i] == old ||
		       thinx_mapping_time(now[i]) == m->now.time);
		m->nr_restamped += now[i] != old;
		m->now.time_used |= now[i] != old;
		t->map[v + i] = now[i];
		if (ex[i]) {
			insist(!used_by_others(&m->now, id, v + i, b));
			insist(!used_by_others(&m->committed, id, v + i, b));
			if (m->in_commit)
				insist(!used_by_others(&m->closing, id, v + i,
						       b));
		}
	}
}

static void op_device(struct model *m, u32 id)
{
	u64 v = rnd(m, NR_VBLOCKS);
	u32 nr = rnd(m, 10) ? rnd(m, 16) + 1 :
			      rnd(m, rnd(m, LARGE_ONE_IN) ? 900 : NR_VBLOCKS) + 1;
	struct thinx_md_dev *dev;

	if (!m->now.devs[id].exists)
		return;
	/* Its gate is closed until its swap is durable. */
	if (m->now.devs[id].swapped_gen >
	    thinx_md_completed_generation(m->e.md))
		return;
	insist(!thinx_md_open_device(m->e.md, id, &dev));
	if (v + nr > NR_VBLOCKS)
		nr = NR_VBLOCKS - v;
	switch (rnd(m, 9)) {
	case 0 ... 4:
		op_map(m, dev, id, v, nr);
		break;
	case 5:
		op_unmap(m, dev, id, v, v + nr * 4);
		break;
	case 6:
		if (rnd(m, LARGE_ONE_IN) == 0)
			op_unmap(m, dev, id, 0, ~0ULL);
		break;
	default:
		op_restamp(m, dev, id, v, nr > 128 ? 128 : nr);
		break;
	}
	thinx_md_close_device(dev);
}

/* It takes a while, in which other things happen. */
static void op_trim(struct model *m)
{
	struct thinx_md_free *f = &m->trim;
	u32 i;
	u64 nr;

	thinx_md_lock(m->e.md);
	if (!m->trimming) {
		f->begin = rnd(m, m->now.nr_data);
		f->max = rnd(m, rnd(m, 2) ? 100 : NR_DATA / 4) + 1;
		insist(!thinx_md_hold_free_locked(m->e.md, f));
	}
	m->trimming = !m->trimming;
	for (i = 0; i < f->nr; i++) {
		nr = f->runs[i].end - f->runs[i].begin;
		if (m->trimming)
			insist_unused(m, f->runs[i].begin, nr);
		else
			thinx_md_unhold_locked(m->e.md, f->runs[i].begin,
					       f->runs[i].end);
		memset(m->held + f->runs[i].begin, m->trimming, nr);
		m->nr_trimmed += m->trimming ? nr : 0;
	}
	thinx_md_unlock(m->e.md);
}

static void op_open_or_close(struct model *m, u32 id)
{
	if (m->open[id]) {
		thinx_md_close_device(m->open[id]);
		m->open[id] = NULL;
	} else if (m->now.devs[id].exists) {
		insist(!thinx_md_open_device(m->e.md, id, &m->open[id]));
	}
}

static void op_release(struct model *m)
{
	bool busy = m->releasing;
	int r;

	m->releasing = true;
	r = thinx_md_release_snap(m->e.md);
	m->releasing = busy;
	if (!m->now.held)
		insist(r == -EINVAL);
	else if (busy)
		insist(r == -EBUSY);
	else if (!was_stopped(m, r) && worked(m, r))
		m->now.held = false;
	else	/* devices it had may be gone: it promises nothing any more */
		memset(&m->pinned, 0, sizeof(m->pinned));
}

static void op_others(struct model *m)
{
	u64 nr = m->now.nr_data + rnd(m, NR_DATA / 80) + 1;

	switch (rnd(m, 3)) {
	case 0:
		if (worked(m, thinx_md_set_transaction_id(m->e.md,
				m->now.trans_id, m->now.trans_id + 1)))
			m->now.trans_id++;
		break;
	case 1:
		if (nr <= NR_DATA && worked(m, thinx_md_resize_data(m->e.md,
								    nr)))
			m->now.nr_data = nr;
		break;
	default:
		op_release(m);
		break;
	}
}

static void change(struct model *m)
{
	u32 id = pick(m);

	switch (rnd(m, NR_KINDS)) {
	case 0 ... 1:
		op_create(m, id);
		break;
	case 2 ... 4:
		op_snaps(m);
		break;
	case 5:
		op_delete(m, id);
		break;
	case 11:
		op_swap(m);
		break;
	case 12:
		op_trim(m);
		break;
	case 6:
		op_others(m);
		break;
	case 7 ... 10:
		op_open_or_close(m, id);
		break;
	default:
		op_device(m, id);
		break;
	}
}

/* ---- transactions ---- */

static int change_beneath(void *context)
{
	struct model *m = context;
	u32 n = rnd(m, 10);

	m->in_commit = true;
	m->closing = m->now;
	m->closing_pinned = m->pinned;
	m->nr_pipelined += n > 0;
	while (n--)
		change(m);
	return 0;
}

static void committed(struct model *m)
{
	/* Nothing was dirty, so nothing was closed. */
	if (!m->in_commit) {
		m->closing = m->now;
		m->closing_pinned = m->pinned;
	}
	m->committed = m->closing;
	m->committed_pinned = m->closing_pinned;
	m->in_commit = false;
	m->nr_commits++;
}

static void op_commit(struct model *m)
{
	insist(!thinx_md_commit(m->e.md, NULL));
	committed(m);
}

/* Something that takes many steps has let go of the lock. */
static int commit_between(void *context)
{
	struct model *m = context;

	/* The committer is busy with us. */
	if (m->in_commit || rnd(m, 3) == 0)
		return 0;
	if (m->deleting < NR_DEVS)
		compare_device(m, m->deleting, true);
	if (m->releasing)	/* devices it had may be gone */
		memset(&m->pinned, 0, sizeof(m->pinned));
	m->stopped = rnd(m, 50) == 0;
	m->nr_stopped += m->stopped;
	if (m->stopped)
		return -EIO;
	op_commit(m);
	m->nr_between++;
	return 0;
}

static const struct thinx_md_hooks hooks = {
	.start_flush = change_beneath,
	.commit = commit_between,
};

/* What is forgotten with the metadata in core. */
static void set_up(struct model *m)
{
	thinx_md_set_hooks(m->e.md, &hooks, m);
	if (m->narrow)
		md_narrow(&m->e, m->narrow);
}

static void op_reserve(struct model *m)
{
	bool held = m->now.held;
	int r;

	r = thinx_md_reserve_snap(m->e.md);
	if (held) {
		insist(r == -EBUSY);
		return;
	}
	committed(m);
	if (worked(m, r)) {
		m->now.held = true;
		m->pinned = m->now;
	}
}

static void close_gone(struct model *m)
{
	u32 id;

	for (id = 0; id < NR_DEVS; id++)
		if (m->open[id] && !m->now.devs[id].exists) {
			thinx_md_close_device(m->open[id]);
			m->open[id] = NULL;
		}
}

static void op_undo(struct model *m, bool crash)
{
	u32 id;

	if (crash) {
		for (id = 0; id < NR_DEVS; id++)
			if (m->open[id])
				op_open_or_close(m, id);
		md_crash(&m->e);
		ram_store_shake(m->e.io, m->rng, 20);
	} else {
		insist(!thinx_md_abort(m->e.md));
	}
	set_up(m);
	m->trimming = false;
	memset(m->held, 0, sizeof(m->held));
	m->now = m->committed;
	m->now.time_used = true;
	for (id = 0; id < NR_DEVS; id++)
		m->now.devs[id].swapped_gen = 0;
	m->pinned = m->committed_pinned;
	close_gone(m);
	m->nr_undone++;
}

static void step(struct model *m)
{
	u32 what = rnd(m, 400);

	if (NR_LEAP && what % 16 == 0)
		md_leap(&m->e, rnd(m, NR_LEAP + 1),
			m->narrow ? 0 : rnd(m, NR_LEAP + 1));
	if (what < 25)
		op_commit(m);
	else if (what < 28)
		op_undo(m, what == 25);
	else if (what < 30)
		op_reserve(m);
	else
		change(m);
}

/* As large as a device can be, so that parents of leaves are shared, too. */
static void begin_large(struct model *m)
{
	struct thinx_md_dev *dev;

	op_create(m, 0);
	if (!m->now.devs[0].exists)
		return;
	dev = md_open(&m->e, 0);
	op_map(m, dev, 0, 0, NR_VBLOCKS);
	thinx_md_close_device(dev);
}

static void run(u64 seed, unsigned long nr_ops, pd_block_t nr_meta,
		pd_block_t narrow)
{
	struct model *m = calloc(1, sizeof(*m));
	u32 id, v;

	m->rng = seed;
	m->narrow = narrow;
	m->deleting = m->unmapping = NR_DEVS;
	md_begin(&m->e, nr_meta, NR_DATA / 2);
	set_up(m);
	ram_store_shake(m->e.io, seed, 20);
	m->now.nr_data = NR_DATA / 2;
	m->now.time_used = true;
	for (id = 0; id < NR_DEVS; id++)
		for (v = 0; v < NR_VBLOCKS; v++)
			m->now.devs[id].map[v] = NONE;
	m->committed = m->now;
	if (NR_LEAP) {
		begin_large(m);
		op_commit(m);
	}
	while (m->nr_ops++ < nr_ops) {
		step(m);
		if (m->nr_ops % CHECK_EVERY == 0)
			compare_all(m);
	}
	compare_all(m);
	printf("metadata: seed %llu, %llu blocks: %lu ops, %lu blocks mapped, %lu restamped, %lu trimmed, %lu snapshots, %lu swaps, %lu commits (%lu with changes beneath, %lu between steps), %lu undone, %lu stopped, %lu refused, %lu full checks\n",
	       (unsigned long long)seed, (unsigned long long)nr_meta, nr_ops,
	       m->nr_mapped, m->nr_restamped, m->nr_trimmed, m->nr_snaps, m->nr_swaps, m->nr_commits,
	       m->nr_pipelined, m->nr_between, m->nr_undone, m->nr_stopped,
	       m->nr_refused, m->nr_checks);
	fflush(stdout);
	for (id = 0; id < NR_DEVS; id++)
		if (m->open[id])
			op_open_or_close(m, id);
	md_end(&m->e);
	free(m);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ }
	};
	unsigned long nr_ops = 10000;
	u64 seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o')
			nr_ops = strtoul(optarg, NULL, 10);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	/* An operation is a big thing here; plenty of room, little, none. */
#ifdef MANY_STEPS
	run(seed, nr_ops / 4, NR_META, 0);
	run(seed + 1, nr_ops / 8, NR_META, 400);
	run(seed + 2, nr_ops / 16, NR_META, 60);
#else
	run(seed, nr_ops / 4, NR_META, 0);
	run(seed + 1, nr_ops / 8, 400, 0);
	run(seed + 2, nr_ops / 16, 100, 0);
#endif
	return 0;
}
