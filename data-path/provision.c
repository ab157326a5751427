// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * New data blocks for blocks that are written: which ones need them, which
 * blocks they get, and when the mapping changes.
 *
 *   plan (one critical section of the metadata lock for a whole pass)
 *     ours alone            ─► in place
 *     looks shared          ─► shadow the path; count is one? restamp, in place
 *     shared                ─► new blocks, copy what the bios do not cover
 *     hole                  ─► new blocks, zero what the bios do not cover; none
 *                              beyond the volume's limit
 *     zeros: shared, covered ─► a hole; a hole that shows zeros ─► stays one
 *     no block free for us  ─► wait for space (data-path/quota.h)
 *   start                     write bios, zeros and copies to the new blocks
 *   prepared (all written)    insert mappings, counts, map cache; end the bios
 *     no metadata space       ─► commit, again; still none: put the bios aside
 *
 * I1  New blocks are only held until their mapping is inserted: a crash before
 *     that leaves them free, and nobody has been told anything.
 * I2  The mapping is inserted after all writes to the new block ended, so no
 *     commit can make durable a mapping whose block still has old content of
 *     somebody else: the commit flushes the data device after it closed.
 * I3  Before the mapping of a shared block is replaced, the volume's gate is
 *     drained: our own reads of the old block are over when its count falls and
 *     the other owner may overwrite it.
 */
#include "data-path/provision.h"

#include "data-path/commit.h"
#include "data-path/copy.h"
#include "data-path/fill.h"
#include "data-path/passdown.h"
#include "data-path/zeroes.h"
#include "include/trace/events/thinx.h"

/* Updates inserted in one critical section of the metadata lock. */
#define UPDATES_PER_HOLD 64

/* ---- planning ---- */

static enum thinx_fate first_fate(struct thinx_group *g, u32 i)
{
	thinx_word_t word = g->blocks[i].word;

	/* Holes only; the others stay as they are. */
	if (g->port->fill)
		return word == THINX_WORD_HOLE ? THINX_UPDATE : THINX_HOLE;
	if (word == THINX_WORD_HOLE)
		return g->is_zeroes &&
		       thinx_zeroes_hole_shows(g->port, g->begin + i) ?
			THINX_HOLE : THINX_UPDATE;
	return thinx_volume_sees_shared(g->volume, word) ?
		THINX_UPDATE : THINX_IN_PLACE;
}

/* Zeros over what is shared leave a hole, which takes no space. */
static bool becomes_hole(struct thinx_group *g, u32 i, unsigned int caps)
{
	return g->is_zeroes && g->blocks[i].fate == THINX_UPDATE &&
	       !g->port->fill && (caps & THINX_CAN_CHANGE) &&
	       thinx_zeroes_cover(list_first_entry(&g->bios, struct thinx_bio,
						   list), g->begin + i);
}

static void set_fate(struct thinx_group *g, u32 begin, u32 end,
		     enum thinx_fate fate)
{
	while (begin < end)
		g->blocks[begin++].fate = fate;
}

/* One past the last of the blocks from @i on that look shared. */
static u32 shared_end(struct thinx_group *g, u32 i)
{
	while (i < g->nr && g->blocks[i].word != THINX_WORD_HOLE &&
	       thinx_volume_sees_shared(g->volume, g->blocks[i].word))
		i++;
	return i;
}

/*
 * Blocks [begin, end) look shared.  Those that are not become ours, in place.
 * On return their fate is THINX_IN_PLACE; that of the others is untouched.
 */
static int restamp_exclusive(struct thinx_group *g, u32 begin, u32 end)
{
	struct thinx_volume *v = g->volume;
	thinx_word_t mappings[THINX_GROUP_BLOCKS];
	bool exclusive[THINX_GROUP_BLOCKS];
	u32 i;
	int r;

	r = thinx_md_restamp_locked(v->dev, g->begin + begin, end - begin,
				    mappings, exclusive);
	/* No metadata space now: treat them as shared, which can wait. */
	if (r == -ENOSPC && !thinx_md_is_broken(v->plane->md))
		return 0;
	if (r)
		return r;
	for (i = begin; i < end; i++) {
		if (!exclusive[i - begin])
			continue;
		g->blocks[i].word = mappings[i - begin];
		g->blocks[i].fate = THINX_IN_PLACE;
		thinx_volume_count(v, THINX_COUNT_BLOCKS_RESTAMPED, 1);
		thinx_map_cache_set(&v->cache, g->begin + i, 1,
				    g->blocks[i].word);
	}
	return 0;
}

/* How many blocks from @i on can be one update: holes, or one piece to copy. */
static u32 alike_from(struct thinx_group *g, u32 i)
{
	thinx_word_t word = g->blocks[i].word;
	u32 n = 1;

	for (; i + n < g->nr; n++) {
		if (g->blocks[i + n].fate != THINX_UPDATE ||
		    g->blocks[i + n].update)
			break;
		if (word == THINX_WORD_HOLE) {
			if (g->blocks[i + n].word != THINX_WORD_HOLE)
				break;
		} else if (g->blocks[i + n].word == THINX_WORD_HOLE ||
			   thinx_mapping_block(g->blocks[i + n].word) !=
			   thinx_mapping_block(word) + n) {
			break;
		}
	}
	return n;
}

static void init_update(struct thinx_group *g, u32 i, u32 nr,
			thinx_dblock_t dbegin)
{
	struct thinx_update *u = &g->blocks[i].own;
	u32 k;

	u->group = g;
	u->vbegin = g->begin + i;
	u->dbegin = dbegin;
	u->nr = nr;
	u->copy = g->blocks[i].word != THINX_WORD_HOLE;
	if (!u->copy)
		g->volume->filling += nr;
	u->unmap = false;
	u->source = u->copy ? thinx_mapping_block(g->blocks[i].word) : 0;
	u->status = BLK_STS_OK;
	u->retried = false;
	u->refused = false;
	u->zeros_failed = false;
	INIT_LIST_HEAD(&u->bios);
	atomic_set(&u->pending, 1);
	atomic_inc(&g->refs);
	for (k = 0; k < nr; k++)
		g->blocks[i + k].update = u;
}

/**
 * struct plan - what one pass of planning carries along
 * @caps: capabilities at its beginning
 * @free: data blocks that can still be handed out
 * @budget: how many of them this volume may take; U64_MAX: as many as are found,
 *	because none are reserved for others
 * @limit: most blocks that it may map
 * @fillable: holes that it may still fill
 * @trimming: data blocks that can be handed out soon
 * @low: the low water mark was reached
 * @misled: some were said to be free, but none was found
 * @limited: @fillable was too little
 */
struct plan {
	unsigned int caps;
	u64 free;
	u64 budget;
	u64 limit;
	u64 fillable;
	u64 trimming;
	bool low;
	bool misled;
	bool limited;
};

/* How many blocks a group may take. */
static u64 budget_of(struct thinx_group *g, const struct plan *p)
{
	return g->port->fill ? g->port->fill->claimed : p->budget;
}

/* @nr blocks were taken; the last of them found this many free. */
static void note_taken(struct thinx_group *g, struct plan *p, u64 nr)
{
	u64 found = p->free + p->trimming + 1;

	/* The mark may be any number: nothing is added to it. */
	found -= min(found, nr);
	if (found <= READ_ONCE(g->volume->plane->low_water))
		p->low = true;
	p->free -= min(p->free, nr);
	if (g->port->fill)
		thinx_fill_unclaim_locked(g->port->fill, nr);
	else
		p->budget -= nr;
}

static int allocate(struct thinx_group *g, struct plan *p)
{
	struct thinx_plane *plane = g->volume->plane;
	thinx_dblock_t dbegin;
	u32 i = 0, want;
	u64 nr;
	int r;

	while (i < g->nr) {
		if (g->blocks[i].fate != THINX_UPDATE || g->blocks[i].update) {
			i++;
			continue;
		}
		want = alike_from(g, i);
		if (!budget_of(g, p)) {
			set_fate(g, i, i + want, THINX_STARVED);
			i += want;
			continue;
		}
		want = min_t(u64, want, budget_of(g, p));
		r = thinx_md_find_run_locked(plane->md, want, &dbegin, &nr);
		if (r == -EXFULL) {
			p->low |= p->trimming <= READ_ONCE(plane->low_water);
			p->misled = p->free;
			set_fate(g, i, i + want, THINX_STARVED);
			i += want;
			continue;
		}
		if (r)
			return r;
		atomic_set(&plane->fruitless, 0);
		note_taken(g, p, nr);
		init_update(g, i, nr, dbegin);
		i += nr;
	}
	return 0;
}

static void make_holes(struct thinx_group *g, unsigned int caps)
{
	u32 i, end;

	for (i = 0; i < g->nr; i = end + 1) {
		for (end = i; end < g->nr && becomes_hole(g, end, caps); end++)
			;
		if (end == i)
			continue;
		init_update(g, i, end - i, 0);
		g->blocks[i].own.unmap = true;
	}
}

/* Holes beyond the limit stay holes, whether there is space or not. */
static void apply_limit(struct thinx_group *g, struct plan *p)
{
	u32 i;

	if (p->fillable == U64_MAX || !(p->caps & THINX_CAN_CHANGE) ||
	    g->port->fill)
		return;
	for (i = 0; i < g->nr; i++) {
		if (g->blocks[i].fate != THINX_UPDATE ||
		    g->blocks[i].word != THINX_WORD_HOLE ||
		    becomes_hole(g, i, p->caps))
			continue;
		if (p->fillable) {
			p->fillable--;
			continue;
		}
		g->blocks[i].fate = THINX_LIMITED;
		p->limited = true;
	}
}

/* Give every block of a write group a fate. */
static int plan_group(struct thinx_group *g, struct plan *p)
{
	unsigned int caps = p->caps;
	u32 i, end;
	int r;

	for (i = 0; i < g->nr; i++)
		g->blocks[i].fate = first_fate(g, i);
	apply_limit(g, p);
	if (g->port->fill && (caps & THINX_CAN_GROW) && budget_of(g, p))
		caps |= THINX_CAN_PROVISION;

	if (!(caps & THINX_CAN_PROVISION)) {
		for (i = 0; i < g->nr; i++)
			if (g->blocks[i].fate == THINX_UPDATE &&
			    !becomes_hole(g, i, caps))
				g->blocks[i].fate = caps & THINX_CAN_CHANGE ?
					THINX_STARVED : THINX_REFUSED;
		/* A block that only looks shared needs no data space. */
		if (!(caps & THINX_CAN_GROW)) {
			make_holes(g, caps);
			return 0;
		}
	}
	for (i = 0; i < g->nr; i = end > i ? end : i + 1) {
		end = g->port->fill ? i : shared_end(g, i);
		if (end == i)
			continue;
		r = restamp_exclusive(g, i, end);
		if (r)
			return r;
	}
	make_holes(g, caps);
	return caps & THINX_CAN_PROVISION ? allocate(g, p) : 0;
}

/* A failed plan: what was not decided is refused, what was found goes on. */
static void refuse_group(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		if (g->blocks[i].fate == THINX_UPDATE && !g->blocks[i].update)
			g->blocks[i].fate = THINX_REFUSED;
}

/* No bio may start to use the old mapping any more; see I3. */
static void hide_sources(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		if (g->blocks[i].fate == THINX_UPDATE &&
		    g->blocks[i].update->copy)
			thinx_map_cache_invalidate(&g->volume->cache,
						   g->begin + i,
						   g->begin + i + 1);
}

static bool group_needs_plan(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		if (first_fate(g, i) == THINX_UPDATE)
			return true;
	return false;
}

/* What looks shared may be restamped: have what this reads in memory. */
static void read_ahead_shared(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++) {
		if (g->blocks[i].word == THINX_WORD_HOLE ||
		    !thinx_volume_sees_shared(g->volume, g->blocks[i].word))
			continue;
		thinx_md_read_ahead_write(g->volume->dev, g->begin, g->nr);
		return;
	}
}

static void begin_plan(struct thinx_volume *v, struct plan *p)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_quota_view view;
	struct thinx_md_space s;
	u64 nr_free;

	thinx_md_get_space_locked(plane->md, &s);
	/* What is held to be trimmed stays somebody's. */
	nr_free = s.data_allocatable + plane->nr_trimming;
	thinx_quotas_settle(&plane->quotas, nr_free);
	thinx_quotas_view(&plane->quotas, v->id, nr_free, &view);
	p->free = s.data_allocatable;
	p->trimming = plane->nr_trimming;
	p->budget = view.available;
	p->fillable = U64_MAX;
	p->limit = view.limit;
	if (view.limit != THINX_NO_LIMIT)
		p->fillable = view.limit -
			      min(view.limit, thinx_md_dev_mapped_blocks(v->dev) +
					      v->filling + v->claimed);
	if (p->free && thinx_provision_may(p->caps, &view))
		p->caps |= THINX_CAN_PROVISION;
	if (thinx_md_space_is_out(&s))
		p->caps &= ~(THINX_CAN_GROW | THINX_CAN_PROVISION);
}

void thinx_provision_plan(struct thinx_volume *v, struct list_head *groups)
{
	struct thinx_plane *plane = v->plane;
	struct plan p = { .caps = thinx_plane_caps(plane) };
	struct thinx_group *g;
	u64 began = ktime_get_ns(), locked_at = 0;
	bool locked = false;
	int r, failed = 0;
	u32 i;

	list_for_each_entry(g, groups, list)
		if (g->is_write)
			read_ahead_shared(g);
	list_for_each_entry(g, groups, list) {
		if (!g->is_write)
			continue;
		for (i = 0; i < g->nr; i++)
			g->blocks[i].update = NULL;
		if (!locked && group_needs_plan(g)) {
			thinx_md_lock(plane->md);
			locked = true;
			locked_at = ktime_get_ns();
			begin_plan(v, &p);
		}
		if (!locked) {
			for (i = 0; i < g->nr; i++)
				g->blocks[i].fate = first_fate(g, i);
			continue;
		}
		r = plan_group(g, &p);
		if (r) {
			/* The groups after it are refused, too. */
			failed = r;
			p.caps = 0;
			refuse_group(g);
		}
		hide_sources(g);
	}
	if (!locked)
		return;
	thinx_quotas_take(&plane->quotas, v->id, p.free + p.trimming);
	thinx_md_unlock(plane->md);
	thinx_volume_time(v, THINX_TIME_LOCKED, locked_at);
	thinx_volume_time(v, THINX_TIME_PLANNING, began);

	if (p.limited)
		plane_warn_limit(plane, "thin device %u has reached its limit: writes to new blocks fail, %llu of %llu are mapped",
				 v->id, thinx_md_dev_mapped_blocks(v->dev),
				 p.limit);
	if (p.misled)
		atomic_inc(&plane->fruitless);
	if (thinx_md_dev_is_dirty(v->dev))
		thinx_commit_note_change(plane);
	if (p.low && !xchg(&plane->low_water_sent, true))
		plane->ops->low_water(plane->context);
	if (failed)
		thinx_plane_failed(plane, "planning a write", failed);
}

/* ---- writing the data ---- */

static void write_bios(struct thinx_update *u)
{
	struct thinx_plane *plane = u->group->volume->plane;
	sector_t vstart = thinx_plane_sector(plane, u->vbegin);
	sector_t dstart = thinx_plane_sector(plane, u->dbegin);
	struct thinx_bio *tb;
	struct bio *bio;

	list_for_each_entry(tb, &u->bios, list) {
		bio = thinx_bio_of(tb);
		thinx_bio_remember(tb);
		if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
			if (!u->unmap)
				thinx_copy_zeroes(u, tb);
			continue;
		}
		tb->update = u;
		atomic_inc(&u->pending);
		bio_set_dev(bio, plane->data_bdev);
		bio->bi_iter.bi_sector += dstart - vstart;
		thinx_bio_submit(tb, bio);
	}
}

void thinx_provision_start(struct thinx_update *u)
{
	u->since = ktime_get_ns();
	if (u->unmap || thinx_copy_fill_gaps(u))
		write_bios(u);
	thinx_update_part_done(u, BLK_STS_OK);
}

void thinx_provision_copied(struct thinx_volume *v)
{
	struct thinx_update *u, *tmp;
	LIST_HEAD(copied);

	spin_lock_irq(&v->lock);
	list_splice_init(&v->copied, &copied);
	spin_unlock_irq(&v->lock);
	list_for_each_entry_safe(u, tmp, &copied, list) {
		list_del(&u->list);
		write_bios(u);
		thinx_update_part_done(u, BLK_STS_OK);
	}
}

/* ---- inserting the mappings ---- */

/* Moves at most UPDATES_PER_HOLD updates; false if there are none. */
static bool take_prepared(struct thinx_volume *v, struct list_head *batch)
{
	struct thinx_update *u, *tmp;
	unsigned int nr = 0;

	spin_lock_irq(&v->lock);
	list_for_each_entry_safe(u, tmp, &v->prepared, list) {
		if (nr++ == UPDATES_PER_HOLD)
			break;
		list_move_tail(&u->list, batch);
	}
	spin_unlock_irq(&v->lock);
	return nr;
}

/*
 * Who breaks sharing has to wait for the volume's own reads of the old block,
 * which may take long; others do not wait with it.  The gate kicks the worker.
 */
static void begin_drain(struct thinx_volume *v, struct list_head *batch)
{
	struct thinx_update *u, *tmp;
	unsigned long ticket = 0;
	bool begun = false;

	list_for_each_entry_safe(u, tmp, batch, list) {
		if (!u->copy || u->status)
			continue;
		if (!begun)
			ticket = thinx_gate_begin_drain(&v->gate);
		begun = true;
		u->drain = ticket;
		list_move_tail(&u->list, &v->undrained);
	}
}

/* Moves those that need no longer wait; true if it stopped at UPDATES_PER_HOLD. */
static bool take_drained(struct thinx_volume *v, struct list_head *batch)
{
	struct thinx_update *u, *tmp;
	unsigned int nr = 0;

	list_for_each_entry_safe(u, tmp, &v->undrained, list) {
		if (nr++ == UPDATES_PER_HOLD ||
		    !thinx_gate_is_drained(&v->gate, u->drain))
			break;
		list_move_tail(&u->list, batch);
	}
	return nr > UPDATES_PER_HOLD;
}

/* Not all zeros are written yet; see I2. */
static void zero_again(struct list_head *batch)
{
	struct thinx_update *u, *tmp;

	list_for_each_entry_safe(u, tmp, batch, list) {
		if (u->status || !u->zeros_failed)
			continue;
		list_del(&u->list);
		thinx_copy_zero_again(u);
	}
}

/* A few leaves at most, so it is one step with what is inserted with it. */
static int unmap_locked(struct thinx_volume *v, struct thinx_update *u)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_md_removal *rm = plane->removal;
	int r;

	rm->begin = u->vbegin;
	rm->end = u->vbegin + u->nr;
	rm->want_freed = READ_ONCE(plane->pass_discards);
	do {
		rm->done = false;
		rm->nr_freed = 0;
		r = thinx_md_remove_range_locked(v->dev, rm);
		thinx_passdown_add(plane, rm->freed, rm->nr_freed,
				   thinx_md_open_generation(plane->md));
	} while (!r && !rm->done);
	return r;
}

/*
 * The first -ENOSPC means "retry after a commit", which gives back the metadata
 * blocks that this transaction freed; so does another one as long as @others can
 * be inserted.
 */
static int insert_locked(struct thinx_volume *v, struct thinx_update *u,
			 bool others)
{
	thinx_word_t mapping = THINX_WORD_HOLE;
	int r = 0;

	if (!u->status) {
		r = u->unmap ? unmap_locked(v, u) :
			thinx_md_insert_run_locked(v->dev, u->vbegin, u->dbegin,
						   u->nr, &mapping);
		if (r == -ENOSPC && !thinx_md_is_broken(v->plane->md)) {
			if (!u->retried || others)
				return r;
			u->refused = true;
		}
		if (r)
			u->status = BLK_STS_IOERR;
	}
	if (u->status && !u->unmap)
		thinx_md_unhold_locked(v->plane->md, u->dbegin,
				       u->dbegin + u->nr);
	else if (!u->status)
		thinx_map_cache_set(&v->cache, u->vbegin, u->nr, mapping);
	if (!u->copy)
		v->filling -= u->nr;
	return r;
}

/* All its data is written: the next stage begins. */
static void note_written(struct thinx_volume *v, struct list_head *batch)
{
	struct thinx_update *u;

	list_for_each_entry(u, batch, list) {
		if (u->status || u->retried)
			continue;
		thinx_volume_time(v, THINX_TIME_DATA, u->since);
		u->since = ktime_get_ns();
	}
}

static void read_ahead_update(struct thinx_volume *v, struct thinx_update *u)
{
	if (u->unmap)
		thinx_md_read_ahead_remove(v->dev, u->vbegin,
					   u->vbegin + u->nr);
	else
		thinx_md_read_ahead_write(v->dev, u->vbegin, u->nr);
}

static enum thinx_counter kind_of(const struct thinx_update *u)
{
	if (u->unmap)
		return THINX_COUNT_BLOCKS_DISCARDED;
	return u->copy ? THINX_COUNT_BLOCKS_UNSHARED :
			 THINX_COUNT_BLOCKS_PROVISIONED;
}

/*
 * Insert what can be inserted; what needs a commit first goes to @again.
 * Returns the first error that is not retried.
 */
static int insert_batch(struct thinx_volume *v, struct list_head *batch,
			struct list_head *again, bool *unheld)
{
	struct thinx_update *u, *tmp;
	bool inserted = false;
	u64 locked_at;
	int r, failed = 0;

	list_for_each_entry(u, batch, list)
		if (!u->status)
			read_ahead_update(v, u);
	note_written(v, batch);
	thinx_md_lock(v->plane->md);
	locked_at = ktime_get_ns();
	list_for_each_entry_safe(u, tmp, batch, list) {
		r = insert_locked(v, u, inserted);
		if (r == -ENOSPC && !u->status) {
			u->retried = true;
			list_move_tail(&u->list, again);
			continue;
		}
		if (r && !failed)
			failed = r;
		*unheld |= u->status != BLK_STS_OK;
		inserted |= !u->status;
	}
	thinx_md_unlock(v->plane->md);
	thinx_volume_time(v, THINX_TIME_LOCKED, locked_at);
	return failed;
}

/* The data is written and mapped, or it failed: end the bios, or put them aside. */
static void end_update(struct thinx_volume *v, struct thinx_update *u)
{
	struct thinx_bio *tb, *tmp;
	struct bio *bio;

	trace_thinx_update(v->plane->dev, v->id, u->vbegin,
			   u->dbegin, u->nr, u->copy,
			   blk_status_to_errno(u->status));
	if (!u->status) {
		thinx_volume_time(v, THINX_TIME_INSERTING, u->since);
		thinx_volume_count(v, kind_of(u), u->nr);
	}
	list_for_each_entry_safe(tb, tmp, &u->bios, list) {
		bio = thinx_bio_of(tb);
		if (u->refused) {
			thinx_bio_rewind(tb);
			thinx_bio_starve(tb, false);
			continue;
		}
		if (!u->status && tb->fua)
			thinx_commit_queue(v->plane, bio);
		else
			thinx_bio_end(bio, u->status);
	}
	thinx_group_put(u->group);
}

static void retry_after_commit(struct thinx_volume *v, struct list_head *again)
{
	if (list_empty(again))
		return;
	thinx_commit_now(v->plane);
	spin_lock_irq(&v->lock);
	list_splice(again, &v->prepared);
	spin_unlock_irq(&v->lock);
}

void thinx_provision_prepared(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_update *u, *tmp;
	bool more, unheld, refused;
	int failed;

	for (;;) {
		LIST_HEAD(batch);
		LIST_HEAD(again);

		more = take_prepared(v, &batch);
		zero_again(&batch);
		begin_drain(v, &batch);
		more |= take_drained(v, &batch);
		if (list_empty(&batch)) {
			if (more)
				continue;
			return;
		}
		unheld = false;
		failed = insert_batch(v, &batch, &again, &unheld);
		thinx_commit_note_change(plane);
		if (failed)
			thinx_plane_failed(plane, "inserting mappings", failed);
		refused = false;
		list_for_each_entry_safe(u, tmp, &batch, list) {
			refused |= u->refused;
			end_update(v, u);
		}
		/* There may be room by now: let them try again. */
		if (refused)
			thinx_commit_for_space(plane);
		if (unheld)
			plane->ops->space_changed(plane->context);
		retry_after_commit(v, &again);
	}
}
