/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discards that go on to the data device once what they freed is durable.
 */
#ifndef THINX_PASSDOWN_H
#define THINX_PASSDOWN_H

#include "data-path/plane-types.h"

/** thinx_passdown_init() - see thinx_plane_init() */
void thinx_passdown_init(struct thinx_plane *plane);

/**
 * thinx_passdown_add() - pass discards of freed, held runs down
 * @plane: plane
 * @runs: the runs
 * @nr: how many
 * @generation: issue them when this generation is durable
 *
 * Runs that there is no memory for are released without a discard.
 *
 * Context: May sleep, GFP_NOIO.  In the critical section of the metadata lock,
 * for writing, that freed the runs: an abort comes before or after both.
 */
void thinx_passdown_add(struct thinx_plane *plane,
			const struct thinx_md_run *runs, u32 nr, u64 generation);

/**
 * thinx_passdown_send() - send discards to the data device
 * @plane: plane
 * @sector: first sector
 * @end: one past the last
 * @granule: cut at multiples of so many sectors from the first
 * @pending: counts up with each bio
 * @end_io: end of each
 * @private: for @end_io
 *
 * Context: May sleep, GFP_NOIO.
 */
void thinx_passdown_send(struct thinx_plane *plane, sector_t sector,
			 sector_t end, u32 granule, atomic_t *pending,
			 bio_end_io_t *end_io, void *private);

/** thinx_passdown_kick() - a commit completed: issue what it freed */
void thinx_passdown_kick(struct thinx_plane *plane);

/** thinx_passdown_pending() - may ending discards free data blocks? */
bool thinx_passdown_pending(struct thinx_plane *plane);

/**
 * thinx_passdown_is_crowded() - is so much queued that nobody should add to it?
 * @plane: plane
 *
 * thinx_volumes_retry_starved() is called when that ends.
 *
 * Context: Any.
 */
bool thinx_passdown_is_crowded(struct thinx_plane *plane);

/**
 * thinx_passdown_awaits_commit() - is some of what is queued not yet durable?
 * @plane: plane
 *
 * Context: Any.
 */
bool thinx_passdown_awaits_commit(struct thinx_plane *plane);

/**
 * thinx_passdown_flush() - wait until no discard is queued or under way
 * @plane: plane; quiesced and committed, else this may take long
 *
 * Context: May sleep.
 */
void thinx_passdown_flush(struct thinx_plane *plane);

/**
 * thinx_passdown_forget() - drop what waits for a commit
 * @plane: plane; the metadata was aborted, which ended the holds, or is closed next
 *
 * Context: May sleep.
 */
void thinx_passdown_forget(struct thinx_plane *plane);

#endif /* THINX_PASSDOWN_H */
