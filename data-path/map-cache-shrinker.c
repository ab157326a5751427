// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Gives the map caches' chunks back to a kernel that is short of memory.
 * Separate from map-cache.c because only a kernel has shrinkers.
 */
#include "map-cache.h"

#include "include/compat/shrinker.h"

#include <linux/errno.h>

static struct shrinker *chunk_shrinker;

static unsigned long count_objects(struct shrinker *s,
				   struct shrink_control *sc)
{
	return thinx_map_cache_count() ?: SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *s,
				  struct shrink_control *sc)
{
	return thinx_map_cache_evict(sc->nr_to_scan);
}

int thinx_map_cache_shrinker_register(void)
{
	chunk_shrinker = shrinker_alloc(0, "thinx-map-cache");
	if (!chunk_shrinker)
		return -ENOMEM;
	chunk_shrinker->count_objects = count_objects;
	chunk_shrinker->scan_objects = scan_objects;
	shrinker_register(chunk_shrinker);
	return 0;
}

void thinx_map_cache_shrinker_unregister(void)
{
	shrinker_free(chunk_shrinker);
}
