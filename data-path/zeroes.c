// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Zeros, and requests of users to write them.  Such a request never goes to the
 * data device itself: device-mapper would take a refusal for the volume's.
 *
 *   write-zeroes ─┬ part of a block, or over ──► group: as a write, but a hole
 *                 │ an external origin           that shows zeros stays one
 *                 └ whole blocks ─┬ may unmap ─► discard.c
 *                                 └ may not ───► zero-range.c: holes are passed
 *                                                over, the rest goes to groups
 *
 * In a group a block of its own is zeroed in place; a shared one that is covered
 * becomes a hole, as it needs a new data block at its next write in any case.
 */
#include "data-path/zeroes.h"

#include "data-path/group.h"

/*
 * From this many sectors on zeros are left to the data device: a request without
 * data costs about as much as one of this size.
 */
#define MIN_ZEROS ((sector_t)256)

/* bi_size has 32 bits. */
#define MAX_ZEROS ((sector_t)1 << 21)

static struct thinx_plane *plane_of(const struct thinx_zeroing *z)
{
	return z->account->port->volume->plane;
}

/* A bio of our own that writes zeros. */
static struct bio *zero_bio(const struct thinx_zeroing *z, blk_opf_t op,
			    unsigned int nr_pages, sector_t sector)
{
	struct thinx_plane *plane = plane_of(z);
	struct bio *bio;

	/* Both flags: writeback throttling leaves such a bio alone. */
	bio = bio_alloc_bioset(plane->data_bdev, nr_pages,
			       op | REQ_SYNC | REQ_IDLE, GFP_NOIO,
			       &plane->bios);
	bio->bi_iter.bi_sector = sector;
	bio->bi_end_io = z->end_io;
	bio->bi_private = z->private;
	return bio;
}

void thinx_zeroes_write_pages(const struct thinx_zeroing *z, sector_t sector,
			      sector_t nr)
{
	blk_opf_t op = REQ_OP_WRITE | (z->op_flags & REQ_FUA);
	unsigned int nr_pages, len;
	struct bio *bio;

	while (nr) {
		nr_pages = min_t(sector_t, BIO_MAX_VECS,
				 (nr + PAGE_SECTORS - 1) >> PAGE_SECTORS_SHIFT);
		bio = zero_bio(z, op, nr_pages, sector);
		for (; nr && nr_pages; nr_pages--) {
			len = min_t(sector_t, nr, PAGE_SECTORS);
			__bio_add_page(bio, ZERO_PAGE(0), len << SECTOR_SHIFT,
				       0);
			sector += len;
			nr -= len;
		}
		z->begin(z->private);
		thinx_bio_submit(z->account, bio);
	}
}

/* The most that the data device writes zeros to at once. */
static sector_t most_zeros(struct thinx_plane *plane)
{
	sector_t max = bdev_write_zeroes_sectors(plane->data_bdev);

	if (READ_ONCE(plane->zeros_refused))
		return 0;
	return round_down(min(max, MAX_ZEROS),
			  plane->data_sector_size >> SECTOR_SHIFT);
}

/*
 * On nobody's account: a limit on bytes per second would count all of a block of
 * 1 GiB for a write of 4 KiB, although nothing is moved.
 */
static void write_by_device(const struct thinx_zeroing *z, sector_t sector,
			    sector_t nr, sector_t most)
{
	blk_opf_t op = REQ_OP_WRITE_ZEROES | (z->op_flags & REQ_NOUNMAP);
	struct bio *bio;
	sector_t len;

	for (; nr; nr -= len) {
		len = min(nr, most);
		bio = zero_bio(z, op, 0, sector);
		bio->bi_iter.bi_size = len << SECTOR_SHIFT;
		sector += len;
		z->begin(z->private);
		submit_bio(bio);
	}
}

bool thinx_zeroes_by_device(sector_t nr)
{
	return nr >= MIN_ZEROS;
}

void thinx_zeroes_write(const struct thinx_zeroing *z, sector_t sector,
			sector_t nr)
{
	sector_t most = most_zeros(plane_of(z));

	if (thinx_zeroes_by_device(nr) && most >= MIN_ZEROS)
		write_by_device(z, sector, nr, most);
	else
		thinx_zeroes_write_pages(z, sector, nr);
}

bool thinx_zeroes_refused(struct thinx_plane *plane, struct bio *bio)
{
	blk_status_t status = bio->bi_status;

	if (!status || bio_op(bio) != REQ_OP_WRITE_ZEROES)
		return false;
	if (status == BLK_STS_NOTSUPP || status == BLK_STS_TARGET)
		WRITE_ONCE(plane->zeros_refused, true);
	return true;
}

/* ---- requests of users ---- */

static void part_begins(void *private)
{
	bio_inc_remaining(thinx_bio_of(private));
}

static void part_ends(struct bio *part)
{
	struct thinx_bio *tb = part->bi_private;
	struct bio *bio = thinx_bio_of(tb);

	if (thinx_zeroes_refused(tb->port->volume->plane, part))
		WRITE_ONCE(tb->zeros_failed, true);
	else if (part->bi_status && !bio->bi_status)
		bio->bi_status = part->bi_status;
	bio_put(part);
	bio_endio(bio);
}

void thinx_zeroes_in_place(struct thinx_bio *tb, struct bio *bio,
			   sector_t sector)
{
	const struct thinx_zeroing z = {
		.account = tb,
		.op_flags = bio->bi_opf,
		.begin = part_begins,
		.end_io = part_ends,
		.private = tb,
	};

	thinx_bio_remember(tb);
	/* What is sent to the device as one request has no data to force out. */
	if (tb->by_pages || (bio->bi_opf & REQ_FUA))
		thinx_zeroes_write_pages(&z, sector, bio_sectors(bio));
	else
		thinx_zeroes_write(&z, sector, bio_sectors(bio));
	bio_endio(bio);
}

bool thinx_zeroes_hole_shows(struct thinx_port *port, thinx_vblock_t b)
{
	return !port->origin ||
	       thinx_plane_sector(port->volume->plane, b) >=
	       READ_ONCE(port->origin_sectors);
}

bool thinx_zeroes_cover(struct thinx_bio *tb, thinx_vblock_t b)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct bio *bio = thinx_bio_of(tb);

	return bio->bi_iter.bi_sector <= thinx_plane_sector(plane, b) &&
	       bio_end_sector(bio) >= thinx_plane_sector(plane, b + 1) &&
	       thinx_zeroes_hole_shows(tb->port, b);
}

u32 thinx_zeroes_first_part(struct thinx_bio *tb)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct bio *bio = thinx_bio_of(tb);
	u32 nr = bio_sectors(bio), offset;
	thinx_vblock_t b;

	b = thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
	if (offset || nr < plane->block_sectors)
		return min(nr, plane->block_sectors - offset);
	nr = rounddown(nr, plane->block_sectors);
	if ((bio->bi_opf & REQ_FUA) || !thinx_zeroes_hole_shows(tb->port, b))
		nr = min(nr, thinx_zeroes_piece_blocks(plane) *
			     plane->block_sectors);
	return nr;
}

bool thinx_zeroes_is_range(struct thinx_bio *tb)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct bio *bio = thinx_bio_of(tb);
	u32 begin, end;
	thinx_vblock_t b;

	if (bio_op(bio) != REQ_OP_WRITE_ZEROES || tb->is_piece ||
	    (bio->bi_opf & REQ_FUA))
		return false;
	b = thinx_plane_block(plane, bio->bi_iter.bi_sector, &begin);
	thinx_plane_block(plane, bio_end_sector(bio), &end);
	return !begin && !end && thinx_zeroes_hole_shows(tb->port, b);
}
