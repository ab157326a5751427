/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Empty flushes: whether the data device's own flush suffices.
 */
#ifndef THINX_FLUSH_H
#define THINX_FLUSH_H

#include "data-path/bio.h"

/* Where an empty flush has to go. */
enum thinx_flush_way {
	THINX_FLUSH_WAIT,	/* the gate is closed: defer it */
	THINX_FLUSH_LOST,	/* what it covers was lost: fail it */
	THINX_FLUSH_COMMIT,	/* outside the gate; a commit is needed */
	THINX_FLUSH_DOWN,	/* inside the gate; the data device suffices */
};

/**
 * thinx_flush_way() - decide where an empty flush goes
 * @tb: its state
 *
 * Judged inside the gate, which an abort closes and drains: no changes can be
 * lost between the checks for lost and for uncommitted ones.
 *
 * Context: Any.
 */
enum thinx_flush_way thinx_flush_way(struct thinx_bio *tb);

/**
 * thinx_flush() - send an empty flush where it has to go now
 * @tb: its state, outside the gate
 *
 * Context: The volume's worker.
 */
void thinx_flush(struct thinx_bio *tb);

#endif /* THINX_FLUSH_H */
