/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Commits of a pool: all requests go to the one committer.
 */
#ifndef THINX_COMMIT_H
#define THINX_COMMIT_H

#include "data-path/plane-types.h"

/** thinx_commit_init() - see thinx_plane_init() */
void thinx_commit_init(struct thinx_plane *plane);

/** thinx_commit_exit() - stop the timer and the committer */
void thinx_commit_exit(struct thinx_plane *plane);

/**
 * thinx_commit_now() - commit now
 * @plane: plane
 *
 * Everything changed before the call is durable on return.  A failure has
 * already been reported through the operations.
 *
 * Context: May sleep; no locks held.
 * Return: 0 or the commit's error.
 */
int thinx_commit_now(struct thinx_plane *plane);

/**
 * thinx_commit_surely() - commit now, and write the superblock in any case
 * @plane: plane
 *
 * That is, if anything was changed since the pool was opened: a metadata device
 * that has gone away is noticed.
 *
 * Context: May sleep; no locks held.
 */
void thinx_commit_surely(struct thinx_plane *plane);

/**
 * thinx_commit_brings_space() - is what starved writes lack on its way?
 * @plane: plane
 * @id: device that they are to
 *
 * Blocks become free when a commit completes, or when discards under way have
 * reached the data device.  Those that will be kept for others do not count.
 *
 * Context: May sleep.
 */
bool thinx_commit_brings_space(struct thinx_plane *plane, u32 id);

/**
 * thinx_commit_note_change() - a change was made, schedule a commit
 * @plane: plane
 *
 * It comes within a second, or soon if there are many changes.
 *
 * Context: Any.
 */
void thinx_commit_note_change(struct thinx_plane *plane);

/** thinx_commit_soon() - let the committer run */
void thinx_commit_soon(struct thinx_plane *plane);

/**
 * thinx_commit_queue() - complete a bio after a commit
 * @plane: plane
 * @bio: an empty flush, or a write with FUA whose data is on the data device
 *
 * Context: Any.
 */
void thinx_commit_queue(struct thinx_plane *plane, struct bio *bio);

/**
 * thinx_commit_for_space() - commit, then let starved writes try again
 * @plane: plane
 *
 * Context: Any.
 */
void thinx_commit_for_space(struct thinx_plane *plane);

/**
 * thinx_commit_for_discards() - commit a heavy transaction, let discards go on
 * @plane: plane
 *
 * Context: Any.
 */
void thinx_commit_for_discards(struct thinx_plane *plane);

#endif /* THINX_COMMIT_H */
