/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What each bio carries through the data path, and the few things that can
 * happen to it.
 */
#ifndef THINX_BIO_H
#define THINX_BIO_H

#include <linux/blk_types.h>

#include "data-path/volume.h"

struct thinx_update;

/**
 * struct thinx_bio - what a bio carries through the data path
 * @port: where it came in
 * @update: the update that waits for this bio's data, or NULL
 * @parent: for a piece: the bio it was cut from
 * @list: in a list of the volume, a group or an update, or in
 *	thinx_commit.waiters
 * @begin: in a started update: the first sector that it writes, from the start of
 *	the update
 * @end: likewise one past the last; its bi_iter says so only until it is sent
 * @waiter: while it waits for a range
 * @iter: of a bio whose data an update writes, as it was
 * @since: while it is deferred or starves: since when, in units of 1024 ns
 * @epoch: of the gate, if @in_gate
 * @in_gate: must leave the gate when it completes
 * @await_commit: once its data is written, hold it until a commit
 * @fua: was submitted with REQ_FUA, which the block layer may have cleared
 * @is_piece: lives in thinx_plane.pieces: cut from another bio, or of a fill
 * @is_counted: counted in thinx_plane.nr_reserved
 * @is_cut: part of it is under way as pieces, so the rest has to be pieces, too
 * @is_zero_piece: of pieces: counted in thinx_volume.nr_zero_pieces
 * @by_pages: of requests for zeros: to be written as pages
 * @zeros_failed: A; the data device did not write zeros by itself
 *
 * dm core keeps it next to its clone and does not clear it.
 */
struct thinx_bio {
	struct thinx_port *port;
	struct thinx_update *update;
	struct bio *parent;
	union {
		struct {
			struct list_head list;
			u32 begin;
			u32 end;
		};
		struct thinx_range_waiter waiter;
	};
	union {
		struct bvec_iter iter;
		u32 since;
	};
	unsigned int epoch;
	bool in_gate;
	bool await_commit;
	bool fua;
	bool is_piece;
	bool is_counted;
	bool is_cut;
	bool is_zero_piece;
	bool by_pages;
	bool zeros_failed;
};

/**
 * struct thinx_piece - a bio of thinx_plane.pieces
 * @state: its state
 * @bio: the bio, last
 */
struct thinx_piece {
	struct thinx_bio state;
	struct bio bio;
};

/** thinx_map_bio_size() - what a target puts into per_io_data_size */
#define thinx_map_bio_size sizeof(struct thinx_bio)

/** thinx_bio_of() - the bio a state belongs to */
struct bio *thinx_bio_of(struct thinx_bio *tb);

/** thinx_bio_state() - the state of a bio on plane @plane */
struct thinx_bio *thinx_bio_state(struct thinx_plane *plane, struct bio *bio);

/**
 * thinx_bio_enter_gate() - let a bio use mappings of its volume
 * @v: its volume, which is at hand wherever a bio comes by
 * @tb: its state, outside the gate
 *
 * Context: Any.
 * Return: false if the gate is closed.
 */
static inline bool thinx_bio_enter_gate(struct thinx_volume *v,
					struct thinx_bio *tb)
{
	tb->in_gate = thinx_gate_enter(&v->gate, &tb->epoch);
	return tb->in_gate;
}

/** thinx_bio_leave_gate() - it uses none any more */
static inline void thinx_bio_leave_gate(struct thinx_volume *v,
					struct thinx_bio *tb)
{
	tb->in_gate = false;
	thinx_gate_leave(&v->gate, tb->epoch);
}

/** thinx_bio_now() - the present, for thinx_bio.since */
static inline u32 thinx_bio_now(void)
{
	return ktime_get_ns() >> 10;
}

/** thinx_bio_waited() - note how long a deferred bio took to get that far */
static inline void thinx_bio_waited(struct thinx_bio *tb, enum thinx_time t)
{
	u64 ns = (u64)(thinx_bio_now() - tb->since) << 10;

	thinx_volume_time(tb->port->volume, t, ktime_get_ns() - ns);
}

/**
 * thinx_bio_defer() - hand a bio to its volume's worker
 * @tb: its state, outside the gate
 *
 * Context: Any.
 */
void thinx_bio_defer(struct thinx_bio *tb);

/**
 * thinx_bio_starve() - put a write aside for which there is no space
 * @tb: its state, outside the gate
 * @coming: space is on its way: hold it even where such writes fail at once;
 *	the caller calls thinx_commit_for_space() afterwards
 *
 * Ends it if nothing is to be expected.
 *
 * Context: The volume's worker.
 */
void thinx_bio_starve(struct thinx_bio *tb, bool coming);

/**
 * thinx_bio_remember() - before an update writes the data of a bio
 * @tb: its state
 */
void thinx_bio_remember(struct thinx_bio *tb);

/**
 * thinx_bio_rewind() - as it was before: it is to be written again
 * @tb: its state; its data was written, and it is with us again
 */
void thinx_bio_rewind(struct thinx_bio *tb);

/**
 * thinx_bio_defer_plugged() - the same, for a bio that is being submitted
 * @tb: its state, outside the gate
 *
 * If the submitter collects requests (struct blk_plug), the worker gets the bio
 * together with those that follow, and is woken once.
 *
 * Context: map(); does not sleep.
 */
void thinx_bio_defer_plugged(struct thinx_bio *tb);

/**
 * thinx_bio_read_hole() - serve a read where nothing is mapped
 * @port: where it came in
 * @bio: bio or piece, its sectors those of the volume
 *
 * It reads zeros, or the external origin and zeros past its end.
 *
 * Return: true if the bio is ready to be submitted to the origin, false if it
 * holds zeros and can complete.
 */
bool __must_check thinx_bio_read_hole(struct thinx_port *port,
				      struct bio *bio);

/**
 * thinx_bio_submit() - send a remapped bio or piece down
 * @tb: its state; for a bio of our own: that of the bio which needs it, not yet
 *	ended
 * @bio: bio or piece
 *
 * Context: The volume's worker, and nobody else: dm core takes one piece of a
 * bio at a time.
 */
void thinx_bio_submit(struct thinx_bio *tb, struct bio *bio);

/** thinx_bio_end() - complete a bio with @status */
void thinx_bio_end(struct bio *bio, blk_status_t status);

#endif /* THINX_BIO_H */
