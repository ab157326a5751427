// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A disk with a volatile cache on the host: a server for qemu (NBD on a unix
 * socket) with the cache of volatile-cache.c in memory.
 *
 *   volatile-disk SOCKET IMAGE SEED [lie]
 *
 * A connection that ends unannounced is a power failure.  With "lie" flushes do
 * nothing.
 *
 * Connections are served one after the other.  After each one IMAGE.closed appears
 * when the image has its final content.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "nbd.h"
#include "volatile-cache.h"

#define SECTOR 512

/* The handshake of the protocol */
#define NBD_MAGIC		0x4e42444d41474943ULL
#define NBD_OPTION_MAGIC	0x49484156454f5054ULL
#define NBD_REPLY_MAGIC		0x0003e889045565a9ULL
enum { OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_INFO = 6, OPT_GO = 7 };
enum { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERR_UNSUP ((1U << 31) + 1)

static struct cache cache;
static int client;

static bool get(void *p, size_t n)
{
	return nbd_get(client, p, n);
}

static bool put(const void *p, size_t n)
{
	return nbd_put(client, p, n);
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
	} export = { 0, htobe64(cache.size), htobe16(NBD_EXPORT_FLAGS) };
	struct __attribute__((packed)) {
		uint16_t type;
		uint32_t minimum, preferred, maximum;
	} blocks = { htobe16(3), htobe32(SECTOR), htobe32(4096),
		     htobe32(NBD_LARGEST) };

	return put_reply(option, REP_INFO, &export, sizeof(export)) &&
	       put_reply(option, REP_INFO, &blocks, sizeof(blocks)) &&
	       put_reply(option, REP_ACK, NULL, 0);
}

/* False if the client went away. */
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
	} old = { htobe64(cache.size), htobe16(NBD_EXPORT_FLAGS) };
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

static int disk_read(void *buf, uint64_t from, size_t length)
{
	cache_read(&cache, buf, from, length);
	return 0;
}

static int disk_write(const void *buf, uint64_t from, size_t length)
{
	cache_write(&cache, buf, from, length);
	return 0;
}

static int disk_trim(uint64_t from, uint64_t length)
{
	cache_discard(&cache, from, length);
	return 0;
}

static int disk_flush(uint64_t from, uint64_t length)
{
	cache_flush(&cache, from, length);
	return 0;
}

static struct nbd_disk disk = {
	.read = disk_read,
	.write = disk_write,
	.trim = disk_trim,
	.flush = disk_flush,
};

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char closed[4096];
	int listener;
	uint64_t rng;
	bool polite;

	if (argc < 4 || !cache_open(&cache, argv[2], NULL)) {
		fprintf(stderr, "usage: volatile-disk SOCKET IMAGE SEED [lie]\n");
		return 2;
	}
	rng = strtoull(argv[3], NULL, 0);
	cache.lie = argc > 4;
	disk.size = cache.size;
	snprintf(closed, sizeof(closed), "%s.closed", argv[2]);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1)) {
		perror(argv[1]);
		return 1;
	}
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		polite = shake_hands() && nbd_serve(client, &disk);
		close(client);
		if (polite)
			cache_keep_all(&cache);
		else
			cache_power_failure(&cache, &rng);
		fflush(stdout);
		close(open(closed, O_WRONLY | O_CREAT, 0644));
	}
	return 0;
}
