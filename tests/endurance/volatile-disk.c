// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A disk with a volatile cache, on the host: a server for qemu (NBD on a unix
 * socket) that keeps what is written in memory until it is flushed.
 *
 *   volatile-disk SOCKET IMAGE SEED [lie]
 *
 * When the connection breaks without a good-bye, power has failed: of what was
 * written and not flushed, a random part reaches the image, down to sectors,
 * in no order: all, nothing, or each piece with some probability.  So whoever
 * forgets a flush, or relies on the order of writes, loses data.  A discarded
 * sector reads as garbage.  With "lie" flushes do nothing.
 *
 *   write ─► now ── flush, or FUA ──► image
 *             │                         ▲
 *             └── power failure: some ──┘        the rest is as in the image
 *
 * Connections are served one after the other; IMAGE.closed appears when the
 * image has its final content after one has ended.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECTOR 512
#define PIECE 8			/* sectors that mostly fare alike */

/* The protocol */
#define NBD_MAGIC		0x4e42444d41474943ULL
#define NBD_OPTION_MAGIC	0x49484156454f5054ULL
#define NBD_REPLY_MAGIC		0x0003e889045565a9ULL
#define NBD_REQUEST_MAGIC	0x25609513
#define NBD_SIMPLE_MAGIC	0x67446698
enum { OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_INFO = 6, OPT_GO = 7 };
enum { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERR_UNSUP ((1U << 31) + 1)
enum { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM };
#define CMD_FLAG_FUA 1
/* has flags, flush, FUA, trim */
#define EXPORT_FLAGS (1 | 4 | 8 | 32)

static uint8_t *image, *now, *dirty;
static uint64_t size;
static uint64_t rng;
static bool lie;
static int client;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

static uint32_t below(uint32_t n)
{
	rng += 0x9e3779b97f4a7c15ULL;
	return (mix(rng) >> 16) % n;
}

static bool get(void *p, size_t n)
{
	return recv(client, p, n, MSG_WAITALL) == (ssize_t)n;
}

static bool put(const void *p, size_t n)
{
	const char *c = p;
	ssize_t k;

	for (; n; n -= k, c += k) {
		k = send(client, c, n, MSG_NOSIGNAL);
		if (k <= 0)
			return false;
	}
	return true;
}

static bool skip(uint32_t n)
{
	char c;

	while (n--)
		if (!get(&c, 1))
			return false;
	return true;
}

static bool put_reply(uint32_t option, uint32_t type, const void *data,
		      uint32_t length)
{
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t option, type, length;
	} head = { htobe64(NBD_REPLY_MAGIC), htobe32(option), htobe32(type),
		   htobe32(length) };

	return put(&head, sizeof(head)) && put(data, length);
}

static bool put_export(uint32_t option)
{
	struct __attribute__((packed)) {
		uint16_t type;
		uint64_t size;
		uint16_t flags;
	} export = { 0, htobe64(size), htobe16(EXPORT_FLAGS) };
	struct __attribute__((packed)) {
		uint16_t type;
		uint32_t minimum, preferred, maximum;
	} blocks = { htobe16(3), htobe32(SECTOR), htobe32(4096),
		     htobe32(32 << 20) };

	return put_reply(option, REP_INFO, &export, sizeof(export)) &&
	       put_reply(option, REP_INFO, &blocks, sizeof(blocks)) &&
	       put_reply(option, REP_ACK, NULL, 0);
}

/* Until both sides agree; false if the client went away. */
static bool shake_hands(void)
{
	struct __attribute__((packed)) {
		uint64_t magic, option_magic;
		uint16_t flags;
	} hello = { htobe64(NBD_MAGIC), htobe64(NBD_OPTION_MAGIC),
		    htobe16(3) };
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t option, length;
	} ask;
	struct __attribute__((packed)) {
		uint64_t size;
		uint16_t flags;
	} old = { htobe64(size), htobe16(EXPORT_FLAGS) };
	uint32_t flags, option;

	if (!put(&hello, sizeof(hello)) || !get(&flags, sizeof(flags)))
		return false;
	while (get(&ask, sizeof(ask)) && skip(be32toh(ask.length))) {
		option = be32toh(ask.option);
		switch (option) {
		case OPT_EXPORT_NAME:
			return put(&old, sizeof(old));
		case OPT_ABORT:
			put_reply(option, REP_ACK, NULL, 0);
			return false;
		case OPT_INFO:
		case OPT_GO:
			if (!put_export(option))
				return false;
			if (option == OPT_GO)
				return true;
			break;
		default:
			if (!put_reply(option, REP_ERR_UNSUP, NULL, 0))
				return false;
		}
	}
	return false;
}

static void keep(uint64_t sector)
{
	memcpy(image + sector * SECTOR, now + sector * SECTOR, SECTOR);
	dirty[sector] = 0;
}

static void keep_range(uint64_t from, uint64_t length)
{
	uint64_t s;

	for (s = from / SECTOR; s < (from + length) / SECTOR; s++)
		if (dirty[s])
			keep(s);
}

static void flush(void)
{
	if (!lie)
		keep_range(0, size);
}

static void power_failure(void)
{
	uint64_t s, lost = 0, kept = 0;
	uint32_t of_eight = below(9), torn = below(2);
	bool lucky = false;

	for (s = 0; s < size / SECTOR; s++) {
		if (s % PIECE == 0 || (torn && below(16) == 0))
			lucky = below(8) < of_eight;
		if (!dirty[s])
			continue;
		if (lucky) {
			keep(s);
			kept++;
			continue;
		}
		memcpy(now + s * SECTOR, image + s * SECTOR, SECTOR);
		dirty[s] = 0;
		lost++;
	}
	printf("power failure: of the sectors not flushed %llu are lost, %llu not\n",
	       (unsigned long long)lost, (unsigned long long)kept);
}

/* One request; false at the end, *polite if that was announced. */
static bool serve(bool *polite)
{
	struct __attribute__((packed)) {
		uint32_t magic;
		uint16_t flags, type;
		uint64_t handle, from;
		uint32_t length;
	} ask;
	struct __attribute__((packed)) {
		uint32_t magic, error;
		uint64_t handle;
	} answer = { htobe32(NBD_SIMPLE_MAGIC), 0, 0 };
	static uint8_t buf[32 << 20];
	uint64_t from;
	uint32_t length;

	if (!get(&ask, sizeof(ask)) || be32toh(ask.magic) != NBD_REQUEST_MAGIC)
		return false;
	from = be64toh(ask.from);
	length = be32toh(ask.length);
	answer.handle = ask.handle;
	if (from > size || length > size - from ||
	    (be16toh(ask.type) == CMD_WRITE && length > sizeof(buf)))
		return false;
	switch (be16toh(ask.type)) {
	case CMD_READ:
		return put(&answer, sizeof(answer)) && put(now + from, length);
	case CMD_WRITE:
		/* Whole requests only: half of one was never acknowledged. */
		if (!get(buf, length))
			return false;
		memcpy(now + from, buf, length);
		memset(dirty + from / SECTOR, 1, length / SECTOR);
		break;
	case CMD_TRIM:
		memset(now + from, 0xd1, length);
		memset(dirty + from / SECTOR, 1, length / SECTOR);
		break;
	case CMD_FLUSH:
		flush();
		break;
	case CMD_DISC:
		*polite = true;
		return false;
	default:
		answer.error = htobe32(22);
	}
	if (be16toh(ask.flags) & CMD_FLAG_FUA && !lie)
		keep_range(from, length);
	return put(&answer, sizeof(answer));
}

static bool open_image(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR);

	if (fd < 0 || fstat(fd, &st))
		return false;
	size = st.st_size;
	image = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	now = malloc(size);
	dirty = calloc(1, size / SECTOR);
	return image != MAP_FAILED && now && dirty;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char closed[4096];
	int listener;
	bool polite;

	if (argc < 4 || !open_image(argv[2])) {
		fprintf(stderr, "usage: volatile-disk SOCKET IMAGE SEED [lie]\n");
		return 2;
	}
	rng = strtoull(argv[3], NULL, 0);
	lie = argc > 4;
	snprintf(closed, sizeof(closed), "%s.closed", argv[2]);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1)) {
		perror(argv[1]);
		return 1;
	}
	memcpy(now, image, size);
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		polite = false;
		if (shake_hands())
			while (serve(&polite))
				;
		close(client);
		if (polite)
			keep_range(0, size);
		else
			power_failure();
		fflush(stdout);
		close(open(closed, O_WRONLY | O_CREAT, 0644));
	}
	return 0;
}
