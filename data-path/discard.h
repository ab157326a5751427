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
 * thinx_discard_queue() - take a deferred discard
 * @v: volume
 * @tb: the bio; completed if there is nothing to do, else queued
 */
void thinx_discard_queue(struct thinx_volume *v, struct thinx_bio *tb);

/**
 * thinx_discard_process() - do some steps of the volume's discards
 * @v: volume
 *
 * Return: true if there is more to do.
 */
bool thinx_discard_process(struct thinx_volume *v);

/**
 * thinx_discard_has_to_wait() - must what unmaps many blocks wait?
 * @v: volume
 *
 * For the gate; or for a commit or the end of discards on the data device, which
 * are then asked for, if the transaction or their queue has grown large.
 *
 * Context: The volume's worker, which runs again when this may have changed.
 */
bool thinx_discard_has_to_wait(struct thinx_volume *v);

#endif /* THINX_DISCARD_H */
