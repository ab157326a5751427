// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Fills in what a write does not cover of its new blocks: zeros or the external
 * origin in place of a hole; a copy of the old block where sharing is broken.
 * A write that covers whole blocks pays nothing.
 *
 * Past the end of an external origin there are always zeros, even if new blocks
 * are not zeroed: the volume reads as if the origin were longer.
 *
 *   update   |........|........|........|      blocks
 *   bios       [----------]  [---------]       sorted by sector, may overlap
 *   gaps     ##            ##           #      written here
 *
 * Gaps are written alongside the bios.  But a copy costs more by the piece than
 * by the sector, so if the bios between the first gap and the last cover only a
 * small part of that span, all of it is copied in one piece, and the bios are
 * written over it afterwards.
 *
 * I1  No bio of an update is under way at the same time as a copy to its
 *     sectors.
 * I2  Large gaps are zeroed by the data device (REQ_OP_WRITE_ZEROES), if it can.
 *     It may claim so and refuse (a loop device on a file system without hole
 *     punching; a disk): whatever the reason, pages of zeros are written before
 *     the update is prepared, so that no such failure reaches a user.
 */
#include "data-path/copy.h"

#include <linux/dm-kcopyd.h>

#include "data-path/zeroes.h"

/**
 * struct gaps - what the bios of an update leave uncovered
 * @begin: of the first gap, in sectors from the start of the update
 * @end: of the last gap
 * @nr: how many gaps
 * @sectors: of them all
 */
struct gaps {
	sector_t begin;
	sector_t end;
	unsigned int nr;
	sector_t sectors;
};

static void zero_end_io(struct bio *bio)
{
	struct thinx_update *u = bio->bi_private;
	blk_status_t status = bio->bi_status;

	if (thinx_zeroes_refused(u->group->volume->plane, bio)) {
		WRITE_ONCE(u->zeros_failed, true);
		status = BLK_STS_OK;
	}
	bio_put(bio);
	thinx_update_part_done(u, status);
}

static void copy_done(int read_err, unsigned long write_err, void *context)
{
	struct thinx_update *u = context;
	blk_status_t status = read_err || write_err ?
		BLK_STS_IOERR : BLK_STS_OK;

	if (u->bios_wait && !status)
		thinx_update_copied(u);
	else
		thinx_update_part_done(u, status);
}

static void zeros_begin(void *context)
{
	struct thinx_update *u = context;

	atomic_inc(&u->pending);
}

/*
 * On account of the first of the bios.  Not with REQ_NOUNMAP: a data device that
 * is thin itself may keep its space for what is written, and what is discarded is
 * given back to it, too.
 */
static struct thinx_zeroing zeroing(struct thinx_update *u)
{
	return (struct thinx_zeroing) {
		.account = list_first_entry(&u->bios, struct thinx_bio, list),
		.begin = zeros_begin,
		.end_io = zero_end_io,
		.private = u,
	};
}

static void zero_gap(struct thinx_update *u, sector_t begin, sector_t end)
{
	struct thinx_plane *plane = u->group->volume->plane;
	struct thinx_zeroing z = zeroing(u);

	thinx_volume_count(u->group->volume, THINX_COUNT_SECTORS_ZEROED,
			   end - begin);
	thinx_zeroes_write(&z, thinx_plane_sector(plane, u->dbegin) + begin,
			   end - begin);
}

/* Copy to sectors [offset, offset + nr) of the update. */
static void copy_gap(struct thinx_update *u, struct block_device *from_bdev,
		     sector_t from_sector, sector_t offset, sector_t nr)
{
	struct thinx_plane *plane = u->group->volume->plane;
	struct dm_io_region from = {
		.bdev = from_bdev,
		.sector = from_sector,
		.count = nr,
	};
	struct dm_io_region to = {
		.bdev = plane->data_bdev,
		.sector = thinx_plane_sector(plane, u->dbegin) + offset,
		.count = nr,
	};

	thinx_volume_count(u->group->volume, THINX_COUNT_SECTORS_COPIED, nr);
	atomic_inc(&u->pending);
	dm_kcopyd_copy(plane->copier, &from, 1, &to, 0, copy_done, u);
}

/* What of a gap is copied, and not zeroed: up to here. */
static sector_t copied_end(struct thinx_update *u, sector_t begin, sector_t end)
{
	sector_t vstart = thinx_plane_sector(u->group->volume->plane,
					     u->vbegin);
	struct thinx_port *port = u->group->port;
	sector_t origin_end;

	if (u->copy)
		return end;
	if (!port->origin)
		return begin;
	origin_end = READ_ONCE(port->origin_sectors);
	return clamp(origin_end > vstart ? origin_end - vstart : 0, begin, end);
}

/* Must zeros be written where nothing is copied? */
static bool wants_zeros(struct thinx_update *u)
{
	return u->group->port->origin ||
	       READ_ONCE(u->group->volume->plane->zero_new);
}

static void fill_gap(struct thinx_update *u, sector_t begin, sector_t end,
		     struct gaps *unused)
{
	struct thinx_plane *plane = u->group->volume->plane;
	sector_t zeros = copied_end(u, begin, end);

	if (zeros > begin && u->copy)
		copy_gap(u, plane->data_bdev,
			 thinx_plane_sector(plane, u->source) + begin, begin,
			 zeros - begin);
	else if (zeros > begin)
		copy_gap(u, u->group->port->origin,
			 thinx_plane_sector(plane, u->vbegin) + begin, begin,
			 zeros - begin);
	if (zeros < end && wants_zeros(u))
		zero_gap(u, zeros, end);
}

static void zero_pages(struct thinx_update *u, sector_t begin, sector_t end)
{
	struct thinx_plane *plane = u->group->volume->plane;
	struct thinx_zeroing z = zeroing(u);

	if (begin < end && thinx_zeroes_by_device(end - begin))
		thinx_zeroes_write_pages(&z, thinx_plane_sector(plane,
								u->dbegin) +
					 begin, end - begin);
}

/* Pages where zero_gap() may have left it to the device. */
static void zero_gap_again(struct thinx_update *u, sector_t begin, sector_t end,
			   struct gaps *unused)
{
	if (wants_zeros(u))
		zero_pages(u, copied_end(u, begin, end), end);
}

typedef void (*gap_fn)(struct thinx_update *u, sector_t begin, sector_t end,
		       struct gaps *gaps);

static void walk_gaps(struct thinx_update *u, gap_fn fn, struct gaps *gaps)
{
	struct thinx_plane *plane = u->group->volume->plane;
	sector_t nr = thinx_plane_sector(plane, u->nr);
	sector_t covered = 0;
	struct thinx_bio *tb;

	list_for_each_entry(tb, &u->bios, list) {
		if (covered < tb->begin)
			fn(u, covered, tb->begin, gaps);
		covered = max_t(sector_t, covered, tb->end);
	}
	if (covered < nr)
		fn(u, covered, nr, gaps);
}

void thinx_copy_zeroes(struct thinx_update *u, struct thinx_bio *tb)
{
	zero_gap(u, tb->begin, tb->end);
}

/* The bios' own iterators do not say it any more once they are sent. */
static void note_bios(struct thinx_update *u)
{
	sector_t vstart = thinx_plane_sector(u->group->volume->plane,
					     u->vbegin);
	struct thinx_bio *tb;
	struct bio *bio;

	list_for_each_entry(tb, &u->bios, list) {
		bio = thinx_bio_of(tb);
		tb->begin = bio->bi_iter.bi_sector - vstart;
		tb->end = bio_end_sector(bio) - vstart;
	}
}

static void note_gap(struct thinx_update *u, sector_t begin, sector_t end,
		     struct gaps *gaps)
{
	if (!gaps->nr++)
		gaps->begin = begin;
	gaps->end = end;
	gaps->sectors += end - begin;
}

bool thinx_copy_fill_gaps(struct thinx_update *u)
{
	struct gaps gaps = { 0 };
	sector_t covered;

	note_bios(u);
	walk_gaps(u, note_gap, &gaps);
	covered = gaps.end - gaps.begin - gaps.sectors;
	u->bios_wait = u->copy && gaps.nr > 1 && covered <= gaps.sectors / 4;
	if (u->bios_wait)
		fill_gap(u, gaps.begin, gaps.end, NULL);
	else
		walk_gaps(u, fill_gap, NULL);
	return !u->bios_wait;
}

void thinx_copy_zero_again(struct thinx_update *u)
{
	struct thinx_bio *tb;

	u->zeros_failed = false;
	atomic_set(&u->pending, 1);
	walk_gaps(u, zero_gap_again, NULL);
	list_for_each_entry(tb, &u->bios, list)
		if (bio_op(thinx_bio_of(tb)) == REQ_OP_WRITE_ZEROES)
			zero_pages(u, tb->begin, tb->end);
	thinx_update_part_done(u, BLK_STS_OK);
}
