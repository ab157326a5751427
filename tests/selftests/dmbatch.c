// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thousands of device-mapper operations in one process, for tests in which
 * starting dmsetup for each would take longer than the operation.
 *
 *   dmbatch < SCRIPT      one operation per line
 *
 *   msg POOL WORDS...                      message to /dev/mapper/POOL
 *   create NAME SECTORS TARGET WORDS...    create, load, resume, make the node
 *   suspend NAME
 *   resume NAME
 *   remove NAME
 *   write NAME OFFSET LENGTH SEED          one request with O_DIRECT
 *   fua NAME OFFSET LENGTH SEED            the same with RWF_DSYNC
 *   verify NAME OFFSET LENGTH SEED
 *   zeros NAME OFFSET LENGTH
 *   ERRNO:OPERATION ...                    must fail like that: ENODATA:msg pool ...
 *
 * OFFSET and LENGTH are in bytes.  Each line with an unexpected result is
 * printed with that result; if there was one, the exit status is 1.  The last
 * line of output gives the number of operations and of milliseconds.
 *
 * The pattern differs from that of blockio: each 64-bit word is a mix of the
 * seed and its byte offset.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 16
#define MAX_IO (1 << 20)
#define MAX_LINE 1024
#define DATA_DIFFER (-1)

static int control;
static char packet[16384];

static struct dm_ioctl *begin_packet(const char *name)
{
	struct dm_ioctl *d = (struct dm_ioctl *)packet;

	memset(packet, 0, sizeof(packet));
	d->version[0] = DM_VERSION_MAJOR;
	d->data_size = sizeof(packet);
	d->data_start = sizeof(*d);
	snprintf(d->name, sizeof(d->name), "%s", name);
	return d;
}

static int dm(unsigned long cmd)
{
	return ioctl(control, cmd, packet) ? errno : 0;
}

static const char *node(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	return path;
}

/* The words from @i on, separated by blanks. */
static void join(char *to, size_t size, char **words, int i, int n)
{
	size_t len = 0;

	*to = '\0';
	for (; i < n && len < size; i++)
		len += snprintf(to + len, size - len, "%s%s", words[i],
				i + 1 < n ? " " : "");
}

static int message(char **words, int n)
{
	struct dm_ioctl *d = begin_packet(words[1]);
	struct dm_target_msg *m =
		(struct dm_target_msg *)(packet + d->data_start);

	join(m->message, MAX_LINE, words, 2, n);
	return dm(DM_TARGET_MSG);
}

static int suspend(char **words, int n)
{
	struct dm_ioctl *d = begin_packet(words[1]);

	(void)n;
	d->flags = DM_SUSPEND_FLAG;
	return dm(DM_DEV_SUSPEND);
}

static int resume(char **words, int n)
{
	(void)n;
	begin_packet(words[1]);
	return dm(DM_DEV_SUSPEND);		/* without the flag */
}

static int create(char **words, int n)
{
	struct dm_target_spec *spec;
	struct dm_ioctl *d;
	dev_t dev;
	int r;

	begin_packet(words[1]);
	r = dm(DM_DEV_CREATE);
	if (r)
		return r;
	dev = ((struct dm_ioctl *)packet)->dev;

	d = begin_packet(words[1]);
	d->target_count = 1;
	spec = (struct dm_target_spec *)(packet + d->data_start);
	spec->length = strtoull(words[2], NULL, 10);
	snprintf(spec->target_type, sizeof(spec->target_type), "%s", words[3]);
	join((char *)(spec + 1), MAX_LINE, words, 4, n);
	r = dm(DM_TABLE_LOAD);
	if (!r)
		r = resume(words, n);
	if (r) {
		begin_packet(words[1]);
		dm(DM_DEV_REMOVE);
		return r;
	}
	unlink(node(words[1]));
	if (mknod(node(words[1]), S_IFBLK | 0600, dev))
		return errno;
	return 0;
}

static int removal(char **words, int n)
{
	int r;

	(void)n;
	begin_packet(words[1]);
	r = dm(DM_DEV_REMOVE);
	if (!r)
		unlink(node(words[1]));
	return r;
}

static void fill(uint64_t *buf, size_t len, uint64_t off, uint64_t seed)
{
	size_t i;

	for (i = 0; i < len / 8; i++, off += 8) {
		uint64_t x = off ^ seed * 0x9e3779b97f4a7c15ULL;

		x ^= x >> 32;
		x *= 0xd6e8feb86659fd93ULL;
		buf[i] = x ^ (x >> 32);
	}
}

static int transfer(char **words, int n)
{
	static uint64_t *buf, *want;
	uint64_t off = strtoull(words[2], NULL, 10);
	size_t len = strtoull(words[3], NULL, 10);
	int fua = !strcmp(words[0], "fua");
	int writing = fua || !strcmp(words[0], "write");
	struct iovec iov;
	int fd, r = 0;
	ssize_t done;

	if (!buf)
		r = posix_memalign((void **)&buf, 4096, MAX_IO);
	if (!r && !want)
		r = posix_memalign((void **)&want, 4096, MAX_IO);
	if (!r && (!len || len > MAX_IO))
		r = EINVAL;
	if (r)
		return r;
	memset(want, 0, len);
	if (n > 4)
		fill(want, len, off, strtoull(words[4], NULL, 10));
	fd = open(node(words[1]), (writing ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0)
		return errno;
	if (writing)
		memcpy(buf, want, len);
	iov.iov_base = buf;
	iov.iov_len = len;
	done = writing ? pwritev2(fd, &iov, 1, off, fua ? RWF_DSYNC : 0) :
			 preadv(fd, &iov, 1, off);
	if (done < 0)
		r = errno;
	else if ((size_t)done != len)
		r = ENOSPC;
	else if (!writing && memcmp(buf, want, len))
		r = DATA_DIFFER;
	close(fd);
	return r;
}

static const struct operation {
	const char *name;
	int min_words;
	int (*run)(char **words, int n);
} operations[] = {
	{ "msg", 3, message },
	{ "create", 5, create },
	{ "suspend", 2, suspend },
	{ "resume", 2, resume },
	{ "remove", 2, removal },
	{ "write", 5, transfer },
	{ "fua", 5, transfer },
	{ "verify", 5, transfer },
	{ "zeros", 4, transfer },
};

static const char *name_of(int r)
{
	const char *s;

	if (r == DATA_DIFFER)
		return "other data";
	s = r ? strerrorname_np(r) : "success";
	return s ? s : "an unknown error";
}

/* Returns whether the line ended as it should. */
static int run(char *line, int number)
{
	char text[MAX_LINE], *words[MAX_WORDS], *op, *s;
	const char *wanted = "success";
	const struct operation *o = NULL;
	size_t i;
	int n = 0, r;

	snprintf(text, sizeof(text), "%s", line);
	for (s = strtok(line, "\n "); s && n < MAX_WORDS; s = strtok(NULL, "\n "))
		words[n++] = s;
	if (!n)
		return 1;
	op = strchr(words[0], ':');
	if (op) {
		*op++ = '\0';
		wanted = words[0];
		words[0] = op;
	}
	for (i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (!strcmp(words[0], operations[i].name))
			o = &operations[i];
	if (!o || n < o->min_words) {
		printf("dmbatch: line %d makes no sense: %s", number, text);
		return 0;
	}
	r = o->run(words, n);
	if (!strcmp(name_of(r), wanted))
		return 1;
	text[strcspn(text, "\n")] = '\0';
	printf("dmbatch: line %d: %s: %s\n", number, text, name_of(r));
	return 0;
}

int main(void)
{
	struct timespec begin, end;
	char line[MAX_LINE];
	int number = 0, bad = 0;

	control = open("/dev/mapper/control", O_RDWR);
	if (control < 0) {
		perror("dmbatch: /dev/mapper/control");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (fgets(line, sizeof(line), stdin))
		if (!run(line, ++number) && ++bad == 20) {
			printf("dmbatch: that is enough\n");
			break;
		}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%d operations in %ld ms\n", number,
	       (end.tv_sec - begin.tv_sec) * 1000 +
	       (end.tv_nsec - begin.tv_nsec) / 1000000);
	return bad ? 1 : 0;
}
