// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where the bios of a group go once each of its blocks has a fate.
 *
 *   bio ─ cut where the fate changes ─┬ in place ─► enter gate ─► data device
 *                                     ├ hole ─────► zeros, external origin
 *                                     ├ update ───► waits in it
 *                                     ├ starved ──► put aside, or ended
 *                                     ├ limited ──► ended
 *                                     └ refused ──► ended
 *
 * I1  A bio whose blocks have different fates is cut into pieces, all of them
 *     clones; the bio itself then does no I/O and completes after them.  So no
 *     bio is in the gate or in an update while it waits for another one.
 * I2  Nobody waits for a free piece: only the worker ends the updates that hold
 *     the others.  If there is none, what is left of the bio is deferred again.
 */
#include "data-path/dispatch.h"

#include "data-path/commit.h"
#include "data-path/fill.h"
#include "data-path/map.h"
#include "data-path/passdown.h"
#include "data-path/provision.h"
#include "data-path/zeroes.h"
#include "include/compat/bio.h"

static void piece_end_io(struct bio *piece)
{
	struct thinx_bio *tb =
		&container_of(piece, struct thinx_piece, bio)->state;
	struct thinx_plane *plane = tb->port->volume->plane;
	struct thinx_volume *v = tb->is_zero_piece ? tb->port->volume : NULL;
	struct bio *parent = tb->parent;
	bool counted = tb->is_counted;

	if (thinx_map_done(plane, tb, piece->bi_status))
		return;
	if (piece->bi_status && !parent->bi_status)
		parent->bi_status = piece->bi_status;
	bio_put(piece);
	if (counted)
		atomic_dec(&plane->nr_reserved);
	if (v && atomic_dec_return(&v->nr_zero_pieces) == THINX_ZERO_PIECES)
		thinx_volume_kick(v);
	bio_endio(parent);
}

/*
 * From the slab, or else from the reserve.  A piece that takes nothing from the
 * reserve does not count: it may be held as long as the pool is full.
 */
static struct bio *alloc_piece(struct thinx_plane *plane, struct bio *bio,
			       bool *counted)
{
	/* The submitter sets the device. */
	struct bio *piece = bio_alloc_clone(bio->bi_bdev, bio,
					    GFP_NOWAIT | __GFP_NOWARN,
					    &plane->pieces);

	*counted = !piece && THINX_RESERVE_IS_ASKED_FOR;
	if (!*counted)
		return piece;
	if (atomic_inc_return(&plane->nr_reserved) <= THINX_MIN_PIECES)
		piece = bio_alloc_clone(bio->bi_bdev, bio, GFP_NOIO,
					&plane->pieces);
	if (!piece)
		atomic_dec(&plane->nr_reserved);
	return piece;
}

/* A clone of the first @nr_sectors sectors of @bio, or NULL; see I2. */
struct bio *thinx_dispatch_piece(struct thinx_bio *tb, struct bio *bio,
				 u32 nr_sectors)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct thinx_bio *state;
	struct bio *piece;
	bool counted;

	piece = alloc_piece(plane, bio, &counted);
	if (!piece)
		return NULL;
	piece->bi_iter.bi_size = nr_sectors << SECTOR_SHIFT;
	piece->bi_end_io = piece_end_io;
	state = thinx_bio_state(plane, piece);
	memset(state, 0, sizeof(*state));
	state->port = tb->port;
	state->parent = bio;
	state->is_piece = true;
	state->is_counted = counted;
	bio_inc_remaining(bio);
	return piece;
}

/* Do two neighbouring blocks go the same way, so that one bio can span both? */
static bool same_way(const struct thinx_group_block *a,
		     const struct thinx_group_block *b)
{
	if (a->fate != b->fate)
		return false;
	switch (a->fate) {
	case THINX_IN_PLACE:
		return thinx_mapping_block(a->word) + 1 ==
		       thinx_mapping_block(b->word);
	case THINX_UPDATE:
		return a->update == b->update;
	default:
		return true;
	}
}

/*
 * May the bio, now inside the gate, use what the group learned?  The gate may
 * have been closed since: for a snapshot that made the block shared, or for an
 * abort that took the mapping back; then the bio has to try again.
 */
static bool still_true(struct thinx_group *g, struct bio *bio, thinx_word_t word)
{
	struct thinx_volume *v = g->volume;

	if (g->nr_aborts != READ_ONCE(v->plane->nr_aborts))
		return false;
	return bio_data_dir(bio) == READ || !thinx_volume_sees_shared(v, word);
}

/* As in map(): no write may be called durable after the volume lost some. */
static bool is_refused(struct thinx_volume *v, struct bio *bio)
{
	return !(thinx_plane_caps(v->plane) & THINX_CAN_MAP) ||
	       ((bio->bi_opf & REQ_FUA) && thinx_md_dev_lost_changes(v->dev));
}

/* Submit to an existing mapping. */
static void submit_in_place(struct thinx_group *g, struct thinx_bio *tb,
			    struct bio *bio, thinx_word_t word, u32 offset)
{
	struct thinx_volume *v = g->volume;
	struct thinx_plane *plane = v->plane;
	bool refused;

	if (!thinx_bio_enter_gate(v, tb)) {
		thinx_bio_defer(tb);
		return;
	}
	refused = is_refused(v, bio);
	if (refused || !still_true(g, bio, word)) {
		thinx_bio_leave_gate(v, tb);
		if (refused)
			bio_io_error(bio);
		else
			thinx_bio_defer(tb);
		return;
	}
	tb->await_commit = (bio->bi_opf & REQ_FUA) &&
			   thinx_md_dev_is_dirty(v->dev);
	if (g->is_zeroes) {
		thinx_zeroes_in_place(tb, bio,
				      thinx_plane_sector(plane,
							 thinx_mapping_block(word)) +
				      offset);
		return;
	}
	bio_set_dev(bio, plane->data_bdev);
	bio->bi_iter.bi_sector =
		thinx_plane_sector(plane, thinx_mapping_block(word)) + offset;
	thinx_bio_submit(tb, bio);
}

/* What made it a hole may not be durable yet. */
static void leave_hole(struct thinx_group *g, struct bio *bio)
{
	struct thinx_volume *v = g->volume;

	if (is_refused(v, bio))
		bio_io_error(bio);
	else if ((bio->bi_opf & REQ_FUA) && thinx_md_dev_is_dirty(v->dev))
		thinx_commit_queue(v->plane, bio);
	else
		bio_endio(bio);
}

/*
 * What is claimed for a message it alone can take: it waits while that is held by
 * others.  With nothing claimed there is nothing to wait for: whoever sent the bio
 * claims again, or gives up.
 */
static bool claim_is_coming(struct thinx_group *g)
{
	struct thinx_plane *plane = g->volume->plane;
	struct thinx_md_space s;

	if (!READ_ONCE(g->port->fill->claimed))
		return false;
	if (!(thinx_plane_caps(plane) & THINX_CAN_GROW))
		return thinx_commit_brings_space(plane, g->volume->id);
	thinx_md_get_space(plane->md, &s);
	return s.data_pending || thinx_passdown_pending(plane);
}

static void starve(struct thinx_group *g, struct thinx_bio *tb,
		   struct thinx_pass *pass)
{
	bool coming;

	if (tb->port->fill) {
		coming = claim_is_coming(g);
		pass->claim_held |= coming;
	} else {
		if (!pass->starved)
			pass->coming =
				thinx_commit_brings_space(g->volume->plane,
							  g->volume->id);
		pass->starved = true;
		coming = pass->coming;
	}
	thinx_bio_starve(tb, coming);
}

static void send_by_fate(struct thinx_group *g, struct thinx_bio *tb, struct bio *bio,
			 u32 index, u32 offset, struct thinx_pass *pass)
{
	struct thinx_group_block *blk = &g->blocks[index];

	switch (blk->fate) {
	case THINX_IN_PLACE:
		submit_in_place(g, tb, bio, blk->word, offset);
		break;
	case THINX_HOLE:
		if (g->is_zeroes)
			leave_hole(g, bio);
		else if (thinx_bio_read_hole(tb->port, bio))
			thinx_bio_submit(tb, bio);
		else
			bio_endio(bio);
		break;
	case THINX_UPDATE:
		list_add_tail(&tb->list, &blk->update->bios);
		break;
	case THINX_STARVED:
		starve(g, tb, pass);
		break;
	case THINX_LIMITED:
		thinx_bio_end(bio, BLK_STS_NOSPC);
		break;
	case THINX_REFUSED:
		bio_io_error(bio);
		break;
	}
}

/*
 * Cut the bio where the fate of its blocks changes and send the pieces off.  If
 * no piece can be made, the rest is tried again; an update that other bios wait
 * in fills in what it would have written, as it does for all that is not
 * covered.
 */
static void dispatch_bio(struct thinx_group *g, struct thinx_bio *tb,
			 struct thinx_pass *pass)
{
	struct thinx_plane *plane = g->volume->plane;
	struct bio *bio = thinx_bio_of(tb), *piece;
	u32 offset, first, index, nr_sectors;
	bool last;

	do {
		index = thinx_plane_block(plane, bio->bi_iter.bi_sector,
					  &offset) - g->begin;
		first = index;
		nr_sectors = plane->block_sectors - offset;
		while (nr_sectors < bio_sectors(bio) &&
		       same_way(&g->blocks[index], &g->blocks[index + 1])) {
			nr_sectors += plane->block_sectors;
			index++;
		}
		last = nr_sectors >= bio_sectors(bio);
		if (last && !tb->is_cut) {
			send_by_fate(g, tb, bio, first, offset, pass);
			return;
		}
		nr_sectors = min(nr_sectors, bio_sectors(bio));
		piece = thinx_dispatch_piece(tb, bio, nr_sectors);
		if (!piece) {
			thinx_bio_defer(tb);
			pass->no_memory = true;
			return;
		}
		tb->is_cut = true;
		if (!last)
			bio_advance(bio, nr_sectors << SECTOR_SHIFT);
		send_by_fate(g, thinx_bio_state(plane, piece), piece, first, offset,
			     pass);
	} while (!last);
	bio_endio(bio);
}

/*
 * An update that no bio waits in, for lack of pieces, is abandoned: its I/O
 * would keep no table alive, so the volume could go before it ends.  This way
 * it ends at the beginning of the worker's next pass, before the bio it was
 * made for can be given back.
 */
static void start_update(struct thinx_update *u)
{
	if (list_empty(&u->bios))
		thinx_update_part_done(u, BLK_STS_RESOURCE);
	else
		thinx_provision_start(u);
}

void thinx_dispatch_group(struct thinx_group *g, struct thinx_pass *pass)
{
	struct thinx_bio *tb, *tmp;
	u32 i;

	list_for_each_entry_safe(tb, tmp, &g->bios, list) {
		list_del(&tb->list);
		dispatch_bio(g, tb, pass);
	}
	for (i = 0; i < g->nr; i++)
		if (g->blocks[i].fate == THINX_UPDATE &&
		    g->blocks[i].update == &g->blocks[i].own)
			start_update(&g->blocks[i].own);
	thinx_group_put(g);
}
