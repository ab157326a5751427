// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The path of every bio: from dm core to the data device with one look into the
 * map cache, or to the slow path.
 *
 *   map() ─ enter gate ─ look up ─┬ mapping, read, or write to a block that is
 *                                 │ ours alone ──────► remap, end_io leaves
 *                                 ├ hole, read ──────► zeros, external origin,
 *                                 │                    end_io leaves
 *                                 └ else ─ leave gate ─► deferred
 *
 * I1  Nothing here sleeps or takes a lock except that of the deferred list, a
 *     spinlock, so REQ_NOWAIT bios are fine.  One that is deferred was accepted
 *     without blocking and loses the flag: nobody can answer BLK_STS_AGAIN
 *     from another thread (kernels before 7.0 pass that to the application).
 *     It loses REQ_POLLED, too: nobody polls what another thread submits.
 * I2  "Ours alone" is judged inside the gate: a snapshot closes and drains it
 *     before it makes blocks shared.
 * I3  Whether the pool may be used at all is judged inside the gate, too:
 *     whoever revokes that opens the gates only afterwards, and then releases
 *     the devices.
 * I4  The bio is cut where the answer ends (dm_accept_partial_bio()), so that
 *     it goes down in one piece; dm core sends the rest again.
 * I5  A REQ_NOWAIT bio is not cut: the data device could answer BLK_STS_AGAIN
 *     to one of the parts while others are under way, and the whole would end
 *     with it in another thread, see I1.  It is deferred as a whole; one too
 *     large for a group is answered with BLK_STS_AGAIN here.
 */
#include "data-path/map.h"

#include <linux/device-mapper.h>

#include "data-path/commit.h"
#include "data-path/flush.h"
#include "data-path/group.h"
#include "data-path/zeroes.h"

static int defer_bio(struct thinx_bio *tb, struct bio *bio)
{
	if (tb->in_gate)
		thinx_bio_leave_gate(tb->port->volume, tb);
	bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
	thinx_bio_defer_plugged(tb);
	return DM_MAPIO_SUBMITTED;
}

/* Keep the first @nr_blocks blocks of the bio; dm core sends the rest again. */
static void cut_bio(struct thinx_plane *plane, struct bio *bio, u32 offset,
		    u64 nr_blocks)
{
	u64 nr_sectors = nr_blocks * plane->block_sectors - offset;

	if (nr_sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, nr_sectors);
}

/* See I5: the worker cuts it into pieces, which complete as one. */
static int defer_whole(struct thinx_bio *tb, struct bio *bio, u32 nr_blocks)
{
	if (nr_blocks <= THINX_GROUP_BLOCKS)
		return defer_bio(tb, bio);
	if (tb->in_gate)
		thinx_bio_leave_gate(tb->port->volume, tb);
	bio_wouldblock_error(bio);
	return DM_MAPIO_SUBMITTED;
}

/*
 * A FUA write to a volume with uncommitted changes: its own mapping may be one
 * of them, so it completes after a commit.
 */
static bool needs_commit(struct thinx_volume *v, struct bio *bio)
{
	return unlikely(bio->bi_opf & REQ_FUA) &&
	       thinx_md_dev_is_dirty(v->dev);
}

/*
 * A read of a hole.  With an origin, leave the gate first: the origin may
 * itself wait for a gate closed by somebody who drains ours.
 */
static int map_hole(struct thinx_port *port, struct thinx_bio *tb,
		    struct bio *bio)
{
	if (unlikely(port->origin)) {
		thinx_bio_leave_gate(port->volume, tb);
		if (thinx_bio_read_hole(port, bio))
			return DM_MAPIO_REMAPPED;
	} else {
		zero_fill_bio(bio);
	}
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int map_data(struct thinx_port *port, struct thinx_bio *tb,
		    struct bio *bio)
{
	struct thinx_volume *v = port->volume;
	struct thinx_plane *plane = v->plane;
	u32 offset, nr = 1, reach = 1;
	bool whole = bio->bi_opf & REQ_NOWAIT;
	thinx_vblock_t b;
	thinx_word_t word;

	bio->bi_iter.bi_sector = dm_target_offset(port->ti,
						  bio->bi_iter.bi_sector);
	b = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	if (offset + bio_sectors(bio) > plane->block_sectors)
		nr = DIV_ROUND_UP(offset + bio_sectors(bio),
				  plane->block_sectors);

	if (unlikely(!thinx_bio_enter_gate(v, tb))) {
		if (whole)
			return defer_whole(tb, bio, nr);
		cut_bio(plane, bio, offset, THINX_GROUP_BLOCKS);
		return defer_bio(tb, bio);
	}
	if (unlikely(!(thinx_plane_caps(plane) & THINX_CAN_MAP))) {
		thinx_bio_leave_gate(v, tb);
		return DM_MAPIO_KILL;
	}

	if (likely(nr == 1))
		word = thinx_map_cache_get(&v->cache, b);
	else
		reach = thinx_map_cache_run(&v->cache, b, nr,
					    thinx_md_dev_snapshotted_time(v->dev),
					    &word);
	if (unlikely(whole) && reach < nr)
		return defer_whole(tb, bio, nr);

	if (likely(thinx_word_is_mapping(word)) &&
	    (bio_data_dir(bio) == READ || !thinx_volume_sees_shared(v, word))) {
		cut_bio(plane, bio, offset, reach);
		if (needs_commit(v, bio))
			tb->await_commit = true;
		bio_set_dev(bio, plane->data_bdev);
		bio->bi_iter.bi_sector =
			thinx_plane_sector(plane, thinx_mapping_block(word)) +
			offset;
		return DM_MAPIO_REMAPPED;
	}
	if (word == THINX_WORD_HOLE && bio_data_dir(bio) == READ &&
	    (likely(!port->origin) ||
	     !(bio->bi_opf & (REQ_NOWAIT | REQ_POLLED)))) {
		cut_bio(plane, bio, offset, reach);
		return map_hole(port, tb, bio);
	}
	if (whole)
		return defer_whole(tb, bio, nr);
	cut_bio(plane, bio, offset, min_t(u32, reach, THINX_GROUP_BLOCKS));
	return defer_bio(tb, bio);
}

static int map_discard(struct thinx_port *port, struct thinx_bio *tb,
		       struct bio *bio)
{
	bio->bi_iter.bi_sector = dm_target_offset(port->ti,
						  bio->bi_iter.bi_sector);
	return defer_bio(tb, bio);
}

/*
 * A hole is zeros already: nothing to do and nothing to make durable, unless FUA
 * asks whether what made it a hole is.  Whatever else is up to the worker.
 */
static int map_zeroes(struct thinx_port *port, struct thinx_bio *tb,
		      struct bio *bio)
{
	struct thinx_volume *v = port->volume;
	struct thinx_plane *plane = v->plane;
	u32 nr_sectors, offset, reach;
	thinx_vblock_t b;
	thinx_word_t word;

	if (!thinx_zeroes_are_taken(port)) {
		/* The block layer writes pages in its place. */
		thinx_bio_end(bio, BLK_STS_NOTSUPP);
		return DM_MAPIO_SUBMITTED;
	}
	bio->bi_iter.bi_sector = dm_target_offset(port->ti,
						  bio->bi_iter.bi_sector);
	tb->by_pages = false;
	if (port->keeps_blocks)
		bio->bi_opf |= REQ_NOUNMAP;
	nr_sectors = thinx_zeroes_first_part(tb);
	if (nr_sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, nr_sectors);
	b = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	if ((bio->bi_opf & REQ_FUA) || !thinx_zeroes_hole_shows(port, b) ||
	    !thinx_bio_enter_gate(v, tb))
		return defer_bio(tb, bio);
	if (!(thinx_plane_caps(plane) & THINX_CAN_MAP)) {
		thinx_bio_leave_gate(v, tb);
		return DM_MAPIO_KILL;
	}
	reach = thinx_map_cache_run(&v->cache, b,
				    DIV_ROUND_UP(offset + nr_sectors,
						 plane->block_sectors),
				    thinx_md_dev_snapshotted_time(v->dev),
				    &word);
	if (word != THINX_WORD_HOLE)
		return defer_bio(tb, bio);
	cut_bio(plane, bio, offset, reach);
	thinx_bio_leave_gate(v, tb);
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int map_flush(struct thinx_port *port, struct thinx_bio *tb,
		     struct bio *bio)
{
	struct thinx_volume *v = port->volume;

	switch (thinx_flush_way(tb)) {
	case THINX_FLUSH_LOST:
		return DM_MAPIO_KILL;
	case THINX_FLUSH_COMMIT:
		bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
		thinx_commit_queue(v->plane, bio);
		return DM_MAPIO_SUBMITTED;
	case THINX_FLUSH_DOWN:
		/* Without a write cache the block layer would end it, too. */
		if (!bdev_write_cache(v->plane->data_bdev)) {
			bio_endio(bio);
			return DM_MAPIO_SUBMITTED;
		}
		bio_set_dev(bio, v->plane->data_bdev);
		return DM_MAPIO_REMAPPED;
	default:
		return defer_bio(tb, bio);
	}
}

int thinx_map_bio(struct thinx_port *port, struct bio *bio)
{
	struct thinx_bio *tb = dm_per_bio_data(bio, thinx_map_bio_size);
	struct thinx_volume *v = port->volume;

	tb->port = port;
	tb->update = NULL;
	tb->parent = NULL;
	tb->in_gate = false;
	tb->await_commit = false;
	tb->fua = false;
	tb->is_piece = false;
	tb->is_cut = false;
	tb->zeros_failed = false;

	if (unlikely(thinx_port_requeues(port)))
		return DM_MAPIO_REQUEUE;

	if (unlikely(bio->bi_opf & REQ_PREFLUSH))
		return map_flush(port, tb, bio);
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return map_data(port, tb, bio);
	case REQ_OP_WRITE:
		if (unlikely(bio->bi_opf & REQ_FUA) &&
		    thinx_md_dev_lost_changes(v->dev))
			return DM_MAPIO_KILL;
		return map_data(port, tb, bio);
	case REQ_OP_DISCARD:
		return map_discard(port, tb, bio);
	case REQ_OP_WRITE_ZEROES:
		if (unlikely(bio->bi_opf & REQ_FUA) &&
		    thinx_md_dev_lost_changes(v->dev))
			return DM_MAPIO_KILL;
		return map_zeroes(port, tb, bio);
	default:
		return DM_MAPIO_KILL;
	}
}

bool thinx_map_done(struct thinx_plane *plane, struct thinx_bio *tb,
		    blk_status_t status)
{
	struct thinx_update *u = tb->update;

	if (tb->in_gate)
		thinx_bio_leave_gate(tb->port->volume, tb);
	if (u) {
		tb->update = NULL;
		thinx_update_part_done(u, status);
		return true;
	}
	if (unlikely(tb->zeros_failed) && !status) {
		thinx_bio_rewind(tb);
		tb->zeros_failed = false;
		tb->by_pages = true;
		tb->await_commit = false;
		thinx_bio_defer(tb);
		return true;
	}
	if (tb->await_commit) {
		tb->await_commit = false;
		if (!status) {
			thinx_commit_queue(plane, thinx_bio_of(tb));
			return true;
		}
	}
	return false;
}

int thinx_map_end_io(struct thinx_port *port, struct bio *bio,
		     blk_status_t *error)
{
	struct thinx_bio *tb = dm_per_bio_data(bio, thinx_map_bio_size);

	return thinx_map_done(port->volume->plane, tb, *error) ?
		DM_ENDIO_INCOMPLETE : DM_ENDIO_DONE;
}
