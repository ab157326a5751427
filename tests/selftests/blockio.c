// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One block device operation, for the shell tests, with data that identifies its
 * place and its writer.  Unlike dd and cmp it tells which errno came back and
 * which sector differs first.
 *
 *   blockio write   DEV OFFSET LENGTH SEED   pattern, O_DIRECT
 *   blockio fua     DEV OFFSET LENGTH SEED   the same with RWF_DSYNC
 *   blockio verify  DEV OFFSET LENGTH SEED   read and compare
 *   blockio zeros   DEV OFFSET LENGTH        read and expect zeros
 *   blockio read    DEV OFFSET LENGTH        only read
 *   blockio nowait  DEV OFFSET LENGTH        read with RWF_NOWAIT
 *   blockio sync    DEV                      fsync
 *   blockio discard DEV OFFSET LENGTH        BLKDISCARD
 *   blockio secure  DEV OFFSET LENGTH        BLKSECDISCARD
 *   blockio zeroout DEV OFFSET LENGTH        BLKZEROOUT
 *
 * Numbers take k, M, G.  The request size is 1 MiB or $BLOCKIO_SIZE.
 * Exit: 0; 1 with the errno's name on stdout; 2 data differ; 3 usage.
 *
 *   sector:  | seed | byte offset | seed ^ mix(offset, i) ... |
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

static void fill(uint64_t *buf, size_t len, uint64_t off, uint64_t seed)
{
	size_t s, i, n = SECTOR / sizeof(*buf);

	for (s = 0; s < len / SECTOR; s++, off += SECTOR, buf += n) {
		uint64_t x = mix(off + seed * 0x9e3779b97f4a7c15ULL);

		buf[0] = seed;
		buf[1] = off;
		for (i = 2; i < n; i++)
			buf[i] = x += 0x9e3779b97f4a7c15ULL;
	}
}

static uint64_t number(const char *s)
{
	char *end;
	uint64_t x = strtoull(s, &end, 0);

	switch (*end) {
	case 'G':
		x <<= 10; /* fall through */
	case 'M':
		x <<= 10; /* fall through */
	case 'k':
		x <<= 10;
		end++;
	}
	if (*end || end == s) {
		fprintf(stderr, "blockio: bad number '%s'\n", s);
		exit(3);
	}
	return x;
}

static int error(const char *op, uint64_t off)
{
	int e = errno;

	printf("%s\n", strerrorname_np(e));
	fprintf(stderr, "blockio: %s at %llu: %s\n", op,
		(unsigned long long)off, strerror(e));
	return 1;
}

static int compare(const uint64_t *got, const uint64_t *want, size_t len,
		   uint64_t off)
{
	size_t s;

	for (s = 0; s < len; s += SECTOR) {
		const uint64_t *g = got + s / 8, *w = want + s / 8;

		if (!memcmp(g, w, SECTOR))
			continue;
		fprintf(stderr,
			"blockio: byte %llu: wanted %llx %llx %llx, got %llx %llx %llx\n",
			(unsigned long long)off + s,
			(unsigned long long)w[0], (unsigned long long)w[1],
			(unsigned long long)w[2], (unsigned long long)g[0],
			(unsigned long long)g[1], (unsigned long long)g[2]);
		return 2;
	}
	return 0;
}

static int ioctl_range(int fd, const char *op, uint64_t off, uint64_t len)
{
	uint64_t range[2] = { off, len };
	unsigned long cmd = BLKDISCARD;

	if (!strcmp(op, "secure"))
		cmd = BLKSECDISCARD;
	else if (!strcmp(op, "zeroout"))
		cmd = BLKZEROOUT;
	return ioctl(fd, cmd, range) ? error(op, off) : 0;
}

static int transfer(int fd, const char *op, uint64_t off, uint64_t len,
		    uint64_t seed)
{
	const char *env = getenv("BLOCKIO_SIZE");
	size_t size = env ? number(env) : 1 << 20;
	int writing = !strcmp(op, "write") || !strcmp(op, "fua");
	int flags = 0, r;
	uint64_t *buf, *want;

	if (!strcmp(op, "fua"))
		flags = RWF_DSYNC;
	else if (!strcmp(op, "nowait"))
		flags = RWF_NOWAIT;
	if (posix_memalign((void **)&buf, 4096, size) ||
	    posix_memalign((void **)&want, 4096, size))
		return 3;

	while (len) {
		struct iovec iov = { buf, len < size ? len : size };
		ssize_t n;

		memset(want, 0, iov.iov_len);
		if (writing)
			fill(buf, iov.iov_len, off, seed);
		else if (!strcmp(op, "verify"))
			fill(want, iov.iov_len, off, seed);
		n = writing ? pwritev2(fd, &iov, 1, off, flags) :
			      preadv2(fd, &iov, 1, off, flags);
		if (n < 0)
			return error(op, off);
		if (n == 0 || n % SECTOR) {
			fprintf(stderr, "blockio: %s at %llu: short (%zd)\n",
				op, (unsigned long long)off, n);
			return 1;
		}
		if (!strcmp(op, "verify") || !strcmp(op, "zeros")) {
			r = compare(buf, want, n, off);
			if (r)
				return r;
		}
		off += n;
		len -= n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *op = argc > 1 ? argv[1] : "";
	int sync = !strcmp(op, "sync");
	int seeded = !strcmp(op, "write") || !strcmp(op, "fua") ||
		     !strcmp(op, "verify");
	int range = !strcmp(op, "discard") || !strcmp(op, "secure") ||
		    !strcmp(op, "zeroout");
	int plain = !strcmp(op, "zeros") || !strcmp(op, "read") ||
		    !strcmp(op, "nowait");
	int reading = plain || !strcmp(op, "verify");
	int fd;

	if (argc != (sync ? 3 : seeded ? 6 : 5) ||
	    !(sync || seeded || range || plain)) {
		fprintf(stderr, "usage: blockio OPERATION DEVICE [OFFSET LENGTH [SEED]]\n");
		return 3;
	}
	fd = open(argv[2], (reading ? O_RDONLY : O_RDWR) |
			   (sync || range ? 0 : O_DIRECT));
	if (fd < 0)
		return error("open", 0);
	if (sync)
		return fsync(fd) ? error("fsync", 0) : 0;
	if (range)
		return ioctl_range(fd, op, number(argv[3]), number(argv[4]));
	return transfer(fd, op, number(argv[3]), number(argv[4]),
			seeded ? number(argv[5]) : 0);
}
