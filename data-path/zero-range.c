// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Zeros in whole blocks that are not to be unmapped, or cannot be, and that lie
 * over no external origin.  Holes are passed over, as many as a leaf of the
 * mapping tree shows at once; from a mapped block on, up to a piece's worth is cut
 * off and deferred as a bio of its own:
 *
 *   |  holes  |########|  holes   |##
 *     pass over  piece   pass over  piece ...
 *
 * What may be unmapped goes the way of a discard, and comes here if there is no
 * metadata room for that, or if the pool's mode allows no change.
 *
 * I1  No range is held here: mappings change in this thread only, so a hole is one
 *     at the moment when it is passed over.  A write that turns it into a block at
 *     that time has not ended yet, so either order is right.
 * I2  At most MAX_PIECES pieces of a volume are under way.
 */
#include "data-path/zero-range.h"

#include <linux/delay.h>

#include "data-path/discard.h"
#include "data-path/dispatch.h"
#include "data-path/zeroes.h"

/* Steps before other bios of the volume get their turn. */
#define STEPS_PER_PASS 64

/* Pieces under way in a volume; when half of them have ended it goes on. */
#define MAX_PIECES (2 * THINX_ZERO_PIECES)

/* After as many waits the metadata are read under their lock. */
#define MAX_WAITS 64

void thinx_zero_range_queue(struct thinx_volume *v, struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);

	if (!(bio->bi_opf & REQ_NOUNMAP) && !tb->is_cut &&
	    (thinx_plane_caps(v->plane) & THINX_CAN_CHANGE))
		thinx_discard_queue(v, tb);
	else
		list_add_tail(&tb->list, &v->zeroes);
}

/* What is left ends; pieces of it may still be under way, or have failed. */
static void end_range(struct thinx_bio *tb, blk_status_t status)
{
	struct bio *bio = thinx_bio_of(tb);

	list_del(&tb->list);
	if (status && !bio->bi_status)
		bio->bi_status = status;
	bio_endio(bio);
}

struct hole_context {
	struct thinx_volume *volume;
	thinx_vblock_t begin;
	thinx_vblock_t end;
};

/* The first block that is not a hole, or that the leaf does not show. */
static void find_hole_end(void *context, const struct thinx_md_leaf *l)
{
	struct hole_context *c = context;
	const __le64 *keys = l->keys;
	u32 k = 0;

	while (k < l->nr && le64_to_cpu(keys[k]) < c->begin)
		k++;
	if (k < l->nr)
		c->end = le64_to_cpu(keys[k]);
	else
		c->end = l->end ? l->end : U64_MAX;
	thinx_map_cache_fill_leaf(&c->volume->cache, c->begin, l->begin, l->end,
				  l->nr, keys, l->values, U64_MAX);
}

static int look_up_hole(struct hole_context *c)
{
	struct thinx_volume *v = c->volume;
	unsigned int nr_waits;
	u64 missing;
	int r;

	for (nr_waits = 0; nr_waits < MAX_WAITS; nr_waits++) {
		r = thinx_md_lookup_cached(v->dev, c->begin, find_hole_end, c,
					   &missing);
		if (r != -EAGAIN)
			return r;
		if (thinx_md_wait(v->plane->md, missing))
			break;
	}
	return thinx_md_lookup(v->dev, c->begin, find_hole_end, c);
}

/* Cut off the first @nr blocks; false if there is no memory for that. */
static bool defer_piece(struct thinx_bio *tb, struct bio *bio, u64 nr)
{
	struct thinx_volume *v = tb->port->volume;
	u32 nr_sectors = nr * v->plane->block_sectors;
	struct bio *piece = thinx_dispatch_piece(tb, bio, nr_sectors);
	struct thinx_bio *state;

	if (!piece)
		return false;
	state = thinx_bio_state(v->plane, piece);
	state->is_zero_piece = true;
	atomic_inc(&v->nr_zero_pieces);
	tb->is_cut = true;
	bio_advance(bio, nr_sectors << SECTOR_SHIFT);
	thinx_bio_defer(state);
	return true;
}

/* Returns false if it has to be tried again later. */
static bool zero_step(struct thinx_volume *v, struct thinx_bio *tb)
{
	struct thinx_plane *plane = v->plane;
	struct bio *bio = thinx_bio_of(tb);
	struct hole_context c = { .volume = v };
	u64 left, nr;
	u32 offset;
	int r;

	c.begin = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	left = thinx_plane_block(plane, bio_end_sector(bio), &offset) - c.begin;
	r = look_up_hole(&c);
	/* An abort is coming, after which the metadata answer again. */
	if (r == -EUCLEAN)
		return false;
	if (r) {
		plane_err_limit(plane, "thin device %u: look-up of block %llu failed: error = %d",
				v->id, c.begin, r);
		end_range(tb, errno_to_blk_status(r));
		return true;
	}
	if (c.end > c.begin) {
		nr = min(left, c.end - c.begin);
		bio_advance(bio, (u32)(nr * plane->block_sectors) <<
			    SECTOR_SHIFT);
	} else {
		nr = min_t(u64, left, thinx_zeroes_piece_blocks(plane));
		if (!defer_piece(tb, bio, nr))
			return false;
	}
	if (nr == left)
		end_range(tb, BLK_STS_OK);
	return true;
}

/* Those that need not or must not wait; see give_back() in discard.c. */
static void end_early(struct thinx_volume *v)
{
	bool dead = !(thinx_plane_caps(v->plane) & THINX_CAN_MAP);
	struct thinx_bio *tb, *tmp;

	list_for_each_entry_safe(tb, tmp, &v->zeroes, list)
		if (dead)
			end_range(tb, BLK_STS_IOERR);
		else if (thinx_port_requeues(tb->port))
			end_range(tb, BLK_STS_DM_REQUEUE);
}

bool thinx_zero_range_process(struct thinx_volume *v)
{
	unsigned int nr;

	end_early(v);
	for (nr = 0; nr < STEPS_PER_PASS && !list_empty(&v->zeroes); nr++) {
		/* Whoever opens the gate, and the pieces, kick the worker. */
		if (thinx_discard_has_to_wait(v) ||
		    atomic_read(&v->nr_zero_pieces) >= MAX_PIECES)
			return false;
		if (!zero_step(v, list_first_entry(&v->zeroes, struct thinx_bio,
						   list))) {
			usleep_range(1000, 2000);
			break;
		}
	}
	return !list_empty(&v->zeroes);
}
