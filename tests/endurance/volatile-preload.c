// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Disks with a volatile cache for a native machine: a library loaded into the
 * kernel's process, between its block device and the images.
 *
 *   LD_PRELOAD=volatile-preload.so VOLATILE_DISKS=IMAGE:IMAGE [VOLATILE_LIE=1]
 *
 * The cache of an image is in IMAGE.cache, which outlives the process;
 * volatile-settle decides afterwards what of it reaches the image.
 *
 * The guest accesses the image through hostfs, which uses pread, pwrite, fsync and
 * fdatasync.  Each call looks up the file that its descriptor refers to: nothing is
 * remembered about descriptors.  Other files go to the system.  The guest may have
 * two processors: only one at a time uses a disk's cache.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "volatile-cache.h"

#define MAX_DISKS 8

static struct cache disks[MAX_DISKS];
static bool busy[MAX_DISKS];	/* a spin lock each */
static int nr_disks;

static void open_disk(const char *image)
{
	struct cache *c = &disks[nr_disks];
	char path[4096];

	snprintf(path, sizeof(path), "%s.cache", image);
	if (nr_disks == MAX_DISKS || !cache_open(c, image, path)) {
		fprintf(stderr, "volatile-preload: %s: %s\n", image,
			nr_disks == MAX_DISKS ? "too many" : strerror(errno));
		_exit(126);
	}
	c->lie = getenv("VOLATILE_LIE");
	nr_disks++;
}

static void __attribute__((constructor)) open_disks(void)
{
	char *list = strdup(getenv("VOLATILE_DISKS") ?: ""), *p = list, *image;

	while (p && (image = strsep(&p, ":")))
		if (*image)
			open_disk(image);
	free(list);
}

static struct cache *find_disk(int fd)
{
	struct stat st;
	int i;

	if (!nr_disks || fstat(fd, &st))
		return NULL;
	for (i = 0; i < nr_disks; i++)
		if (disks[i].inode == st.st_ino && disks[i].device == st.st_dev)
			return &disks[i];
	return NULL;
}

static void lock(struct cache *c)
{
	while (__atomic_test_and_set(&busy[c - disks], __ATOMIC_ACQUIRE))
		syscall(SYS_sched_yield);
}

static void unlock(struct cache *c)
{
	__atomic_clear(&busy[c - disks], __ATOMIC_RELEASE);
}

/* The part of @length that is inside the disk */
static size_t inside(const struct cache *c, uint64_t from, uint64_t length)
{
	if (from >= c->size)
		return 0;
	return length < c->size - from ? length : c->size - from;
}

ssize_t pread64(int fd, void *buf, size_t length, off64_t from)
{
	struct cache *c = find_disk(fd);

	if (!c)
		return syscall(SYS_pread64, fd, buf, length, from);
	length = inside(c, from, length);
	lock(c);
	cache_read(c, buf, from, length);
	unlock(c);
	return length;
}

ssize_t pwrite64(int fd, const void *buf, size_t length, off64_t from)
{
	struct cache *c = find_disk(fd);

	if (!c)
		return syscall(SYS_pwrite64, fd, buf, length, from);
	length = inside(c, from, length);
	lock(c);
	cache_write(c, buf, from, length);
	unlock(c);
	return length;
}

static int sync_disk(int fd, long number)
{
	struct cache *c = find_disk(fd);

	if (!c)
		return syscall(number, fd);
	lock(c);
	cache_flush(c, 0, c->size);
	unlock(c);
	return 0;
}

int fdatasync(int fd)
{
	return sync_disk(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return sync_disk(fd, SYS_fsync);
}
