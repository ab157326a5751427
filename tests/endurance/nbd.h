/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The server's side of the NBD protocol after the handshake: requests and answers
 * on a socket.
 */
#ifndef ENDURANCE_NBD_H
#define ENDURANCE_NBD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* has flags, flush, FUA, trim */
#define NBD_EXPORT_FLAGS (1 | 4 | 8 | 32)
#define NBD_LARGEST (32 << 20)

/* All return 0 or a negative errno. */
struct nbd_disk {
	uint64_t size;
	int (*read)(void *buf, uint64_t from, size_t length);
	int (*write)(const void *buf, uint64_t from, size_t length);
	int (*trim)(uint64_t from, uint64_t length);
	/* Make that range durable. */
	int (*flush)(uint64_t from, uint64_t length);
};

/* Transfer all of it; false if the client goes away. */
bool nbd_get(int client, void *p, size_t n);
bool nbd_put(int client, const void *p, size_t n);
/* Serve until the client goes away: true if it announced that. */
bool nbd_serve(int client, const struct nbd_disk *disk);

#endif
