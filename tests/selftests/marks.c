// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Does a volume ever show data that is not its own?  Every 4 KiB written carries
 * its owner, its place and a generation.  A model records what each place must
 * hold, and every read is compared with it bit by bit.
 *
 *   marks run   DEV STATE OWNER SECONDS SEED POOL-BLOCK-KIB
 *   marks check DEV STATE
 *
 *   STATE (a file):  | tag of place 0 | tag of place 1 | ...      0: zeros
 *   tag:             owner << 40 | generation
 *   4 KiB:           | MAGIC | tag | place | mix(tag, place, i) ... |
 *
 * I1  There are two threads, each with its own part of the places.  The border
 *     is inside a pool block, so that they meet there.
 * I2  A discard zeroes the pool blocks it covers completely and nothing else.
 * I3  A write, or zeroing, that fails with ENOSPC may have happened at any of its places.
 *     They are read again, and each must hold the old or the new data.
 *
 * Exit: 0; 1 an I/O error (its name on stdout); 2 wrong data; 3 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PLACE 4096
#define WORDS (PLACE / 8)
#define MAGIC 0x7468696e782d6d6bULL
#define MAX_RUN 64
#define NR_THREADS 2

struct part {
	uint64_t begin, end;	/* places */
	uint64_t random, generation;
	uint64_t nr_written, nr_read, nr_discarded, nr_zeroed, nr_full;
	int status;
};

static int fd;
static uint64_t *state, owner, places_per_block;
static time_t deadline;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

static uint64_t next_random(struct part *p)
{
	p->random += 0x9e3779b97f4a7c15ULL;
	return mix(p->random);
}

static void fill(uint64_t *buf, uint64_t tag, uint64_t place)
{
	uint64_t x = mix(tag ^ mix(place));
	int i;

	if (!tag) {
		memset(buf, 0, PLACE);
		return;
	}
	buf[0] = MAGIC;
	buf[1] = tag;
	buf[2] = place;
	for (i = 3; i < WORDS; i++)
		buf[i] = x += 0x9e3779b97f4a7c15ULL;
}

static int matches(const uint64_t *got, uint64_t tag, uint64_t place)
{
	uint64_t want[WORDS];

	fill(want, tag, place);
	return !memcmp(got, want, PLACE);
}

static int io_error(const char *op, uint64_t place)
{
	int e = errno;

	printf("%s\n", strerrorname_np(e));
	fprintf(stderr, "marks: %s at place %llu: %s\n", op,
		(unsigned long long)place, strerror(e));
	return 1;
}

static int wrong(const uint64_t *got, uint64_t tag, uint64_t place)
{
	int i;

	fprintf(stderr, "marks: place %llu (byte %llu): wanted owner %llu generation %llu, got ",
		(unsigned long long)place, (unsigned long long)place * PLACE,
		(unsigned long long)(tag >> 40),
		(unsigned long long)(tag & 0xffffffffffULL));
	if (got[0] == MAGIC)
		fprintf(stderr, "owner %llu generation %llu place %llu%s\n",
			(unsigned long long)(got[1] >> 40),
			(unsigned long long)(got[1] & 0xffffffffffULL),
			(unsigned long long)got[2],
			matches(got, got[1], got[2]) ? "" : " (torn)");
	else if (matches(got, 0, place))
		fprintf(stderr, "zeros\n");
	else
		fprintf(stderr, "garbage %llx %llx %llx\n",
			(unsigned long long)got[0], (unsigned long long)got[1],
			(unsigned long long)got[2]);
	for (i = 0; i < WORDS; i++)
		if (got[0] == MAGIC && i > 2 && !got[i]) {
			fprintf(stderr, "marks: first zero word at %d\n", i);
			break;
		}
	return 2;
}

static int check_run(uint64_t *buf, uint64_t begin, uint64_t n)
{
	uint64_t i;

	if (pread(fd, buf, n * PLACE, begin * PLACE) != (ssize_t)(n * PLACE))
		return io_error("read", begin);
	for (i = 0; i < n; i++)
		if (!matches(buf + i * WORDS, state[begin + i], begin + i))
			return wrong(buf + i * WORDS, state[begin + i], begin + i);
	return 0;
}

/* I3: record what a failed write left behind. */
static int adopt_run(uint64_t *buf, uint64_t begin, uint64_t n, uint64_t tag)
{
	uint64_t i;

	if (pread(fd, buf, n * PLACE, begin * PLACE) != (ssize_t)(n * PLACE))
		return io_error("read after ENOSPC", begin);
	for (i = 0; i < n; i++) {
		if (matches(buf + i * WORDS, state[begin + i], begin + i))
			continue;
		if (!matches(buf + i * WORDS, tag, begin + i))
			return wrong(buf + i * WORDS, tag, begin + i);
		state[begin + i] = tag;
	}
	return 0;
}

static int write_run(struct part *p, uint64_t *buf, uint64_t begin, uint64_t n)
{
	uint64_t tag = owner << 40 | ++p->generation, i;
	ssize_t r;

	for (i = 0; i < n; i++)
		fill(buf + i * WORDS, tag, begin + i);
	r = pwrite(fd, buf, n * PLACE, begin * PLACE);
	if (r == (ssize_t)(n * PLACE)) {
		for (i = 0; i < n; i++)
			state[begin + i] = tag;
		p->nr_written += n;
		return 0;
	}
	if (r < 0 && errno != ENOSPC)
		return io_error("write", begin);
	p->nr_full++;
	return adopt_run(buf, begin, n, tag);
}

static int discard_run(struct part *p, uint64_t begin, uint64_t n)
{
	uint64_t range[2] = { begin * PLACE, n * PLACE }, i, end = begin + n;

	if (ioctl(fd, BLKDISCARD, range))
		return io_error("discard", begin);
	begin = (begin + places_per_block - 1) / places_per_block * places_per_block;
	end = end / places_per_block * places_per_block;
	for (i = begin; i < end; i++)
		state[i] = 0;
	if (begin < end)
		p->nr_discarded += end - begin;
	return 0;
}

/* Zeros, or a hole where the device can punch one. */
static int zero_run(struct part *p, uint64_t *buf, uint64_t begin, uint64_t n,
		    int punch)
{
	uint64_t range[2] = { begin * PLACE, n * PLACE }, i;
	int r = -1;

	errno = EOPNOTSUPP;
	if (punch)
		r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      range[0], range[1]);
	if (r && errno == EOPNOTSUPP)
		r = ioctl(fd, BLKZEROOUT, range);
	if (!r) {
		for (i = 0; i < n; i++)
			state[begin + i] = 0;
		p->nr_zeroed += n;
		return 0;
	}
	if (errno != ENOSPC)
		return io_error("zero", begin);
	p->nr_full++;
	return adopt_run(buf, begin, n, 0);
}

static void *run_part(void *arg)
{
	struct part *p = arg;
	uint64_t *buf;

	if (posix_memalign((void **)&buf, PLACE, MAX_RUN * PLACE)) {
		p->status = 3;
		return NULL;
	}
	while (!p->status && time(NULL) < deadline) {
		uint64_t r = next_random(p) % 100, n = 1 + next_random(p) % MAX_RUN;
		uint64_t begin;

		if (n > p->end - p->begin)
			n = p->end - p->begin;
		begin = p->begin + next_random(p) % (p->end - p->begin - n + 1);
		if (r < 40) {
			p->status = write_run(p, buf, begin, r < 20 ? n : 1 + n / 16);
		} else if (r < 82) {
			p->status = check_run(buf, begin, n);
			p->nr_read += n;
		} else if (r < 90) {
			p->status = discard_run(p, begin, n);
		} else if (r < 98) {
			p->status = zero_run(p, buf, begin, n, r & 1);
		} else if (fsync(fd) && errno != ENOSPC) {
			p->status = io_error("fsync", 0);
		}
	}
	free(buf);
	return NULL;
}

static int run(char **argv, uint64_t nr_places)
{
	struct part parts[NR_THREADS] = { 0 };
	pthread_t threads[NR_THREADS];
	uint64_t seed = strtoull(argv[6], NULL, 0), border = 0, i;
	int r = 0;

	owner = strtoull(argv[4], NULL, 0);
	deadline = time(NULL) + strtoul(argv[5], NULL, 0);
	places_per_block = strtoull(argv[7], NULL, 0) * 1024 / PLACE;
	for (i = 0; i < NR_THREADS; i++) {
		struct part *p = parts + i;

		p->begin = border;
		border = (i + 1) * nr_places / NR_THREADS;
		if (i + 1 < NR_THREADS)
			border |= 3;	/* I1 */
		p->end = border;
		p->random = mix(seed * NR_THREADS + i);
		p->generation = (seed << 20 | i << 19) & 0xffffffffffULL;
		pthread_create(threads + i, NULL, run_part, p);
	}
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (parts[i].status > r)
			r = parts[i].status;
		fprintf(stderr, "marks: owner %s part %llu: %llu written %llu read %llu discarded %llu zeroed %llu times full\n",
			argv[4], (unsigned long long)i,
			(unsigned long long)parts[i].nr_written,
			(unsigned long long)parts[i].nr_read,
			(unsigned long long)parts[i].nr_discarded,
			(unsigned long long)parts[i].nr_zeroed,
			(unsigned long long)parts[i].nr_full);
	}
	return r;
}

int main(int argc, char **argv)
{
	uint64_t size, nr, i, *buf;
	int checking = argc == 4 && !strcmp(argv[1], "check");
	int fd_state, r = 0;

	if (!checking && (argc != 8 || strcmp(argv[1], "run"))) {
		fprintf(stderr, "usage: marks run|check DEVICE STATE ...\n");
		return 3;
	}
	fd = open(argv[2], O_RDWR | O_DIRECT);
	fd_state = open(argv[3], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || fd_state < 0 || ioctl(fd, BLKGETSIZE64, &size))
		return io_error("open", 0);
	nr = size / PLACE;
	if (ftruncate(fd_state, nr * sizeof(*state)))
		return io_error("state", 0);
	state = mmap(NULL, nr * sizeof(*state), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd_state, 0);
	if (state == MAP_FAILED ||
	    posix_memalign((void **)&buf, PLACE, MAX_RUN * PLACE))
		return io_error("memory", 0);
	if (!checking)
		r = run(argv, nr);
	for (i = 0; i < nr && !r; i += MAX_RUN)
		r = check_run(buf, i, nr - i < MAX_RUN ? nr - i : MAX_RUN);
	return r;
}
