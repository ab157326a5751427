// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A disk's volatile cache; see volatile-cache.h.
 *
 * A sector's state says where its content is.  New content is written to the copy
 * not in use, then the state is stored.  While a sector is written to the image it
 * is marked: if the process dies half way, all of it must be written later.
 *
 * The process may die between any two instructions, but the processor goes on:
 * only the compiler's order matters, and the release store keeps it.
 *
 * There is no lock, and no allocation after cache_open(): callers may be threads
 * that libc does not know, and only one at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "volatile-cache.h"

#define SECTOR 512
#define PIECE 8			/* sectors that are mostly lost or kept together */
#define GARBAGE_BYTE 0xd1

enum { CLEAN, COPY_0, COPY_1, GARBAGE, LEAVING = 0x80 };

static void set_state(struct cache *c, uint64_t sector, uint8_t state)
{
	__atomic_store_n(&c->state[sector], state, __ATOMIC_RELEASE);
	/* Nothing after this may move before it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static uint8_t *copy_of(const struct cache *c, int copy, uint64_t sector)
{
	return c->copies[copy - COPY_0] + sector * SECTOR;
}

static void get_sector(const struct cache *c, uint64_t sector, uint8_t *buf)
{
	uint8_t state = c->state[sector] & ~LEAVING;

	switch (state) {
	case CLEAN:
		memcpy(buf, c->image + sector * SECTOR, SECTOR);
		break;
	case GARBAGE:
		memset(buf, GARBAGE_BYTE, SECTOR);
		break;
	default:
		memcpy(buf, copy_of(c, state, sector), SECTOR);
	}
}

static void keep(struct cache *c, uint64_t sector)
{
	set_state(c, sector, c->state[sector] | LEAVING);
	get_sector(c, sector, c->image + sector * SECTOR);
	set_state(c, sector, CLEAN);
}

static void keep_range(struct cache *c, uint64_t from, uint64_t length)
{
	uint64_t s;

	for (s = from / SECTOR; s < (from + length) / SECTOR; s++)
		if (c->state[s])
			keep(c, s);
}

void cache_read(const struct cache *c, void *buf, uint64_t from, size_t length)
{
	uint64_t s, first = from / SECTOR;

	for (s = first; s < (from + length) / SECTOR; s++)
		get_sector(c, s, (uint8_t *)buf + (s - first) * SECTOR);
}

void cache_write(struct cache *c, const void *buf, uint64_t from, size_t length)
{
	uint64_t s, first = from / SECTOR;
	int copy;

	for (s = first; s < (from + length) / SECTOR; s++) {
		copy = (c->state[s] & ~LEAVING) == COPY_0 ? COPY_1 : COPY_0;
		memcpy(copy_of(c, copy, s),
		       (const uint8_t *)buf + (s - first) * SECTOR, SECTOR);
		set_state(c, s, copy);
	}
}

void cache_discard(struct cache *c, uint64_t from, uint64_t length)
{
	uint64_t s;

	for (s = from / SECTOR; s < (from + length) / SECTOR; s++)
		set_state(c, s, GARBAGE);
}

void cache_flush(struct cache *c, uint64_t from, uint64_t length)
{
	if (!c->lie)
		keep_range(c, from, length);
}

void cache_keep_all(struct cache *c)
{
	keep_range(c, 0, c->size);
}

static uint32_t below(uint64_t *rng, uint32_t n)
{
	uint64_t x = *rng += 0x9e3779b97f4a7c15ULL;

	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	x ^= x >> 33;
	return (x >> 16) % n;
}

void cache_power_failure(struct cache *c, uint64_t *rng)
{
	uint64_t s, lost = 0, kept = 0;
	uint32_t of_eight = below(rng, 9), torn = below(rng, 2);
	bool lucky = false;

	for (s = 0; s < c->size / SECTOR; s++) {
		if (s % PIECE == 0 || (torn && below(rng, 16) == 0))
			lucky = below(rng, 8) < of_eight;
		if (!c->state[s])
			continue;
		if (lucky || c->state[s] & LEAVING) {
			keep(c, s);
			kept++;
		} else {
			set_state(c, s, CLEAN);
			lost++;
		}
	}
	printf("power failure: of the sectors not flushed %llu are lost, %llu not\n",
	       (unsigned long long)lost, (unsigned long long)kept);
}

static void *map(const char *path, uint64_t size)
{
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, e;
	void *p;

	if (path) {
		fd = open(path, O_RDWR);
		if (fd < 0)
			return NULL;
		flags = MAP_SHARED;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return p == MAP_FAILED ? NULL : p;
}

static bool make_file(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	bool ok = fd >= 0 && !ftruncate(fd, size);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool cache_open(struct cache *c, const char *image, const char *path)
{
	struct stat st;
	uint64_t all;

	if (stat(image, &st))
		return false;
	c->size = st.st_size / SECTOR * SECTOR;
	c->device = st.st_dev;
	c->inode = st.st_ino;
	all = c->size / SECTOR + 2 * c->size;
	if (path && !make_file(path, all))
		return false;
	c->image = map(image, c->size);
	c->copies[0] = map(path, all);
	if (!c->image || !c->copies[0])
		return false;
	c->copies[1] = c->copies[0] + c->size;
	c->state = c->copies[1] + c->size;
	return true;
}
