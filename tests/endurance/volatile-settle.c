// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * After the end of a native machine, write its disk's volatile cache to the image:
 *
 *   volatile-settle IMAGE SEED    after a power failure: a random part of it
 *   volatile-settle IMAGE         after a shutdown: all of it
 *
 * Removes IMAGE.cache, which volatile-preload.so wrote.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "volatile-cache.h"

int main(int argc, char **argv)
{
	struct cache cache = { 0 };
	char path[4096];
	uint64_t rng;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: volatile-settle IMAGE [SEED]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s.cache", argv[1]);
	/* If there is no such file, no machine has used the disk. */
	if (access(path, F_OK) || !cache_open(&cache, argv[1], path)) {
		fprintf(stderr, "volatile-settle: %s: %s\n", path,
			strerror(errno));
		return 1;
	}
	if (argc == 2) {
		cache_keep_all(&cache);
	} else {
		rng = strtoull(argv[2], NULL, 0);
		cache_power_failure(&cache, &rng);
	}
	if (unlink(path)) {
		perror(path);
		return 1;
	}
	return 0;
}
