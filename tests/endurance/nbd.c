// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Requests and answers of the NBD protocol; see nbd.h.
 */
#include <endian.h>
#include <errno.h>
#include <sys/socket.h>
#include "nbd.h"

#define NBD_REQUEST_MAGIC	0x25609513
#define NBD_SIMPLE_MAGIC	0x67446698
enum { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM };
#define CMD_FLAG_FUA 1

struct __attribute__((packed)) request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t handle, from;
	uint32_t length;
};

struct __attribute__((packed)) answer {
	uint32_t magic, error;
	uint64_t handle;
};

static uint8_t buf[NBD_LARGEST];

bool nbd_get(int client, void *p, size_t n)
{
	return recv(client, p, n, MSG_WAITALL) == (ssize_t)n;
}

bool nbd_put(int client, const void *p, size_t n)
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

static bool is_sane(const struct nbd_disk *disk, uint16_t type, uint64_t from,
		    uint32_t length)
{
	return from <= disk->size && length <= disk->size - from &&
	       (type > CMD_WRITE || length <= sizeof(buf));
}

static int carry_out(const struct nbd_disk *disk, uint16_t type, uint64_t from,
		     uint32_t length)
{
	switch (type) {
	case CMD_READ:
		return disk->read(buf, from, length);
	case CMD_WRITE:
		return disk->write(buf, from, length);
	case CMD_TRIM:
		return disk->trim(from, length);
	case CMD_FLUSH:
		return disk->flush(0, disk->size);
	}
	return -EINVAL;
}

/* Serve one request; false at the end, with *polite set if it was announced. */
static bool serve_one(int client, const struct nbd_disk *disk, bool *polite)
{
	struct answer answer = { .magic = htobe32(NBD_SIMPLE_MAGIC) };
	struct request ask;
	uint32_t length;
	uint64_t from;
	uint16_t type;
	int e;

	if (!nbd_get(client, &ask, sizeof(ask)) ||
	    be32toh(ask.magic) != NBD_REQUEST_MAGIC)
		return false;
	type = be16toh(ask.type);
	from = be64toh(ask.from);
	length = be32toh(ask.length);
	*polite = type == CMD_DISC;
	if (*polite || !is_sane(disk, type, from, length))
		return false;
	/* Whole requests only: half of one was never acknowledged. */
	if (type == CMD_WRITE && !nbd_get(client, buf, length))
		return false;
	e = carry_out(disk, type, from, length);
	if (!e && be16toh(ask.flags) & CMD_FLAG_FUA)
		e = disk->flush(from, length);
	answer.error = htobe32(-e);
	answer.handle = ask.handle;
	return nbd_put(client, &answer, sizeof(answer)) &&
	       (type != CMD_READ || e || nbd_put(client, buf, length));
}

bool nbd_serve(int client, const struct nbd_disk *disk)
{
	bool polite = false;

	while (serve_one(client, disk, &polite))
		;
	return polite;
}
