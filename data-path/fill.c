// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Giving blocks to holes because somebody asks, not because they are written.
 *
 *   claim ─► bio of a few blocks ─► deferred ─► group ─┬ mapped ─► left as it is
 *              (a request for zeros)                   └ hole ───► update: zeros
 *                                                       written, then inserted
 *
 * The bios are our own and come from no table, but in the volume's slow path they
 * are like any others.  So ranges, snapshots, discards and aborts need no thought
 * here, and a mapping is inserted only after the zeros are written (I2 of
 * provision.c): the commit flushes the data device before it makes it durable.
 *
 * I1  What is claimed is nobody else's: as long as there are no more holes than
 *     were claimed, all of them get blocks, whatever others write.
 * I2  Each block that a hole gets is taken from the claim, under the metadata lock.
 * I3  At most MAX_PENDING bios, of MAX_SECTORS each, are under way: others have the
 *     data device and the worker in between.
 *
 * Crash: some of the holes have blocks, which are zero.
 */
#include "data-path/fill.h"

#include <linux/delay.h>

#include "data-path/bio.h"
#include "data-path/group.h"

#define MAX_PENDING 4

/* Sectors of a bio, unless a block has more. */
#define MAX_SECTORS ((4 << 20) >> SECTOR_SHIFT)

int thinx_fill_begin(struct thinx_fill *f, struct thinx_plane *plane, u32 id)
{
	*f = (struct thinx_fill){ .port.fill = f, .port.keeps_blocks = true };
	init_waitqueue_head(&f->idle);
	return thinx_volume_use(plane, id, &f->port.volume);
}

int thinx_fill_claim(struct thinx_fill *f, u64 nr, struct thinx_fill_room *room)
{
	struct thinx_volume *v = f->port.volume;
	struct thinx_quotas *q = &v->plane->quotas;
	struct thinx_quota_view view;
	struct thinx_md_space s;
	u64 nr_free;
	int r = 0;

	thinx_md_lock(v->plane->md);
	thinx_md_get_space_locked(v->plane->md, &s);
	nr_free = s.data_allocatable + v->plane->nr_trimming;
	thinx_quotas_view(q, v->id, nr_free, &view);
	room->nr_free = min(view.available, nr_free);
	room->mapped = thinx_md_dev_mapped_blocks(v->dev) + v->filling +
		       v->claimed;
	room->limit = view.limit;
	if (view.limit != THINX_NO_LIMIT &&
	    (room->mapped > view.limit || nr > view.limit - room->mapped))
		r = -ENOSPC;
	if (!r)
		r = thinx_quotas_claim(q, v->id, nr, nr_free, &room->nr_free);
	if (!r) {
		v->claimed += nr;
		f->claimed += nr;
	}
	thinx_md_unlock(v->plane->md);
	return r;
}

void thinx_fill_unclaim_locked(struct thinx_fill *f, u64 nr)
{
	struct thinx_volume *v = f->port.volume;

	thinx_md_assert_locked(v->plane->md);
	thinx_quotas_unclaim(&v->plane->quotas, nr);
	v->claimed -= nr;
	f->claimed -= nr;
}

u64 thinx_fill_step(struct thinx_plane *plane)
{
	return clamp_t(u64, MAX_SECTORS / plane->block_sectors, 1,
		       THINX_GROUP_BLOCKS);
}

static void fill_end_io(struct bio *bio)
{
	struct thinx_fill *f = bio->bi_private;
	blk_status_t status = bio->bi_status;
	unsigned long flags;

	bio_put(bio);
	/* Under the lock: after it the fill may be gone; see thinx_fill_wait(). */
	spin_lock_irqsave(&f->idle.lock, flags);
	if (status && !f->status)
		f->status = status;
	WRITE_ONCE(f->nr_pending, f->nr_pending - 1);
	wake_up_locked(&f->idle);
	spin_unlock_irqrestore(&f->idle.lock, flags);
}

static struct bio *alloc_bio(struct thinx_plane *plane)
{
	struct bio *bio;

	/* What is kept in reserve is for those who cannot wait. */
	do {
		bio = bio_alloc_bioset(plane->data_bdev, 0,
				       REQ_OP_WRITE_ZEROES | REQ_NOUNMAP,
				       GFP_NOWAIT | __GFP_NOWARN,
				       &plane->pieces);
		if (!bio)
			msleep(20);
	} while (!bio);
	return bio;
}

int thinx_fill_send(struct thinx_fill *f, thinx_vblock_t begin,
		    thinx_vblock_t end)
{
	struct thinx_plane *plane = f->port.volume->plane;
	struct thinx_bio *tb;
	struct bio *bio;

	wait_event_idle(f->idle, READ_ONCE(f->nr_pending) < MAX_PENDING);
	if (READ_ONCE(f->status))
		return blk_status_to_errno(f->status);
	bio = alloc_bio(plane);
	bio->bi_iter.bi_sector = thinx_plane_sector(plane, begin);
	bio->bi_iter.bi_size = thinx_plane_sector(plane, end - begin) <<
			       SECTOR_SHIFT;
	bio->bi_end_io = fill_end_io;
	bio->bi_private = f;
	tb = thinx_bio_state(plane, bio);
	memset(tb, 0, sizeof(*tb));
	tb->port = &f->port;
	tb->is_piece = true;
	spin_lock_irq(&f->idle.lock);
	WRITE_ONCE(f->nr_pending, f->nr_pending + 1);
	spin_unlock_irq(&f->idle.lock);
	thinx_bio_defer(tb);
	return 0;
}

int thinx_fill_wait(struct thinx_fill *f)
{
	blk_status_t status;

	wait_event_idle(f->idle, !READ_ONCE(f->nr_pending));
	/* Whoever ended last is out of it. */
	spin_lock_irq(&f->idle.lock);
	status = f->status;
	f->status = BLK_STS_OK;
	spin_unlock_irq(&f->idle.lock);
	return blk_status_to_errno(status);
}

void thinx_fill_end(struct thinx_fill *f)
{
	struct thinx_volume *v = f->port.volume;
	struct thinx_plane *plane = v->plane;

	thinx_md_lock(plane->md);
	thinx_fill_unclaim_locked(f, f->claimed);
	thinx_md_unlock(plane->md);
	thinx_volume_unuse(v);
	/* Others may have met a full pool because of the claim. */
	plane->ops->space_changed(plane->context);
	thinx_volumes_retry_starved(plane);
}
