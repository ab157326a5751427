/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Snapshots with IDs that nobody has, for the commands that make some.
 */
#ifndef TOOLS_SNAPSHOT_H
#define TOOLS_SNAPSHOT_H

#include "pool.h"

/** find_whole_volume() - by name, one of one target; says why there is none */
struct volume *find_whole_volume(struct system *s, const char *name);

/** snapshot_ids() - IDs nobody has; Return: DONE or FAILED, and it has been said why */
int snapshot_ids(struct pool *pool, uint32_t *ids, size_t nr);

/**
 * snapshot_make() - snapshots of one moment
 * @pool: where
 * @ids: result: their IDs
 * @origins: what they are of
 * @nr: 1 to 64
 *
 * Return: DONE or FAILED; nothing has been made then, and it has been said why.
 */
int snapshot_make(struct pool *pool, uint32_t *ids, const uint32_t *origins, size_t nr);

#endif /* TOOLS_SNAPSHOT_H */
