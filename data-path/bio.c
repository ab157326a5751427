// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A bio and its state: how each is found from the other, where a read of a hole
 * goes, how a bio is submitted, deferred, or put aside for lack of space.
 */
#include "data-path/bio.h"

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/slab.h>

struct bio *thinx_bio_of(struct thinx_bio *tb)
{
	if (tb->is_piece)
		return &container_of(tb, struct thinx_piece, state)->bio;
	return dm_bio_from_per_bio_data(tb, thinx_map_bio_size);
}

struct thinx_bio *thinx_bio_state(struct thinx_plane *plane, struct bio *bio)
{
	if (bio->bi_pool == &plane->pieces)
		return &container_of(bio, struct thinx_piece, bio)->state;
	return dm_per_bio_data(bio, thinx_map_bio_size);
}

static void note_deferral(struct thinx_bio *tb)
{
	struct thinx_volume *v = tb->port->volume;

	tb->since = thinx_bio_now();
	thinx_volume_count(v, THINX_COUNT_DEFERRED, 1);
	if (thinx_gate_is_closed(&v->gate))
		thinx_volume_count(v, THINX_COUNT_GATE_CLOSED, 1);
}

void thinx_bio_defer(struct thinx_bio *tb)
{
	struct thinx_volume *v = tb->port->volume;
	unsigned long flags;

	note_deferral(tb);
	spin_lock_irqsave(&v->lock, flags);
	list_add_tail(&tb->list, &v->deferred);
	/* Under the lock: after it the bio may end, and the volume with it. */
	thinx_volume_kick(v);
	spin_unlock_irqrestore(&v->lock, flags);
}

/*
 * Hold the bio if something may change that; the capabilities are checked, and
 * the volume enters the list of those that wait, under the lock that
 * thinx_volumes_retry_starved() takes after they changed, so that no bio is
 * forgotten.  A port's @requeue is under the volume's own.
 */
void thinx_bio_starve(struct thinx_bio *tb, bool coming)
{
	struct thinx_volume *v = tb->port->volume;
	unsigned int caps, hold = THINX_CAN_PROVISION | THINX_NO_SPACE_HOLD;
	blk_status_t status = BLK_STS_IOERR;
	unsigned long flags;

	/* What was claimed is there: who finds less asks again. */
	if (tb->port->fill && !coming)
		hold = 0;
	if (coming)
		hold |= THINX_NO_SPACE_ERROR;
	spin_lock_irqsave(&v->plane->waiting_lock, flags);
	spin_lock(&v->lock);
	caps = thinx_plane_caps(v->plane);
	if (thinx_port_requeues(tb->port)) {
		status = BLK_STS_DM_REQUEUE;
	} else if (caps & hold) {
		tb->since = thinx_bio_now();
		list_add_tail(&tb->list, &v->starved);
		thinx_volume_count(v, THINX_COUNT_STARVED, 1);
		thinx_volume_waits_locked(v);
		status = BLK_STS_OK;
	} else if ((caps & THINX_NO_SPACE_ERROR) || tb->port->fill) {
		status = BLK_STS_NOSPC;
	}
	spin_unlock(&v->lock);
	spin_unlock_irqrestore(&v->plane->waiting_lock, flags);
	if (status)
		thinx_bio_end(thinx_bio_of(tb), status);
}

void thinx_bio_remember(struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);

	tb->iter = bio->bi_iter;
	/* Submitting clears the flag if the device has no cache. */
	tb->fua = bio->bi_opf & REQ_FUA;
}

void thinx_bio_rewind(struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);

	bio->bi_iter = tb->iter;
	bio->bi_status = BLK_STS_OK;
	/* Drivers that split a bio leave zero behind. */
	atomic_set(&bio->__bi_remaining, 1);
	if (tb->fua)
		bio->bi_opf |= REQ_FUA;
	tb->fua = false;
}

/*
 * struct thinx_plug - bios that a thread defers while it collects requests
 * @cb: in the thread's list; its data is the volume
 * @bios: struct thinx_bio; never empty, so they keep the volume
 */
struct thinx_plug {
	struct blk_plug_cb cb;
	struct list_head bios;
};

/* The thread has sent all it has, or goes to sleep. */
static void unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct thinx_plug *plug = container_of(cb, struct thinx_plug, cb);
	struct thinx_volume *v = cb->data;
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	list_splice_tail(&plug->bios, &v->deferred);
	/* Under the lock, as in thinx_bio_defer(). */
	thinx_volume_kick(v);
	spin_unlock_irqrestore(&v->lock, flags);
	kfree(plug);
}

void thinx_bio_defer_plugged(struct thinx_bio *tb)
{
	struct blk_plug_cb *cb = blk_check_plugged(unplug, tb->port->volume,
						   sizeof(struct thinx_plug));
	struct thinx_plug *plug;

	if (!cb) {
		thinx_bio_defer(tb);
		return;
	}
	note_deferral(tb);
	plug = container_of(cb, struct thinx_plug, cb);
	/* It comes zeroed. */
	if (!plug->bios.next)
		INIT_LIST_HEAD(&plug->bios);
	list_add_tail(&tb->list, &plug->bios);
}

/*
 * A bio that straddles the end of the origin is first zeroed as a whole, then
 * trimmed to end where the origin does.
 */
bool thinx_bio_read_hole(struct thinx_port *port, struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	sector_t end = READ_ONCE(port->origin_sectors);

	if (likely(!port->origin) || sector >= end) {
		zero_fill_bio(bio);
		return false;
	}
	if (bio_end_sector(bio) > end) {
		zero_fill_bio(bio);
		bio->bi_iter.bi_size = (end - sector) << SECTOR_SHIFT;
	}
	bio_set_dev(bio, port->origin);
	return true;
}

/*
 * dm core charges the I/O to the control group it comes from, and accounts for
 * its own bio when the first piece goes down.
 */
void thinx_bio_submit(struct thinx_bio *tb, struct bio *bio)
{
	struct thinx_plane *plane = tb->port->volume->plane;

	while (tb->parent)
		tb = thinx_bio_state(plane, tb->parent);
	if (tb->port->fill)
		submit_bio(bio);
	else
		dm_submit_bio_remap(thinx_bio_of(tb), bio);
}

void thinx_bio_end(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
}
