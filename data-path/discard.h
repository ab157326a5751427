/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Discards of a volume.
 */
#ifndef THINX_DISCARD_H
#define THINX_DISCARD_H

#include "data-path/bio.h"

/**
 * thinx_discard_start() - start a deferred discard
 * @v: volume
 * @tb: the bio; completed, queued for a range, or added to @started
 * @started: every struct thinx_discard that now holds its range
 */
void thinx_discard_start(struct thinx_volume *v, struct thinx_bio *tb,
			 struct list_head *started);

/** thinx_discard_drain() - make discards just started ready for the metadata */
void thinx_discard_drain(struct thinx_volume *v, struct list_head *started);

/**
 * thinx_discard_process() - do some steps of the volume's discards
 * @v: volume
 *
 * Return: true if there is more to do.
 */
bool thinx_discard_process(struct thinx_volume *v);

#endif /* THINX_DISCARD_H */
