/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Numbers of pools for monitoring: the text format of Prometheus, or JSON.
 */
#ifndef TOOLS_METRICS_H
#define TOOLS_METRICS_H

#include <stdio.h>

#include "numbers.h"
#include "text.h"

/**
 * struct pool_metrics - of a pool
 * @known: @status is valid
 * @numbers: NULL: not known, as of dm-thin's
 */
struct pool_metrics {
	const char *name;
	uint64_t block_sectors;
	struct pool_status status;
	bool known;
	struct numbers *numbers;
};

/**
 * struct volume_metrics - of a volume
 * @sectors: size
 */
struct volume_metrics {
	const char *name;
	const char *pool;
	uint32_t id;
	uint64_t sectors;
	struct thin_status status;
};

/**
 * struct metrics - of all
 */
struct metrics {
	struct pool_metrics *pool;
	size_t nr_pools;
	struct volume_metrics *volume;
	size_t nr_volumes;
};

/** metrics_write() - the caller looks for errors of @f */
void metrics_write(FILE *f, const struct metrics *m, bool json);

#endif /* TOOLS_METRICS_H */
