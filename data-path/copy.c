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
 */
#include "data-path/copy.h"

#include <linux/dm-kcopyd.h>

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

/*
 * Zeros are written as pages.  REQ_OP_WRITE_ZEROES would save little on less
 * than a block, and a device that claims to support it may refuse it
 * (loop on a file system without hole punching), failing the user's write.
 */
static void zero_gap(struct thinx_update *u, sector_t offset, sector_t nr)
{
	struct thinx_plane *plane = u->group->volume->plane;
	sector_t sector = thinx_plane_sector(plane, u->dbegin) + offset;
	unsigned int nr_pages, len;
	struct bio *bio;

	while (nr) {
		nr_pages = min_t(sector_t, BIO_MAX_VECS,
				 (nr + PAGE_SECTORS - 1) >> PAGE_SECTORS_SHIFT);
		bio = bio_alloc_bioset(plane->data_bdev, nr_pages,
				       REQ_OP_WRITE, GFP_NOIO, &plane->bios);
		bio->bi_iter.bi_sector = sector;
		bio->bi_end_io = zero_end_io;
		bio->bi_private = u;
		for (; nr && nr_pages; nr_pages--) {
			len = min_t(sector_t, nr, PAGE_SECTORS);
			__bio_add_page(bio, ZERO_PAGE(0), len << SECTOR_SHIFT,
				       0);
			sector += len;
			nr -= len;
		}
		atomic_inc(&u->pending);
		submit_bio(bio);
	}
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

	atomic_inc(&u->pending);
	dm_kcopyd_copy(plane->copier, &from, 1, &to, 0, copy_done, u);
}

static void fill_from_origin(struct thinx_update *u, sector_t begin,
			     sector_t end)
{
	struct thinx_port *port = u->group->port;
	sector_t vstart = thinx_plane_sector(u->group->volume->plane,
					     u->vbegin);
	sector_t origin_end = READ_ONCE(port->origin_sectors);
	sector_t inside = origin_end > vstart ? origin_end - vstart : 0;

	inside = clamp(inside, begin, end);
	if (inside > begin)
		copy_gap(u, port->origin, vstart + begin, begin,
			 inside - begin);
	if (end > inside)
		zero_gap(u, inside, end - inside);
}

static void fill_gap(struct thinx_update *u, sector_t begin, sector_t end,
		     struct gaps *unused)
{
	struct thinx_plane *plane = u->group->volume->plane;

	if (u->copy)
		copy_gap(u, plane->data_bdev,
			 thinx_plane_sector(plane, u->source) + begin, begin,
			 end - begin);
	else if (u->group->port->origin)
		fill_from_origin(u, begin, end);
	else if (READ_ONCE(plane->zero_new))
		zero_gap(u, begin, end - begin);
}

typedef void (*gap_fn)(struct thinx_update *u, sector_t begin, sector_t end,
		       struct gaps *gaps);

static void walk_gaps(struct thinx_update *u, gap_fn fn, struct gaps *gaps)
{
	struct thinx_plane *plane = u->group->volume->plane;
	sector_t vstart = thinx_plane_sector(plane, u->vbegin);
	sector_t nr = thinx_plane_sector(plane, u->nr);
	sector_t covered = 0, begin;
	struct thinx_bio *tb;
	struct bio *bio;

	list_for_each_entry(tb, &u->bios, list) {
		bio = thinx_bio_of(tb);
		begin = bio->bi_iter.bi_sector - vstart;
		if (covered < begin)
			fn(u, covered, begin, gaps);
		covered = max(covered, bio_end_sector(bio) - vstart);
	}
	if (covered < nr)
		fn(u, covered, nr, gaps);
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

	walk_gaps(u, note_gap, &gaps);
	covered = gaps.end - gaps.begin - gaps.sectors;
	u->bios_wait = u->copy && gaps.nr > 1 && covered <= gaps.sectors / 4;
	if (u->bios_wait)
		fill_gap(u, gaps.begin, gaps.end, NULL);
	else
		walk_gaps(u, fill_gap, NULL);
	return !u->bios_wait;
}
