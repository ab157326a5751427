// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Free data blocks are discarded on the data device, some at a time.
 *
 *   locked: free blocks ─► held       no lock: discards ─► wait for the last
 *                                                                  │
 *   locked: released ◄─────────────────────────────────────────────┘
 *      └─► writes that found no space try again
 *
 * I1  What is discarded is held, from before its discard is sent until it has
 *     ended, so no write goes there meanwhile; and nothing refers to it that a
 *     crash could bring back (metadata/trim.c).  So an abort does not matter: it
 *     forgets the hold, but after it nothing is handed out.
 * I2  Held blocks are space on its way (thinx_commit_brings_space()), and count as
 *     free for the low water mark.  A step holds half of what is free at most,
 *     unless the data device discards no less at once.
 */
#include "data-path/trim.h"

#include <linux/completion.h>

#include "data-path/granule.h"
#include "data-path/passdown.h"
#include "data-path/volume.h"

/* Most blocks of a step, and of large ones most sectors, if that is one block. */
#define BLOCKS_PER_STEP 1024
#define SECTORS_PER_STEP ((u32)1 << 21)

static struct thinx_granule granule_of(struct thinx_plane *plane)
{
	struct block_device *bdev = plane->data_bdev;
	u32 bytes = max(bdev_discard_granularity(bdev),
			plane->data_sector_size);
	struct thinx_granule g = { .sectors = bytes >> SECTOR_SHIFT };

	g.offset = (bdev_discard_alignment(bdev) >> SECTOR_SHIFT) % g.sectors;
	return g;
}

/**
 * struct discards - discards under way
 * @pending: A; bios, plus one while they are sent
 * @status: A; of one that failed
 * @ended: no more are pending
 */
struct discards {
	atomic_t pending;
	blk_status_t status;
	struct completion ended;
};

static void one_ended(struct discards *d)
{
	if (atomic_dec_and_test(&d->pending))
		complete(&d->ended);
}

static void discard_end_io(struct bio *bio)
{
	struct discards *d = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(d->status, bio->bi_status);
	bio_put(bio);
	one_ended(d);
}

/* Discard what is held, as far as the data device can. */
static int discard_held(struct thinx_plane *plane, const struct thinx_granule *g,
			struct thinx_trim *t)
{
	struct discards d = { .pending = ATOMIC_INIT(1) };
	const struct thinx_md_free *f = &t->free;
	u64 from, to, first, last;
	struct blk_plug plug;
	u32 i;
	int r;

	init_completion(&d.ended);
	blk_start_plug(&plug);
	for (i = 0; i < f->nr; i++) {
		if (!thinx_granule_fit(g, plane->block_sectors,
				       f->runs[i].begin, f->runs[i].end, &from,
				       &to))
			continue;
		thinx_passdown_send(plane, from, to, g->sectors, &d.pending,
				    discard_end_io, &d);
		first = div_u64(from + plane->block_sectors - 1,
				plane->block_sectors);
		last = div_u64(to, plane->block_sectors);
		t->trimmed += last > first ? last - first : 0;
	}
	blk_finish_plug(&plug);
	one_ended(&d);
	wait_for_completion_io(&d.ended);
	r = blk_status_to_errno(READ_ONCE(d.status));
	if (r)
		plane_err_limit(plane, "trim: data device (%pg): a discard between data blocks %llu and %llu failed: error %d",
				plane->data_bdev, t->from, f->begin, r);
	return r;
}

static void release_held(struct thinx_plane *plane,
			 const struct thinx_md_free *f)
{
	u32 i;

	thinx_md_lock(plane->md);
	for (i = 0; i < f->nr; i++)
		thinx_md_unhold_locked(plane->md, f->runs[i].begin,
				       f->runs[i].end);
	WRITE_ONCE(plane->nr_trimming, plane->nr_trimming - f->nr_held);
	thinx_md_unlock(plane->md);
	plane->ops->space_changed(plane->context);
	thinx_volumes_retry_starved(plane);
}

static int hold_some(struct thinx_plane *plane, const struct thinx_granule *g,
		     struct thinx_trim *t)
{
	struct thinx_md_free *f = &t->free;
	struct thinx_md_space s;
	int r;

	thinx_md_read_ahead_free(plane->md, t->from);
	thinx_md_lock(plane->md);
	thinx_md_get_space_locked(plane->md, &s);
	f->begin = t->from;
	f->max = clamp_t(u32, SECTORS_PER_STEP / plane->block_sectors, 1,
			 BLOCKS_PER_STEP);
	f->max = min3((u64)f->max, t->most - t->trimmed,
		      s.data_allocatable / 2);
	f->max = max_t(u64, f->max,
		       thinx_granule_least(g, plane->block_sectors));
	r = thinx_md_hold_free_locked(plane->md, f);
	if (!r)
		WRITE_ONCE(plane->nr_trimming,
			   plane->nr_trimming + f->nr_held);
	thinx_md_unlock(plane->md);
	return r;
}

int thinx_trim_step(struct thinx_plane *plane, struct thinx_trim *t)
{
	struct thinx_granule g = granule_of(plane);
	struct thinx_md_free *f = &t->free;
	const struct thinx_md_run *last;
	thinx_dblock_t first = t->from;
	int r;

	r = hold_some(plane, &g, t);
	if (r)
		return r;
	if (f->nr) {
		r = discard_held(plane, &g, t);
		release_held(plane, f);
	}
	t->done = f->done;
	t->from = f->begin;
	if (f->done || !f->nr)
		return r;
	last = &f->runs[f->nr - 1];
	if (last->end == f->begin)
		t->from = thinx_granule_next(&g, plane->block_sectors, first,
					     last->begin, last->end);
	return r;
}
