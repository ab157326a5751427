// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The disk's volatile cache: what is flushed stays, what is not may be lost, and a
 * sector is never torn, wherever the process is killed.
 *
 * A sector is filled with one number; later writes have larger ones.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "volatile-cache.h"

#define SECTOR 512
#define SECTORS 1024

static char image[64], cache_file[80];
static int number, failures;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	failures += !good;
}

static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static struct cache fresh(bool file)
{
	struct cache c = { 0 };
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, SECTORS * SECTOR))
		give_up(image);
	close(fd);
	unlink(cache_file);
	if (!cache_open(&c, image, file ? cache_file : NULL))
		give_up("cache_open");
	return c;
}

static void write_one(struct cache *c, uint32_t sector, uint32_t value)
{
	uint32_t buf[SECTOR / 4], i;

	for (i = 0; i < SECTOR / 4; i++)
		buf[i] = value;
	cache_write(c, buf, (uint64_t)sector * SECTOR, SECTOR);
}

static void write_all(struct cache *c, uint32_t value)
{
	uint32_t s;

	for (s = 0; s < SECTORS; s++)
		write_one(c, s, value);
}

/* The value, or UINT32_MAX if the sector is torn */
static uint32_t value_of(const void *sector)
{
	const uint32_t *p = sector;
	int i;

	for (i = 1; i < SECTOR / 4; i++)
		if (p[i] != p[0])
			return UINT32_MAX;
	return p[0];
}

static uint32_t on_disk(const struct cache *c, uint32_t sector)
{
	return value_of(c->image + (uint64_t)sector * SECTOR);
}

static uint32_t read_one(const struct cache *c, uint32_t sector)
{
	uint8_t buf[SECTOR] __attribute__((aligned(4)));

	cache_read(c, buf, (uint64_t)sector * SECTOR, SECTOR);
	return value_of(buf);
}

/* How many sectors of the image have that value */
static int count(const struct cache *c, uint32_t value)
{
	uint32_t s;
	int n = 0;

	for (s = 0; s < SECTORS; s++)
		n += on_disk(c, s) == value;
	return n;
}

static void flushes(void)
{
	struct cache c = fresh(false);
	uint64_t rng = 1;

	write_all(&c, 1);
	ok(read_one(&c, 7) == 1 && count(&c, 0) == SECTORS,
	   "what is written is read, and not in the image");
	cache_flush(&c, 8 * SECTOR, 8 * SECTOR);
	ok(count(&c, 1) == 8 && on_disk(&c, 8) == 1 && on_disk(&c, 15) == 1,
	   "a range that is flushed");
	cache_flush(&c, 0, c.size);
	ok(count(&c, 1) == SECTORS, "all");
	write_one(&c, 3, 2);
	write_one(&c, 3, 3);
	write_one(&c, 3, 4);
	ok(read_one(&c, 3) == 4, "the last write counts");
	cache_power_failure(&c, &rng);
	ok(count(&c, 1) >= SECTORS - 1 && read_one(&c, 3) == on_disk(&c, 3),
	   "what was flushed is not lost");
	cache_discard(&c, 0, 4 * SECTOR);
	ok(read_one(&c, 0) == 0xd1d1d1d1 && on_disk(&c, 0) == 1 &&
	   read_one(&c, 4) == 1, "a discarded sector is garbage");
	write_one(&c, 0, 5);
	cache_keep_all(&c);
	ok(on_disk(&c, 0) == 5 && on_disk(&c, 1) == 0xd1d1d1d1,
	   "a shutdown keeps all");
	c.lie = true;
	write_one(&c, 0, 6);
	cache_flush(&c, 0, c.size);
	ok(on_disk(&c, 0) == 5, "a disk that lies");
}

static void failures_of_power(void)
{
	int lost = 0, all = 0, some = 0, torn = 0, n;
	struct cache c = fresh(false);
	uint64_t rng;
	uint32_t i;

	for (i = 1; i <= 200; i++) {
		rng = i;
		write_all(&c, 2 * i);
		cache_flush(&c, 0, c.size);
		write_all(&c, 2 * i + 1);
		cache_power_failure(&c, &rng);
		n = count(&c, 2 * i + 1);
		torn += n + count(&c, 2 * i) != SECTORS;
		lost += n == 0;
		all += n == SECTORS;
		some += n > 0 && n < SECTORS;
	}
	ok(!torn, "each sector is old or new");
	ok(lost && all && some > lost && some > all,
	   "all, nothing, mostly a part");
}

/* Write and flush until killed; *flushed is a value that is durable. */
static void child(uint32_t *flushed, uint32_t value)
{
	struct cache c = { 0 };

	if (!cache_open(&c, image, cache_file))
		_exit(1);
	for (;; value++) {
		write_all(&c, value);
		cache_flush(&c, 0, c.size);
		__atomic_store_n(flushed, value, __ATOMIC_RELEASE);
	}
}

static uint32_t seen(uint32_t *flushed)
{
	return __atomic_load_n(flushed, __ATOMIC_ACQUIRE);
}

static void kills(void)
{
	struct cache c = fresh(true);
	uint32_t *flushed, i, s, v;
	int torn = 0, lost = 0, wrong = 0, mixed = 0, n;
	uint64_t rng = 1;
	pid_t pid;

	flushed = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (flushed == MAP_FAILED)
		give_up("mmap");
	for (i = 0; i < 200; i++) {
		v = *flushed;
		pid = fork();
		if (!pid)
			child(flushed, v + 1);
		/* On a busy machine it may take a while to begin. */
		for (n = 0; n < 20000 && seen(flushed) < v + 3; n++)
			usleep(500);
		usleep(i * 37 % 1000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		cache_power_failure(&c, &rng);
		for (s = n = 0; s < SECTORS; s++) {
			v = on_disk(&c, s);
			torn += v == UINT32_MAX;
			lost += v < *flushed;
			wrong += v != UINT32_MAX && v > *flushed + 1;
			n += v != *flushed;
		}
		mixed += n > 0 && n < SECTORS;
		++*flushed;
		write_all(&c, *flushed);
		cache_flush(&c, 0, c.size);
	}
	ok(*flushed > 600, "a process wrote, and was killed");
	ok(!torn, "no sector is torn");
	ok(!lost, "what it had flushed is there");
	ok(!wrong, "nothing else is");
	ok(mixed > 10, "some of what it had not");
}

int main(void)
{
	int fd;

	strcpy(image, "/tmp/endurance-volatile-XXXXXX");
	fd = mkstemp(image);
	if (fd < 0)
		give_up(image);
	close(fd);
	snprintf(cache_file, sizeof(cache_file), "%s.cache", image);
	flushes();
	failures_of_power();
	kills();
	printf("1..%d\n", number);
	unlink(image);
	unlink(cache_file);
	return failures != 0;
}
