/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Zeros: requests that write them to the data device, and how far one request of
 * a user to write zeros (REQ_OP_WRITE_ZEROES) is handled alike.
 */
#ifndef THINX_ZEROES_H
#define THINX_ZEROES_H

#include "data-path/bio.h"
#include "data-path/group.h"

/* A piece of zeros that stays mapped is about as long, if blocks are not longer. */
#define THINX_ZERO_PIECE_SECTORS 16384

/**
 * struct thinx_zeroing - on whose behalf zeros are written
 * @account: a bio that is charged for pages of zeros
 * @op_flags: REQ_NOUNMAP and REQ_FUA as they apply
 * @begin: called with @private before each request is sent
 * @end_io: of each request, which has @private as its bi_private
 * @private: for both
 */
struct thinx_zeroing {
	struct thinx_bio *account;
	blk_opf_t op_flags;
	void (*begin)(void *private);
	bio_end_io_t *end_io;
	void *private;
};

/**
 * thinx_zeroes_write() - write zeros to the data device
 * @z: for whom
 * @sector: on the data device
 * @nr: sectors
 *
 * Much is left to the device (REQ_OP_WRITE_ZEROES), if it can.  It may claim so
 * and refuse: then the caller calls thinx_zeroes_write_pages().
 *
 * Context: The volume's worker.
 */
void thinx_zeroes_write(const struct thinx_zeroing *z, sector_t sector,
			sector_t nr);

/** thinx_zeroes_write_pages() - the same with pages of zeros */
void thinx_zeroes_write_pages(const struct thinx_zeroing *z, sector_t sector,
			      sector_t nr);

/** thinx_zeroes_by_device() - might thinx_zeroes_write() leave @nr to the device? */
bool thinx_zeroes_by_device(sector_t nr);

/**
 * thinx_zeroes_refused() - did the device fail to write zeros by itself?
 * @plane: plane
 * @bio: request of thinx_zeroes_write(), ended
 *
 * Context: Any.
 */
bool thinx_zeroes_refused(struct thinx_plane *plane, struct bio *bio);

/**
 * thinx_zeroes_in_place() - do a request for zeros where a mapping leads
 * @tb: its state, in the gate
 * @bio: bio or piece
 * @sector: on the data device
 *
 * If the device refuses, the bio is deferred, and written as pages when it comes
 * here again; see thinx_map_done().
 *
 * Context: The volume's worker.
 */
void thinx_zeroes_in_place(struct thinx_bio *tb, struct bio *bio,
			   sector_t sector);

/**
 * thinx_zeroes_hole_shows() - do zeros show where this block is a hole?
 * @port: port
 * @b: virtual block
 */
bool thinx_zeroes_hole_shows(struct thinx_port *port, thinx_vblock_t b);

/**
 * thinx_zeroes_cover() - may a block become a hole for a request for zeros?
 * @tb: state of the request
 * @b: virtual block
 *
 * Return: true if the request covers all of it, and a hole shows zeros.
 */
bool thinx_zeroes_cover(struct thinx_bio *tb, thinx_vblock_t b);

/**
 * thinx_zeroes_piece_blocks() - how many blocks that are not to become holes are
 *	zeroed as one
 * @plane: plane
 *
 * A snapshot waits for all of a volume's pieces that are under way: with large
 * blocks a group's worth of each would keep it waiting for gigabytes.
 *
 * Return: 1 to THINX_GROUP_BLOCKS.
 */
static inline u32 thinx_zeroes_piece_blocks(const struct thinx_plane *plane)
{
	return clamp_t(u32, THINX_ZERO_PIECE_SECTORS / plane->block_sectors, 1,
		       THINX_GROUP_BLOCKS);
}

/**
 * thinx_zeroes_first_part() - what of a request for zeros goes one way
 * @tb: state of the request
 *
 * Return: sectors: a part of a block; or whole blocks that may become holes; or at
 * most thinx_zeroes_piece_blocks() others.
 */
u32 thinx_zeroes_first_part(struct thinx_bio *tb);

/**
 * thinx_zeroes_is_range() - is it all whole blocks that may become holes?
 * @tb: state of a bio
 *
 * Return: false also for pieces and for what needs a commit: they go block by
 * block.
 */
bool thinx_zeroes_is_range(struct thinx_bio *tb);

/**
 * thinx_zeroes_are_taken() - may a port take requests for zeros?
 * @port: port
 *
 * They leave holes, which must go on showing zeros when a part of the block is
 * written later: only where writes fill in what they do not cover.
 */
static inline bool thinx_zeroes_are_taken(const struct thinx_port *port)
{
	return port->origin || READ_ONCE(port->volume->plane->zero_new);
}

#endif /* THINX_ZEROES_H */
