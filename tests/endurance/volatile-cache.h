/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The volatile cache of a disk: what is written stays beside the image until it
 * is flushed.
 *
 *   write ─► cache ── flush, or FUA ──► image
 *              │                          ▲
 *              └── power failure: some ───┘       the rest is as in the image
 *
 * In a power failure, of what was written and not flushed a random part reaches
 * the image, down to sectors, in no order: all, nothing, or each piece with some
 * probability.  So whoever forgets a flush, or relies on the order of writes,
 * loses data.  A discarded sector reads as garbage.
 *
 * Two front ends: volatile-disk.c serves qemu and has the cache in memory;
 * volatile-preload.c lives in a native machine's process and has it in a file,
 * which outlives the process.  It can be killed anywhere: a sector is replaced
 * by one store of its state.
 */
#ifndef ENDURANCE_VOLATILE_CACHE_H
#define ENDURANCE_VOLATILE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

struct cache {
	uint64_t size;
	uint8_t *image;
	uint8_t *state;		/* of each sector */
	uint8_t *copies[2];	/* in turn, so that one is always whole */
	dev_t device;		/* of the image's file */
	ino_t inode;
	bool lie;		/* flushes do nothing */
};

/* PATH is the cache's file, or NULL.  False, and errno. */
bool cache_open(struct cache *c, const char *image, const char *path);

/* Ranges are of whole sectors, and inside. */
void cache_read(const struct cache *c, void *buf, uint64_t from, size_t length);
void cache_write(struct cache *c, const void *buf, uint64_t from,
		 size_t length);
void cache_discard(struct cache *c, uint64_t from, uint64_t length);
/* To the image, unless it lies */
void cache_flush(struct cache *c, uint64_t from, uint64_t length);

/* What the end of a machine leaves in the image; the cache is empty then. */
void cache_keep_all(struct cache *c);
void cache_power_failure(struct cache *c, uint64_t *rng);

#endif
