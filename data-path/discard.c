// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discards unmap the whole blocks they cover; partial ones are left alone.
 *
 *   queued ─► hold the range ─► forget it in the map cache ─► drain the gate
 *          ─► step: unmap a few leaves, store holes │ again until done
 *          ─► release the range, complete
 *          ─► after the commit: discard what became free (passdown.c)
 *
 * Discards of a volume have their turn in order of arrival: many small ones at a
 * time, which share a drain of the gate, or a big one.  Only those whose turn it
 * is hold their range; the next one claims its own (range-lock.h), so that writes
 * that keep coming do not keep it waiting.
 *
 * A big discard is worked on step by step, with other bios of the volume in
 * between; only those that overlap its range wait for it.  It waits itself
 * while the open transaction, or what is to be passed down, has grown large:
 * memory for them is bounded, however slow the devices are.  If a step finds no
 * metadata room, not even after a commit, the discard fails with ENOSPC.
 *
 * Zeros that may be unmapped come as discards, too.  What cannot be unmapped is
 * then written instead.
 *
 * Crash: each step is a consistent change of the metadata; a discard that did
 * not complete has unmapped a part of its range, from the front.
 */
#include "data-path/discard.h"

#include <linux/slab.h>

#include "data-path/commit.h"
#include "data-path/passdown.h"
#include "include/thinx-memory.h"
#include "include/trace/events/thinx.h"

/* Steps of all discards of a volume before other bios get their turn. */
#define STEPS_PER_PASS 16

/* Most discards, and most blocks of more than one, that have a turn together. */
#define TURN_DISCARDS 64
#define TURN_BLOCKS 16384

/**
 * struct thinx_discard - a discard under way
 * @list: W; in thinx_volume.queued or .discards
 * @tb: the bio
 * @range: what it holds, or claims
 * @next: first block not yet unmapped
 * @end: one past the last
 * @has_range: it holds or claims it
 * @committed: the last step found no metadata space, and then a commit was made
 */
struct thinx_discard {
	struct list_head list;
	struct thinx_bio *tb;
	struct thinx_range range;
	thinx_vblock_t next;
	thinx_vblock_t end;
	bool has_range;
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

void thinx_discard_queue(struct thinx_volume *v, struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);
	struct thinx_discard *d;
	thinx_vblock_t begin, end;

	thinx_volume_count(v, THINX_COUNT_DISCARD, 1);
	whole_blocks(v->plane, bio, &begin, &end);
	if (begin >= end) {
		thinx_bio_end(bio, BLK_STS_OK);
		return;
	}
	d = kmalloc(sizeof(*d), THINX_GFP_TRY);
	if (!d && bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		/* Without memory, they are written. */
		bio->bi_opf |= REQ_NOUNMAP;
		list_add_tail(&tb->list, &v->zeroes);
		return;
	}
	if (!d) {
		thinx_bio_end(bio, BLK_STS_RESOURCE);
		return;
	}
	d->tb = tb;
	d->next = begin;
	d->end = end;
	d->has_range = false;
	d->committed = false;
	list_add_tail(&d->list, &v->queued);
}

static void end_discard(struct thinx_volume *v, struct thinx_discard *d,
			blk_status_t status)
{
	list_del(&d->list);
	if (!status)
		thinx_bio_waited(d->tb, THINX_TIME_DISCARDING);
	if (d->has_range)
		thinx_volume_unlock_range(v, &d->range);
	thinx_bio_end(thinx_bio_of(d->tb), status);
	kfree(d);
}

static bool is_zeroes(struct thinx_discard *d)
{
	return bio_op(thinx_bio_of(d->tb)) == REQ_OP_WRITE_ZEROES;
}

/*
 * Zeros that cannot be unmapped, or not to the end, are written: see
 * zero-range.c.
 */
static void write_zeros(struct thinx_volume *v, struct thinx_discard *d)
{
	struct bio *bio = thinx_bio_of(d->tb);
	sector_t done = thinx_plane_sector(v->plane, d->next) -
			bio->bi_iter.bi_sector;

	bio->bi_opf |= REQ_NOUNMAP;
	bio_advance(bio, (u32)done << SECTOR_SHIFT);
	list_add_tail(&d->tb->list, &v->zeroes);
	list_del(&d->list);
	if (d->has_range)
		thinx_volume_unlock_range(v, &d->range);
	kfree(d);
}

/*
 * Take as many from the queue as have their turn together.  The first that does
 * not get its range claims it.  Nobody has to tell us when it can be had: ranges
 * are let go by the worker only, which comes by here afterwards.
 */
static void take_turn(struct thinx_volume *v)
{
	unsigned int caps = thinx_plane_caps(v->plane), nr = 0;
	struct thinx_discard *d, *tmp;
	u64 nr_blocks = 0;

	list_for_each_entry_safe(d, tmp, &v->queued, list) {
		if (thinx_port_requeues(d->tb->port)) {
			end_discard(v, d, BLK_STS_DM_REQUEUE);
			continue;
		}
		if (!(caps & THINX_CAN_CHANGE) && is_zeroes(d)) {
			write_zeros(v, d);
			continue;
		}
		if (!(caps & THINX_CAN_CHANGE)) {
			end_discard(v, d, caps & THINX_CAN_MAP ? BLK_STS_OK :
								 BLK_STS_IOERR);
			continue;
		}
		nr_blocks += d->end - d->next;
		if (nr == TURN_DISCARDS || (nr && nr_blocks > TURN_BLOCKS))
			break;
		d->has_range = true;
		if (!thinx_range_claim(&v->ranges, &d->range, d->next, d->end))
			break;
		list_move_tail(&d->list, &v->discards);
		nr++;
	}
	if (!nr)
		return;
	list_for_each_entry(d, &v->discards, list)
		thinx_map_cache_invalidate(&v->cache, d->range.begin,
					   d->range.end);
	v->turn = thinx_gate_begin_drain(&v->gate);
}

static void discard_step(struct thinx_volume *v, struct thinx_discard *d)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_md_removal *rm = plane->removal;
	u64 locked_at, mapped;
	bool done;
	int r;

	thinx_md_read_ahead_remove(v->dev, d->next, d->end);
	thinx_md_lock(plane->md);
	locked_at = ktime_get_ns();
	mapped = thinx_md_dev_mapped_blocks(v->dev);
	rm->begin = d->next;
	rm->end = d->end;
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
	mapped -= thinx_md_dev_mapped_blocks(v->dev);
	thinx_md_unlock(plane->md);
	thinx_volume_time(v, THINX_TIME_LOCKED, locked_at);
	thinx_volume_count(v, THINX_COUNT_BLOCKS_DISCARDED, mapped);

	thinx_commit_note_change(plane);
	if (r == -ENOSPC && !d->committed && !thinx_md_is_broken(plane->md)) {
		/* A commit gives back the blocks this transaction freed. */
		d->committed = true;
		thinx_commit_now(plane);
		return;
	}
	d->committed = false;
	if (r == -ENOSPC && is_zeroes(d) &&
	    !thinx_md_is_broken(plane->md)) {
		write_zeros(v, d);
	} else if (r == -ENOSPC && !thinx_md_is_broken(plane->md)) {
		/* That says nothing about others, and harms nobody. */
		plane_err_limit(plane, "thin device %u: no metadata room to unmap block %llu and those behind it",
				v->id, d->next);
		end_discard(v, d, BLK_STS_NOSPC);
	} else if (r) {
		thinx_plane_failed(plane, "unmapping a discarded range", r);
		end_discard(v, d, BLK_STS_IOERR);
	} else if (done) {
		end_discard(v, d, BLK_STS_OK);
	}
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
	list_for_each_entry_safe(d, tmp, &v->queued, list)
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
bool thinx_discard_has_to_wait(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;

	/* Nothing will come of it, so it ends now. */
	if (!(thinx_plane_caps(plane) & THINX_CAN_MAP))
		return false;
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
	unsigned int nr;

	for (nr = 0; nr < STEPS_PER_PASS; nr++) {
		if (list_empty(&v->discards) && list_empty(&v->queued))
			return false;
		if (thinx_discard_has_to_wait(v)) {
			give_back(v);
			return false;
		}
		if (list_empty(&v->discards))
			take_turn(v);
		/* The gate kicks the worker when it may be drained. */
		if (list_empty(&v->discards) ||
		    !thinx_gate_is_drained(&v->gate, v->turn))
			return false;
		discard_step(v, list_first_entry(&v->discards,
						 struct thinx_discard, list));
	}
	return !list_empty(&v->discards) || !list_empty(&v->queued);
}
