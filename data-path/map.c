// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The way every bio takes: from dm core to the data device with one look into
 * the map cache, or to the slow path.
 *
 *   map() ─ enter gate ─ look up ─┬ mapping, read, or write to a block that is
 *                                 │ ours alone ──────► remap, end_io leaves
 *                                 ├ hole, read ──────► zeros or external origin,
 *                                 │                    end_io leaves
 *                                 └ else ─ leave gate ─► deferred
 *
 * I1  Nothing here sleeps or takes a lock but the spinlock of the deferred list,
 *     so a REQ_NOWAIT bio may come along.  One that is deferred was accepted
 *     without blocking and loses the flag: nobody can answer BLK_STS_AGAIN
 *     from another thread (kernels before 7.0 pass that to the application).
 *     It loses REQ_POLLED, too: nobody polls what another thread submits.
 * I2  "Ours alone" is judged inside the gate: a snapshot closes and drains it
 *     before it makes blocks shared.
 * I3  Whether the pool may be used at all is judged inside the gate, too: who
 *     takes that away opens the gates only afterwards, and then lets the devices
 *     go.
 * I4  The bio is cut where the answer ends (dm_accept_partial_bio()), so that it
 *     goes down in one piece; dm core sends the rest again.
 * I5  A REQ_NOWAIT bio is not cut: the data device could answer BLK_STS_AGAIN to
 *     one of the parts while others are under way, and the whole would end with
 *     it in another thread, see I1.  It is deferred as a whole; one too large for
 *     a group is answered BLK_STS_AGAIN here.
 */
#include "data-path/slow-path.h"

#include <linux/device-mapper.h>

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

void thinx_bio_end(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
}

static void leave_gate(struct thinx_volume *v, struct thinx_bio *tb)
{
	tb->in_gate = false;
	thinx_gate_leave(&v->gate, tb->epoch);
}

static int defer(struct thinx_volume *v, struct thinx_bio *tb, struct bio *bio)
{
	if (tb->in_gate)
		leave_gate(v, tb);
	bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
	thinx_volume_defer(v, tb);
	return DM_MAPIO_SUBMITTED;
}

/* Keep the first @nr_blocks blocks of the bio; dm core sends the rest again. */
static void cut(struct thinx_plane *plane, struct bio *bio, u32 offset,
		u64 nr_blocks)
{
	u64 nr_sectors = nr_blocks * plane->block_sectors - offset;

	if (nr_sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, nr_sectors);
}

/* See I5: the worker makes pieces of it, which are answered for as one. */
static int defer_whole(struct thinx_volume *v, struct thinx_bio *tb,
		       struct bio *bio, u32 nr_blocks)
{
	if (nr_blocks <= THINX_GROUP_BLOCKS)
		return defer(v, tb, bio);
	if (tb->in_gate)
		leave_gate(v, tb);
	bio_wouldblock_error(bio);
	return DM_MAPIO_SUBMITTED;
}

static bool is_shared(struct thinx_volume *v, u64 word)
{
	return thinx_mapping_time(word) < thinx_md_dev_snapshotted_time(v->dev);
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
 * A bio that straddles the end of the origin is zeroed as a whole first, and then
 * made to end where the origin does.
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
 * A read of a hole.  With an origin out of the gate first: the origin may itself
 * wait for a gate that somebody closed who drains ours.
 */
static int map_hole(struct thinx_port *port, struct thinx_bio *tb,
		    struct bio *bio)
{
	if (unlikely(port->origin)) {
		leave_gate(port->volume, tb);
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
	u64 word;

	bio->bi_iter.bi_sector = dm_target_offset(port->ti,
						  bio->bi_iter.bi_sector);
	b = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	if (offset + bio_sectors(bio) > plane->block_sectors)
		nr = DIV_ROUND_UP(offset + bio_sectors(bio),
				  plane->block_sectors);

	tb->in_gate = thinx_gate_enter(&v->gate, &tb->epoch);
	if (unlikely(!tb->in_gate)) {
		if (whole)
			return defer_whole(v, tb, bio, nr);
		cut(plane, bio, offset, THINX_GROUP_BLOCKS);
		return defer(v, tb, bio);
	}
	if (unlikely(!(thinx_plane_caps(plane) & THINX_CAN_MAP))) {
		leave_gate(v, tb);
		return DM_MAPIO_KILL;
	}

	if (likely(nr == 1))
		word = thinx_map_cache_get(&v->cache, b);
	else
		reach = thinx_map_cache_run(&v->cache, b, nr,
					    thinx_md_dev_snapshotted_time(v->dev),
					    &word);
	if (unlikely(whole) && reach < nr)
		return defer_whole(v, tb, bio, nr);

	if (likely(thinx_map_is_mapping(word)) &&
	    (bio_data_dir(bio) == READ || !is_shared(v, word))) {
		cut(plane, bio, offset, reach);
		if (needs_commit(v, bio))
			tb->await_commit = true;
		bio_set_dev(bio, plane->data_bdev);
		bio->bi_iter.bi_sector =
			thinx_plane_sector(plane, thinx_mapping_block(word)) +
			offset;
		return DM_MAPIO_REMAPPED;
	}
	if (word == THINX_MAP_HOLE && bio_data_dir(bio) == READ &&
	    (likely(!port->origin) ||
	     !(bio->bi_opf & (REQ_NOWAIT | REQ_POLLED)))) {
		cut(plane, bio, offset, reach);
		return map_hole(port, tb, bio);
	}
	if (whole)
		return defer_whole(v, tb, bio, nr);
	cut(plane, bio, offset, min_t(u32, reach, THINX_GROUP_BLOCKS));
	return defer(v, tb, bio);
}

static int map_discard(struct thinx_port *port, struct thinx_bio *tb,
		       struct bio *bio)
{
	bio->bi_iter.bi_sector = dm_target_offset(port->ti,
						  bio->bi_iter.bi_sector);
	return defer(port->volume, tb, bio);
}

/*
 * If no change of the volume waits for a commit the data device's own flush says
 * it all.
 */
enum thinx_flush_way thinx_bio_flush_way(struct thinx_volume *v,
					 struct thinx_bio *tb)
{
	tb->in_gate = thinx_gate_enter(&v->gate, &tb->epoch);
	if (!tb->in_gate)
		return THINX_FLUSH_WAIT;
	if (!(thinx_plane_caps(v->plane) & THINX_CAN_MAP) ||
	    thinx_md_dev_lost_changes(v->dev)) {
		leave_gate(v, tb);
		return THINX_FLUSH_LOST;
	}
	if (thinx_md_dev_is_dirty(v->dev)) {
		leave_gate(v, tb);
		return THINX_FLUSH_COMMIT;
	}
	return THINX_FLUSH_DOWN;
}

static int map_flush(struct thinx_port *port, struct thinx_bio *tb,
		     struct bio *bio)
{
	struct thinx_volume *v = port->volume;

	switch (thinx_bio_flush_way(v, tb)) {
	case THINX_FLUSH_LOST:
		return DM_MAPIO_KILL;
	case THINX_FLUSH_COMMIT:
		bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
		thinx_commit_queue(v->plane, bio);
		return DM_MAPIO_SUBMITTED;
	case THINX_FLUSH_DOWN:
		/* Without a cache the block layer would end it there, too. */
		if (!bdev_write_cache(v->plane->data_bdev)) {
			bio_endio(bio);
			return DM_MAPIO_SUBMITTED;
		}
		bio_set_dev(bio, v->plane->data_bdev);
		return DM_MAPIO_REMAPPED;
	default:
		return defer(v, tb, bio);
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
	default:
		return DM_MAPIO_KILL;
	}
}

bool thinx_bio_done(struct thinx_plane *plane, struct thinx_bio *tb,
		    blk_status_t status)
{
	struct thinx_update *u = tb->update;

	if (tb->in_gate)
		leave_gate(tb->port->volume, tb);
	if (u) {
		tb->update = NULL;
		thinx_update_part_done(u, status);
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

	return thinx_bio_done(port->volume->plane, tb, *error) ?
		DM_ENDIO_INCOMPLETE : DM_ENDIO_DONE;
}
