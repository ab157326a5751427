// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The worker of a volume: takes what is deferred, sorts it, merges neighbouring
 * writes into groups, learns what the metadata says about their blocks and
 * sends every bio on its way.
 *
 * deferred ─┬ given back (noflush suspend)
 *           ├ flush ──────────────────► committer or data device
 *           ├ discard ────────────────► discard.c
 *           ├ zeros, whole blocks ────► zero-range.c, discard.c
 *           └ read, write ─► group ─► range ─► words ─► provision.c, dispatch.c
 *                                                └ not cached: read ahead, try again
 *
 * I1  While the gate is closed, only updates under way go on; bios stay
 *     deferred.
 * I2  Groups whose metadata is not cached wait aside with their ranges held, for
 *     reads of the metadata device that are all under way.  The worker waits for
 *     one only when it has nothing else to do, and never with the metadata lock.
 * I3  Memory: a group comes from kmalloc, or else from a mempool; if that is
 *     empty, too, the bio stays deferred until a group ends.
 */
#include "data-path/deferred.h"

#include <linux/delay.h>
#include <linux/list_sort.h>

#include "data-path/commit.h"
#include "data-path/discard.h"
#include "data-path/dispatch.h"
#include "data-path/flush.h"
#include "data-path/group.h"
#include "data-path/passdown.h"
#include "data-path/provision.h"
#include "data-path/zero-range.h"
#include "data-path/zeroes.h"
#include "include/trace/events/thinx.h"

/* Groups planned in one critical section of the metadata lock. */
#define GROUPS_PER_PASS 64

/*
 * The count of free blocks comes from the metadata device and may be wrong;
 * after this many passes that found none it is no longer believed.
 */
#define MAX_FRUITLESS 16

/* So many groups in a row that wait on are taken as a sign that all do. */
#define MAX_MISSES 4

/* After as many waits for metadata a group reads under the metadata lock. */
#define MAX_WAITS 64

/* Rounds before the work item yields its thread to others. */
#define ROUNDS_PER_RUN 16

/* ---- blocks of a bio ---- */

static thinx_vblock_t first_block(struct thinx_plane *plane, struct bio *bio)
{
	u32 offset;

	return thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
}

static thinx_vblock_t end_block(struct thinx_plane *plane, struct bio *bio)
{
	u32 offset;

	return thinx_plane_block(plane, bio_end_sector(bio) - 1, &offset) + 1;
}

/* ---- learning ---- */

struct learn_context {
	struct thinx_group *g;
	u32 index;
};

static void learn_from_leaf(void *context, const struct thinx_md_leaf *l)
{
	struct learn_context *c = context;
	struct thinx_group *g = c->g;
	const __le64 *keys = l->keys, *values = l->values;
	thinx_vblock_t b;
	u32 i, k = 0;

	for (i = c->index; i < g->nr; i++) {
		b = g->begin + i;
		if (l->end && b >= l->end)
			break;
		while (k < l->nr && le64_to_cpu(keys[k]) < b)
			k++;
		if (k < l->nr && le64_to_cpu(keys[k]) == b)
			g->blocks[i].word = le64_to_cpu(values[k]);
		else
			g->blocks[i].word = THINX_WORD_HOLE;
		/* We hold the range: the word is ours to store. */
		thinx_map_cache_set(&g->volume->cache, b, 1, g->blocks[i].word);
	}
	thinx_map_cache_fill_leaf(&g->volume->cache, g->begin + c->index,
				  l->begin, l->end, l->nr, keys, values,
				  U64_MAX);
}

static void learn_from_cache(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		g->blocks[i].word = thinx_map_cache_get(&g->volume->cache,
							g->begin + i);
}

/*
 * What is not cached is read without the metadata lock, so that only this group
 * waits for it.  But that must end: what is read may be evicted at once, and an
 * error is to be reported.
 */
static int look_up(struct learn_context *c)
{
	struct thinx_group *g = c->g;
	struct thinx_md_dev *dev = g->volume->dev;
	thinx_vblock_t b = g->begin + c->index;

	if (g->nr_waits < MAX_WAITS)
		return thinx_md_lookup_cached(dev, b, learn_from_leaf, c,
					      &g->missing);
	return thinx_md_lookup(dev, b, learn_from_leaf, c);
}

/*
 * Find out about every block of the group.  Returns -EAGAIN if g->missing has to
 * be read first.
 */
static int learn_words(struct thinx_group *g)
{
	struct thinx_volume *v = g->volume;
	struct learn_context c = { .g = g };
	u32 i;
	int r;

	for (i = 0; i < g->nr; i++) {
		if (g->blocks[i].word != THINX_WORD_UNKNOWN)
			continue;
		c.index = i;
		r = look_up(&c);
		if (r == -EUCLEAN || r == -EAGAIN)
			return r;
		if (r) {
			plane_err_limit(v->plane, "thin device %u: look-up of block %llu failed: error = %d",
					v->id, g->begin + i, r);
			return r;
		}
		if (WARN_ON_ONCE(g->blocks[i].word == THINX_WORD_UNKNOWN))
			return -EIO;
	}
	return 0;
}

/* Why did its bios leave the fast path? */
static void count_reason(struct thinx_group *g)
{
	enum thinx_counter reason = THINX_COUNT_OTHER;
	struct thinx_bio *tb;
	u32 i, nr = 0;

	list_for_each_entry(tb, &g->bios, list) {
		thinx_bio_waited(tb, THINX_TIME_QUEUED);
		nr++;
	}
	for (i = 0; i < g->nr && reason != THINX_COUNT_MISS; i++) {
		thinx_word_t word = g->blocks[i].word;

		if (word == THINX_WORD_UNKNOWN)
			reason = THINX_COUNT_MISS;
		else if (!g->is_write)
			continue;
		else if (word == THINX_WORD_HOLE)
			reason = THINX_COUNT_HOLE_WRITE;
		else if (reason == THINX_COUNT_OTHER &&
			 thinx_volume_sees_shared(g->volume, word))
			reason = THINX_COUNT_SHARED_WRITE;
	}
	thinx_volume_count(g->volume, reason, nr);
}

/* ---- running groups ---- */

static void decide_reads(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		g->blocks[i].fate = g->blocks[i].word == THINX_WORD_HOLE ?
			THINX_HOLE : THINX_IN_PLACE;
}

/*
 * Writes found no space: some may become free with a commit or when discards
 * have reached the data device, and if they were held for that, @coming, they
 * have to try again; else the pool is full, for those without a reserve at least.
 */
static void ask_for_space(struct thinx_volume *v, bool coming)
{
	struct thinx_plane *plane = v->plane;
	unsigned int caps = thinx_plane_caps(plane);
	struct thinx_quota_view view;
	struct thinx_md_space s;
	bool sure;

	thinx_quotas_view(&plane->quotas, v->id, 0, &view);
	/* Before looking at the numbers; pairs with thinx_pool_space_changed(). */
	if (view.reserve)
		WRITE_ONCE(plane->reserve_starved, true);
	thinx_md_get_space(plane->md, &s);
	thinx_quotas_view(&plane->quotas, v->id, s.data_allocatable, &view);
	sure = atomic_read(&plane->fruitless) > MAX_FRUITLESS;
	if (coming)
		thinx_commit_for_space(plane);
	else if ((caps & THINX_CAN_GROW) && thinx_md_space_is_out(&s))
		plane->ops->no_metadata_space(plane->context);
	else if (thinx_commit_brings_space(plane, v->id) ||
		 (thinx_provision_may(caps, &view) && !sure &&
		  s.data_allocatable && view.available))
		thinx_commit_for_space(plane);
	else if (caps & THINX_CAN_PROVISION)
		plane->ops->no_data_space(plane->context, sure);
}

/* Returns true if a bio is deferred again for lack of memory. */
static bool run_groups(struct thinx_volume *v, struct list_head *groups)
{
	struct thinx_group *g, *tmp;
	struct thinx_pass pass = { };

	if (list_empty(groups))
		return false;
	thinx_provision_plan(v, groups);
	list_for_each_entry_safe(g, tmp, groups, list) {
		list_del(&g->list);
		if (!g->is_write)
			decide_reads(g);
		thinx_dispatch_group(g, &pass);
	}
	if (pass.starved)
		ask_for_space(v, pass.coming);
	if (pass.claim_held)
		thinx_commit_for_space(v->plane);
	return pass.no_memory;
}

/* ---- forming groups ---- */

/*
 * The group cannot be planned.  If that is because a change failed halfway, an
 * abort is coming, after which the metadata answers again: try then.
 */
static void give_up_group(struct thinx_group *g, int r)
{
	struct thinx_bio *tb, *tmp;

	list_for_each_entry_safe(tb, tmp, &g->bios, list) {
		list_del(&tb->list);
		if (r == -EUCLEAN)
			thinx_bio_defer(tb);
		else
			thinx_bio_end(thinx_bio_of(tb),
				      errno_to_blk_status(r));
	}
	if (r == -EUCLEAN)
		usleep_range(1000, 2000);
	thinx_group_put(g);
}

/**
 * struct run - bios at the front of a list that can be one group
 * @begin: first block of any of them
 * @end: one past the last
 * @last: the last of them
 */
struct run {
	thinx_vblock_t begin;
	thinx_vblock_t end;
	struct thinx_bio *last;
};

/* All bios of a group have the same port, so that they have the same origin. */
static bool can_join(struct thinx_plane *plane, const struct run *run,
		     struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);

	return tb->port == run->last->port &&
	       bio_op(bio) == REQ_OP_WRITE && !(bio->bi_opf & REQ_PREFLUSH) &&
	       first_block(plane, bio) <= run->end &&
	       end_block(plane, bio) - run->begin <= THINX_GROUP_BLOCKS;
}

/*
 * The first bio and, if it writes, the writes that adjoin it.  Reads and
 * zeros stay single: they seldom need data blocks, so little would be gained.
 */
static struct run collect_run(struct thinx_plane *plane, struct list_head *todo)
{
	struct thinx_bio *tb = list_first_entry(todo, struct thinx_bio, list);
	struct bio *bio = thinx_bio_of(tb);
	struct run run = {
		.begin = first_block(plane, bio),
		.end = end_block(plane, bio),
		.last = tb,
	};

	if (bio_op(bio) != REQ_OP_WRITE)
		return run;
	list_for_each_entry_continue(tb, todo, list) {
		if (!can_join(plane, &run, tb))
			break;
		run.end = max(run.end, end_block(plane, thinx_bio_of(tb)));
		run.last = tb;
	}
	return run;
}

/*
 * Move the bios of a run from @todo to their group and lock its range.  If part
 * of the range is held, only the first bio waits there; the others are tried
 * again on their own.  Returns false if it waits.
 */
static bool lock_run(struct thinx_group *g, struct list_head *todo,
		     struct run *run)
{
	struct thinx_bio *tb = list_first_entry(todo, struct thinx_bio, list);
	struct thinx_range_lock *ranges = &g->volume->ranges;

	if (run->last != tb &&
	    thinx_range_is_held(ranges, run->begin, run->end)) {
		run->last = tb;
		run->end = end_block(g->volume->plane, thinx_bio_of(tb));
		g->nr = run->end - run->begin;
	}
	list_cut_position(&g->bios, todo, &run->last->list);
	if (run->last != tb) {
		if (thinx_range_lock_or_wait(ranges, &g->range, NULL,
					     run->begin, run->end))
			return true;
		list_splice(&g->bios, todo);
		return false;
	}
	/* Its list entry is also the waiter's. */
	list_del_init(&tb->list);
	if (!thinx_range_lock_or_wait(ranges, &g->range, &tb->waiter,
				      run->begin, run->end))
		return false;
	list_add(&tb->list, &g->bios);
	return true;
}

/*
 * Learn; the group then goes on, waits for metadata (-EAGAIN), or is given up
 * and gone.
 */
static int learn_group(struct thinx_group *g, struct list_head *groups)
{
	int r = learn_words(g);

	if (r == -EAGAIN)
		list_add_tail(&g->list, &g->volume->unlearned);
	else if (r)
		give_up_group(g, r);
	else
		list_add_tail(&g->list, groups);
	if (!r)
		thinx_volume_time(g->volume, THINX_TIME_LEARNING, g->since);
	return r;
}

/*
 * Form a group from the front of @todo, lock its range and learn.  Returns
 * false if there is no memory; the bios are then still in @todo.
 */
static bool form_group(struct thinx_volume *v, struct list_head *todo,
		       struct list_head *groups)
{
	struct thinx_bio *tb = list_first_entry(todo, struct thinx_bio, list);
	struct thinx_plane *plane = v->plane;
	struct run run = collect_run(plane, todo);
	struct thinx_group *g;

	g = thinx_group_alloc(v, run.end - run.begin);
	if (!g)
		return false;
	g->is_write = bio_data_dir(thinx_bio_of(tb)) == WRITE;
	g->is_zeroes = bio_op(thinx_bio_of(tb)) == REQ_OP_WRITE_ZEROES;
	g->port = tb->port;
	g->begin = run.begin;
	/* Pairs with thinx_plane_abort(). */
	g->nr_aborts = smp_load_acquire(&plane->nr_aborts);
	if (!lock_run(g, todo, &run)) {
		thinx_volume_count(v, THINX_COUNT_RANGE_HELD, 1);
		thinx_group_free_unused(g);
		return true;
	}
	trace_thinx_group(plane->dev, v->id, g->begin, g->nr, g->is_write);
	learn_from_cache(g);
	count_reason(g);
	g->since = ktime_get_ns();
	learn_group(g, groups);
	return true;
}

/* ---- waiting for metadata ---- */

/* An abort made worthless what they learned, or the gate is closed (I1). */
static void unform_group(struct thinx_group *g)
{
	struct thinx_volume *v = g->volume;

	spin_lock_irq(&v->lock);
	list_splice_tail_init(&g->bios, &v->deferred);
	spin_unlock_irq(&v->lock);
	thinx_volume_kick(v);
	thinx_group_put(g);
}

/*
 * Try again with the groups that waited; what they need may have been read.
 * Reads end about in the order in which they began, so after a few groups that
 * wait for the same block as before, the others are not looked at.
 */
static bool process_unlearned(struct thinx_volume *v)
{
	bool closed = thinx_gate_is_closed(&v->gate);
	unsigned int nr_aborts, nr = 0, nr_misses = 0;
	struct thinx_group *g, *tmp;
	bool no_memory = false;
	LIST_HEAD(todo);
	LIST_HEAD(groups);
	u64 missing;
	int r;

	list_splice_init(&v->unlearned, &todo);
	list_for_each_entry_safe(g, tmp, &todo, list) {
		list_del(&g->list);
		/* Pairs with thinx_plane_abort(). */
		nr_aborts = smp_load_acquire(&v->plane->nr_aborts);
		if (closed || g->nr_aborts != nr_aborts) {
			unform_group(g);
			continue;
		}
		if (nr_misses == MAX_MISSES) {
			list_add_tail(&g->list, &v->unlearned);
			continue;
		}
		missing = g->missing;
		r = learn_group(g, &groups);
		if (r == -EAGAIN)
			nr_misses += g->missing == missing;
		else if (!r && ++nr % GROUPS_PER_PASS == 0)
			no_memory |= run_groups(v, &groups);
	}
	no_memory |= run_groups(v, &groups);
	return no_memory;
}

/*
 * Everything that can be answered is answered.  All groups that are left have
 * started reading what they need; whatever comes first, the wait for one block
 * is no longer than the device takes for it.
 */
static void wait_for_metadata(struct thinx_volume *v)
{
	struct thinx_group *g = list_first_entry(&v->unlearned,
						 struct thinx_group, list);

	g->nr_waits++;
	if (thinx_md_wait(v->plane->md, g->missing))
		g->nr_waits = MAX_WAITS;
}

/* ---- the worker ---- */

static int by_sector(void *priv, const struct list_head *a,
		     const struct list_head *b)
{
	struct bio *x = thinx_bio_of(list_entry(a, struct thinx_bio, list));
	struct bio *y = thinx_bio_of(list_entry(b, struct thinx_bio, list));

	return x->bi_iter.bi_sector > y->bi_iter.bi_sector;
}

static void take_deferred(struct thinx_volume *v, struct list_head *todo)
{
	struct thinx_bio *tb, *tmp;
	bool dead = !(thinx_plane_caps(v->plane) & THINX_CAN_MAP);

	spin_lock_irq(&v->lock);
	list_splice_init(&v->deferred, todo);
	spin_unlock_irq(&v->lock);

	list_for_each_entry_safe(tb, tmp, todo, list) {
		if (dead) {
			list_del(&tb->list);
			bio_io_error(thinx_bio_of(tb));
		} else if (thinx_port_requeues(tb->port)) {
			list_del(&tb->list);
			thinx_bio_end(thinx_bio_of(tb), BLK_STS_DM_REQUEUE);
		}
	}
}

static void put_back(struct thinx_volume *v, struct list_head *todo)
{
	spin_lock_irq(&v->lock);
	list_splice_init(todo, &v->deferred);
	spin_unlock_irq(&v->lock);
}

/* Returns true if the worker should run again although nobody kicks it. */
static bool process_deferred(struct thinx_volume *v)
{
	LIST_HEAD(todo);
	LIST_HEAD(groups);
	bool again = false;
	unsigned int nr = 0;

	take_deferred(v, &todo);
	if (thinx_gate_is_closed(&v->gate)) {
		put_back(v, &todo);
		return false;
	}
	list_sort(NULL, &todo, by_sector);

	while (!list_empty(&todo)) {
		struct thinx_bio *tb =
			list_first_entry(&todo, struct thinx_bio, list);
		struct bio *bio = thinx_bio_of(tb);

		if (bio->bi_opf & REQ_PREFLUSH) {
			list_del(&tb->list);
			/* It met a closed gate, or a commit without changes. */
			thinx_flush(tb);
		} else if (bio_op(bio) == REQ_OP_DISCARD) {
			list_del(&tb->list);
			thinx_discard_queue(v, tb);
		} else if (thinx_zeroes_is_range(tb)) {
			list_del(&tb->list);
			thinx_zero_range_queue(v, tb);
		} else if (!form_group(v, &todo, &groups)) {
			thinx_volume_count(v, THINX_COUNT_MEMORY, 1);
			put_back(v, &todo);
			again = true;
		} else if (++nr >= GROUPS_PER_PASS) {
			again |= run_groups(v, &groups);
			nr = 0;
		}
	}
	again |= run_groups(v, &groups);
	return again;
}

/*
 * A fast device has often ended the I/O of an update by the time its submission
 * returns, so something may be prepared again at once.
 */
static bool has_more(struct thinx_volume *v)
{
	return !list_empty_careful(&v->prepared) || !list_empty(&v->unlearned);
}

void thinx_deferred_work(struct work_struct *work)
{
	struct thinx_volume *v = container_of(work, struct thinx_volume, work);
	bool starving_for_memory, more;
	unsigned int round = 0;
	struct blk_plug plug;

	thinx_plane_busy(v->plane);
	do {
		thinx_provision_copied(v);
		thinx_provision_prepared(v);
		/* Metadata reads of the pass go down together, so do data. */
		blk_start_plug(&plug);
		starving_for_memory = process_unlearned(v);
		starving_for_memory |= process_deferred(v);
		blk_finish_plug(&plug);
		more = thinx_discard_process(v);
		more |= thinx_zero_range_process(v);
		if (!list_empty(&v->unlearned))
			wait_for_metadata(v);
		cond_resched();
	} while (++round < ROUNDS_PER_RUN && !starving_for_memory &&
		 has_more(v));
	thinx_plane_idle(v->plane);
	if (starving_for_memory)
		usleep_range(1000, 2000);
	if (starving_for_memory || more || has_more(v))
		thinx_volume_kick(v);
}
