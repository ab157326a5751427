/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The volatile cache of a disk: written data stays outside the image until it is
 * flushed.
 *
 *   write ─► cache ── flush, or FUA ──► image
 *              │                          ▲
 *              └── power failure: some ───┘       the rest is as in the image
 *
 * In a power failure a random part of the data written and not flushed reaches the
 * image, by sectors and in no order: all, nothing, or each piece with some
 * probability.  So code that omits a flush, or relies on the order of writes, loses
 * data.  A discarded sector reads as garbage.
 *
 * There are two front ends: volatile-disk.c serves qemu and has the cache in
 * memory; volatile-preload.c is part of a native machine's process and has the
 * cache in a file, which outlives the process.  The process can be killed at any
 * point, because one store to its state replaces a sector.
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

/* @path is the cache's file, or NULL.  Returns false and sets errno on errors. */
bool cache_open(struct cache *c, const char *image, const char *path);

/* Ranges have whole sectors and are inside the disk. */
void cache_read(const struct cache *c, void *buf, uint64_t from, size_t length);
void cache_write(struct cache *c, const void *buf, uint64_t from,
		 size_t length);
void cache_discard(struct cache *c, uint64_t from, uint64_t length);
/* Write the range to the image, unless the disk lies. */
void cache_flush(struct cache *c, uint64_t from, uint64_t length);

/* The end of a machine: update the image and empty the cache. */
void cache_keep_all(struct cache *c);
void cache_power_failure(struct cache *c, uint64_t *rng);

#endif
