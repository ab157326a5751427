// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Latencies of one small request after the other, while other processes keep the
 * pool busy.
 *
 *   neighbour read DEVICE RATE          4 KiB reads at random places
 *   neighbour fsync DEVICE RATE FIRST   4 KiB into each 64 KiB from the FIRSTth
 *                                       on, each followed by fdatasync
 *
 * RATE is in requests per second.  Prints "ready" when it begins.  At SIGTERM it
 * prints a line "NAME VALUE" each for the number of requests and their p50, p99,
 * p999 and max in microseconds, and ends.
 *
 * The latency of a request that has to wait for an earlier one counts from the
 * time it was due: a stall of a second is not one slow request but delays all that
 * were due meanwhile.  Being woken late from sleep does not count.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define SIZE 4096
#define STRIDE (64 << 10)
#define SECOND 1000000000LL
#define MAX_REQUESTS (4 << 20)

static int64_t *latencies;
static size_t n;

static void die(const char *what)
{
	fprintf(stderr, "neighbour: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* Waits until time @turn; returns false if a signal ended that. */
static int wait_for_turn(int64_t turn, const sigset_t *end)
{
	int64_t left = turn - now();
	struct timespec t = { 0 };

	if (left > 0) {
		t.tv_sec = left / SECOND;
		t.tv_nsec = left % SECOND;
	}
	return sigtimedwait(end, NULL, &t) < 0;
}

static void read_somewhere(int fd, void *buf, uint64_t size)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	if (pread(fd, buf, SIZE, x % (size / SIZE) * SIZE) != SIZE)
		die("read");
}

static void write_next(int fd, void *buf, uint64_t size, uint64_t i)
{
	if ((i + 1) * STRIDE > size) {
		errno = ENOSPC;
		die("all blocks have been written");
	}
	if (pwrite(fd, buf, SIZE, i * STRIDE) != SIZE)
		die("write");
	if (fdatasync(fd))
		die("fdatasync");
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void tell(const char *name, double quantile)
{
	printf("%s %.1f\n", name, latencies[(size_t)(quantile * (n - 1))] / 1e3);
}

static void report(void)
{
	if (!n) {
		errno = ETIME;
		die("no request has ended");
	}
	qsort(latencies, n, sizeof(*latencies), compare);
	printf("requests %zu\n", n);
	tell("p50", 0.5);
	tell("p99", 0.99);
	tell("p999", 0.999);
	tell("max", 1);
}

int main(int argc, char **argv)
{
	int reading = argc == 4 && !strcmp(argv[1], "read");
	uint64_t size, next = 0;
	int64_t turn, interval, from;
	sigset_t end;
	void *buf;
	int fd;

	if (!reading && !(argc == 5 && !strcmp(argv[1], "fsync"))) {
		fprintf(stderr, "usage: neighbour read DEVICE RATE | neighbour fsync DEVICE RATE FIRST\n");
		return 2;
	}
	if (!reading)
		next = strtoull(argv[4], NULL, 10);
	interval = SECOND / strtoul(argv[3], NULL, 10);
	latencies = malloc(MAX_REQUESTS * sizeof(*latencies));
	if (!latencies || posix_memalign(&buf, SIZE, SIZE))
		die("memory");
	memset(latencies, 0, MAX_REQUESTS * sizeof(*latencies));
	memset(buf, 0, SIZE);
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
		die(argv[2]);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);

	printf("ready\n");
	fflush(stdout);
	for (turn = now(); n < MAX_REQUESTS; turn += interval) {
		from = now() < turn ? 0 : turn;
		if (!wait_for_turn(turn, &end))
			break;
		if (!from)
			from = now();
		if (reading)
			read_somewhere(fd, buf, size);
		else
			write_next(fd, buf, size, next++);
		latencies[n++] = now() - from;
	}
	report();
	return 0;
}
