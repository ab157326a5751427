// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discards unmap the whole blocks they cover; partial ones are left alone.
 *
 *   deferred ─► hold the range ─► forget it in the map cache ─► drain the gate
 *            ─► step: unmap a few leaves, store holes │ again until done
 *            ─► release the range, complete
 *            ─► after the commit: discard what became free (passdown.c)
 *
 * A big discard is worked on step by step, with other bios of the volume in
 * between; only those that overlap its range wait for it.  It waits itself
 * while the open transaction, or what is to be passed down, has grown large:
 * memory for them is bounded, however slow the devices are.
 *
 * Crash: each step is a consistent change of the metadata; a discard that did
 * not complete has unmapped a part of its range, from the front.
 */
#include "data-path/discard.h"

#include <linux/slab.h>

#include "data-path/commit.h"
#include "data-path/passdown.h"
#include "include/trace/events/thinx.h"

/* Steps of all discards of a volume before other bios get their turn. */
#define STEPS_PER_PASS 16

/**
 * struct thinx_discard - a discard under way
 * @list: W
 * @tb: the bio
 * @range: what it holds
 * @next: first block not yet unmapped
 * @committed: the last step found no metadata space, and then a commit was made
 */
struct thinx_discard {
	struct list_head list;
	struct thinx_bio *tb;
	struct thinx_range range;
	thinx_vblock_t next;
	bool committed;
};

/* Whole blocks of the bio; an empty range if there are none. */
static void whole_blocks(struct thinx_plane *plane, struct bio *bio,
			 thinx_vblock_t *begin, thinx_vblock_t *end)
{
	u32 offset;

	*begin = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	if (offset)
		(*begin)++;
	*end = thinx_plane_block(plane, bio_end_sector(bio), &offset);
}

void thinx_discard_start(struct thinx_volume *v, struct thinx_bio *tb,
			 struct list_head *started)
{
	struct bio *bio = thinx_bio_of(tb);
	struct thinx_discard *d;
	thinx_vblock_t begin, end;

	whole_blocks(v->plane, bio, &begin, &end);
	if (begin >= end ||
	    !(thinx_plane_caps(v->plane) & THINX_CAN_CHANGE)) {
		thinx_bio_end(bio, BLK_STS_OK);
		return;
	}
	d = kmalloc(sizeof(*d), GFP_NOIO);
	if (!d) {
		thinx_bio_end(bio, BLK_STS_RESOURCE);
		return;
	}
	d->tb = tb;
	d->next = begin;
	d->committed = false;
	if (thinx_range_lock_or_wait(&v->ranges, &d->range, &tb->waiter,
				     begin, end))
		list_add_tail(&d->list, started);
	else
		kfree(d);
}

void thinx_discard_drain(struct thinx_volume *v, struct list_head *started)
{
	struct thinx_discard *d;

	if (list_empty(started))
		return;
	list_for_each_entry(d, started, list)
		thinx_map_cache_invalidate(&v->cache, d->range.begin,
					   d->range.end);
	thinx_gate_drain(&v->gate);
	list_splice_tail(started, &v->discards);
}

static void end_discard(struct thinx_volume *v, struct thinx_discard *d,
			blk_status_t status)
{
	list_del(&d->list);
	thinx_volume_unlock_range(v, &d->range);
	thinx_bio_end(thinx_bio_of(d->tb), status);
	kfree(d);
}

/* One step.  Returns true when the discard has ended. */
static bool discard_step(struct thinx_volume *v, struct thinx_discard *d)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_md_removal *rm = plane->removal;
	bool done;
	int r;

	thinx_md_lock(plane->md);
	rm->begin = d->next;
	rm->end = d->range.end;
	rm->want_freed = READ_ONCE(plane->pass_discards);
	rm->done = false;
	rm->nr_freed = 0;
	r = thinx_md_remove_range_locked(v->dev, rm);
	if (!r) {
		thinx_vblock_t reached = rm->done ? rm->end : rm->begin;

		thinx_map_cache_set(&v->cache, d->next, reached - d->next,
				    THINX_WORD_HOLE);
		trace_thinx_discard_step(plane->dev, v->id,
					 d->next, reached);
		d->next = reached;
	}
	thinx_passdown_add(plane, rm->freed, rm->nr_freed,
			   thinx_md_open_generation(plane->md));
	done = rm->done;
	thinx_md_unlock(plane->md);

	thinx_commit_note_change(plane);
	if (r == -ENOSPC && !d->committed && !thinx_md_is_broken(plane->md)) {
		/* A commit gives back the blocks this transaction freed. */
		d->committed = true;
		thinx_commit_now(plane);
		return false;
	}
	d->committed = false;
	if (r) {
		thinx_plane_failed(plane, "unmapping a discarded range", r);
		end_discard(v, d, BLK_STS_IOERR);
		return true;
	}
	if (!done)
		return false;
	end_discard(v, d, BLK_STS_OK);
	return true;
}

/*
 * A suspend that gives bios back must not wait for what keeps discards from
 * making steps: neither a discard nor the bios that wait for its range may hold
 * it up.  What is already unmapped stays unmapped; the rest comes again.
 */
static void give_back(struct thinx_volume *v)
{
	struct thinx_discard *d, *tmp;

	list_for_each_entry_safe(d, tmp, &v->discards, list)
		if (thinx_port_requeues(d->tb->port))
			end_discard(v, d, BLK_STS_DM_REQUEUE);
}

/*
 * Is the open transaction so large that it should not grow?  Others may have
 * made it so again after the commit: then it is our turn, for one step.
 */
static bool awaits_commit(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;

	if (!thinx_md_is_heavy(plane->md) ||
	    !(thinx_plane_caps(plane) & THINX_CAN_CHANGE)) {
		v->awaited = 0;
		return false;
	}
	if (!v->awaited)
		v->awaited = thinx_md_open_generation(plane->md);
	if (thinx_md_completed_generation(plane->md) < v->awaited)
		return true;
	v->awaited = 0;
	return false;
}

/*
 * Whoever opens the gate kicks the worker.  Whoever clears one of the other
 * conditions calls thinx_volumes_retry_starved() then: so look again once we
 * can be found, and ask for a commit only after that.  If it is too much on its
 * way to the data device, only what is not durable needs a commit: the device
 * may be slow already.
 */
static bool has_to_wait(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;

	if (thinx_gate_is_closed(&v->gate))
		return true;
	if (!thinx_passdown_is_crowded(plane) && !awaits_commit(v))
		return false;
	thinx_volume_waits(v);
	if (thinx_passdown_is_crowded(plane)) {
		if (thinx_passdown_awaits_commit(plane))
			thinx_commit_soon(plane);
		return true;
	}
	if (!awaits_commit(v))
		return false;
	thinx_commit_for_discards(plane);
	return true;
}

bool thinx_discard_process(struct thinx_volume *v)
{
	struct thinx_discard *d;
	unsigned int nr;

	for (nr = 0; nr < STEPS_PER_PASS; nr++) {
		if (list_empty(&v->discards))
			return false;
		if (has_to_wait(v)) {
			give_back(v);
			return false;
		}
		d = list_first_entry(&v->discards, struct thinx_discard, list);
		if (!discard_step(v, d))
			list_move_tail(&d->list, &v->discards);
	}
	return !list_empty(&v->discards);
}
