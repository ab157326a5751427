// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discards that go on to the data device, after the fact.
 *
 *   unmapped in generation g ─► queued, held ─► g durable ─► discard bios
 *                                                              │ all ended
 *            blocks may be handed out again ◄── hold ended ◄───┘
 *
 * I1  A run is discarded only after the commit that freed it is durable: until
 *     then a crash or an abort brings the mapping back, with its data.
 * I2  A run is held, and so not handed out, until its discard has ended.
 * I3  A discard of a volume ends when its range is unmapped, so discards may
 *     arrive faster than the data device takes them.  Beyond a limit they wait
 *     (discard.c), and what has ended is released every few hundred runs.
 * I4  Errors of these discards are of no consequence: the blocks are free
 *     whatever the data device did.
 */
#include "data-path/passdown.h"

#include <linux/slab.h>

#include "data-path/volume.h"
#include "include/thinx-memory.h"
#include "include/trace/events/thinx.h"

/* Runs issued before those that have ended are released. */
#define ISSUE_AT_ONCE 256

/* With this many runs, discards of volumes wait. */
#define CROWDED 16384

/* bi_size has 32 bits. */
#define MAX_DISCARD_SECTORS ((sector_t)1 << 21)

/**
 * struct passdown_run - a run on its way
 * @list: in thinx_passdown.queued or .done
 * @plane: I
 * @begin: I; first data block
 * @end: I; one past the last
 * @generation: I; must be durable first
 * @pending: A; bios under way, plus one while it is issued
 */
struct passdown_run {
	struct list_head list;
	struct thinx_plane *plane;
	thinx_dblock_t begin;
	thinx_dblock_t end;
	u64 generation;
	atomic_t pending;
};

void thinx_passdown_kick(struct thinx_plane *plane)
{
	queue_work(plane->wq, &plane->passdown.work);
}

static void part_done(struct passdown_run *run)
{
	struct thinx_passdown *p = &run->plane->passdown;
	unsigned long flags;

	if (!atomic_dec_and_test(&run->pending))
		return;
	spin_lock_irqsave(&p->lock, flags);
	list_add_tail(&run->list, &p->done);
	thinx_passdown_kick(run->plane);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void discard_end_io(struct bio *bio)
{
	struct passdown_run *run = bio->bi_private;

	bio_put(bio);
	part_done(run);
}

void thinx_passdown_send(struct thinx_plane *plane, sector_t sector,
			 sector_t end, u32 granule, atomic_t *pending,
			 bio_end_io_t *end_io, void *private)
{
	sector_t most = MAX_DISCARD_SECTORS, nr;
	struct bio *bio;

	if (granule < most)
		most -= most % granule;
	for (; sector < end; sector += nr) {
		nr = min(end - sector, most);
		bio = bio_alloc_bioset(plane->data_bdev, 0, REQ_OP_DISCARD,
				       GFP_NOIO, &plane->bios);
		bio->bi_iter.bi_sector = sector;
		bio->bi_iter.bi_size = nr << SECTOR_SHIFT;
		bio->bi_end_io = end_io;
		bio->bi_private = private;
		atomic_inc(pending);
		submit_bio(bio);
	}
}

static void issue_run(struct passdown_run *run)
{
	struct thinx_plane *plane = run->plane;

	trace_thinx_passdown(plane->dev, 0, run->begin,
			     run->end);
	atomic_set(&run->pending, 1);
	thinx_passdown_send(plane, thinx_plane_sector(plane, run->begin),
			    thinx_plane_sector(plane, run->end), 1,
			    &run->pending, discard_end_io, run);
	part_done(run);
}

static void note_runs_gone(struct thinx_plane *plane, unsigned int nr)
{
	struct thinx_passdown *p = &plane->passdown;

	spin_lock_irq(&p->lock);
	p->nr -= nr;
	if (!p->nr)
		wake_up_all(&p->wait);
	spin_unlock_irq(&p->lock);
}

/* Take some runs that are durable; returns true if there may be more. */
static bool take_ready(struct thinx_passdown *p, u64 durable,
		       struct list_head *ready)
{
	struct passdown_run *run, *tmp;
	unsigned int nr = 0;

	lockdep_assert_held(&p->lock);
	list_for_each_entry_safe(run, tmp, &p->queued, list) {
		/* They are queued in order of generation. */
		if (run->generation > durable)
			return false;
		if (nr++ == ISSUE_AT_ONCE)
			return true;
		list_move_tail(&run->list, ready);
	}
	return false;
}

static void passdown_work(struct work_struct *work)
{
	struct thinx_plane *plane = container_of(work, struct thinx_plane,
						 passdown.work);
	struct thinx_passdown *p = &plane->passdown;
	u64 durable = thinx_md_completed_generation(plane->md);
	struct passdown_run *run, *tmp;
	struct blk_plug plug;
	unsigned int nr = 0;
	LIST_HEAD(ready);
	LIST_HEAD(done);
	bool more;

	spin_lock_irq(&p->lock);
	list_splice_init(&p->done, &done);
	more = take_ready(p, durable, &ready);
	spin_unlock_irq(&p->lock);

	blk_start_plug(&plug);
	list_for_each_entry_safe(run, tmp, &ready, list)
		issue_run(run);
	blk_finish_plug(&plug);
	if (more)
		thinx_passdown_kick(plane);

	if (list_empty(&done))
		return;
	thinx_md_lock(plane->md);
	list_for_each_entry(run, &done, list)
		thinx_md_unhold_locked(plane->md, run->begin, run->end);
	thinx_md_unlock(plane->md);
	list_for_each_entry_safe(run, tmp, &done, list) {
		kfree(run);
		nr++;
	}
	note_runs_gone(plane, nr);
	plane->ops->space_changed(plane->context);
	thinx_volumes_retry_starved(plane);
}

void thinx_passdown_add(struct thinx_plane *plane,
			const struct thinx_md_run *runs, u32 nr, u64 generation)
{
	struct thinx_passdown *p = &plane->passdown;
	struct passdown_run *run;
	u32 i;

	thinx_md_assert_locked(plane->md);
	for (i = 0; i < nr; i++) {
		run = kmalloc(sizeof(*run), THINX_GFP_TRY);
		if (!run) {
			thinx_md_unhold_locked(plane->md, runs[i].begin,
					       runs[i].end);
			continue;
		}
		run->plane = plane;
		run->begin = runs[i].begin;
		run->end = runs[i].end;
		run->generation = generation;
		spin_lock_irq(&p->lock);
		list_add_tail(&run->list, &p->queued);
		p->nr++;
		WRITE_ONCE(p->newest, generation);
		spin_unlock_irq(&p->lock);
	}
	/* The commit that frees them may already be over. */
	if (nr)
		thinx_passdown_kick(plane);
}

bool thinx_passdown_pending(struct thinx_plane *plane)
{
	return READ_ONCE(plane->passdown.nr) != 0;
}

bool thinx_passdown_is_crowded(struct thinx_plane *plane)
{
	return READ_ONCE(plane->passdown.nr) >= CROWDED;
}

bool thinx_passdown_awaits_commit(struct thinx_plane *plane)
{
	return READ_ONCE(plane->passdown.newest) >
	       thinx_md_completed_generation(plane->md);
}

void thinx_passdown_flush(struct thinx_plane *plane)
{
	thinx_passdown_kick(plane);
	wait_event(plane->passdown.wait, !READ_ONCE(plane->passdown.nr));
	flush_work(&plane->passdown.work);
}

void thinx_passdown_forget(struct thinx_plane *plane)
{
	struct thinx_passdown *p = &plane->passdown;
	struct passdown_run *run, *tmp;
	unsigned int nr = 0;
	LIST_HEAD(dropped);

	spin_lock_irq(&p->lock);
	list_splice_init(&p->queued, &dropped);
	spin_unlock_irq(&p->lock);
	list_for_each_entry_safe(run, tmp, &dropped, list) {
		kfree(run);
		nr++;
	}
	note_runs_gone(plane, nr);
}

void thinx_passdown_init(struct thinx_plane *plane)
{
	struct thinx_passdown *p = &plane->passdown;

	spin_lock_init(&p->lock);
	INIT_LIST_HEAD(&p->queued);
	INIT_LIST_HEAD(&p->done);
	INIT_WORK(&p->work, passdown_work);
	init_waitqueue_head(&p->wait);
}
