/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where bios arrive from dm core, and where they return to it.
 */
#ifndef THINX_MAP_H
#define THINX_MAP_H

#include "data-path/bio.h"

/**
 * thinx_map_bio() - a bio arrives from dm core
 * @port: where
 * @bio: dm core's clone
 *
 * Context: map(); never sleeps for a read or write.
 * Return: DM_MAPIO_*.
 */
int thinx_map_bio(struct thinx_port *port, struct bio *bio);

/**
 * thinx_map_end_io() - a bio completes
 * @port: where
 * @bio: dm core's clone
 * @error: its status, may be changed
 *
 * Context: Any, hard interrupt included.
 * Return: DM_ENDIO_*.
 */
int thinx_map_end_io(struct thinx_port *port, struct bio *bio,
		     blk_status_t *error);

/**
 * thinx_map_done() - I/O on the data device ended for a bio or piece
 * @plane: plane
 * @tb: its state
 * @status: how
 *
 * Leaves the gate; hands the bio to its update or to the committer if one of
 * them waits for it.
 *
 * Context: Any.
 * Return: true if it was handed on: the bio must not complete now.
 */
bool thinx_map_done(struct thinx_plane *plane, struct thinx_bio *tb,
		    blk_status_t status);

#endif /* THINX_MAP_H */
