/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * How much of a pool was in use when, and when it will be full if that goes on.
 */
#ifndef TOOLS_SPACE_H
#define TOOLS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum space {
	SPACE_DATA,
	SPACE_METADATA,
	NR_SPACES
};

/**
 * struct sample - a pool at one moment
 * @time: seconds since 1970
 * @used: bytes
 * @total: bytes
 */
struct sample {
	double time;
	uint64_t used[NR_SPACES];
	uint64_t total[NR_SPACES];
};

/* So many samples decide about the slope. */
#define MAX_SAMPLES	64

/**
 * struct samples - the last ones, the oldest first
 */
struct samples {
	struct sample sample[MAX_SAMPLES];
	unsigned int nr;
};

/**
 * samples_add() - one more; the oldest goes if there are too many
 *
 * Samples from before the clock was set back are forgotten.
 */
void samples_add(struct samples *s, const struct sample *sample);

/**
 * samples_slope() - the line that fits them best (least squares)
 * @s: the samples
 * @which: space
 * @slope: bytes a second
 *
 * Return: false: of one moment there is no slope.
 */
bool samples_slope(const struct samples *s, enum space which, double *slope);

/**
 * samples_until_full() - seconds from the last sample on
 *
 * Return: 0 if it is full; below 0: never, or unknown.
 */
double samples_until_full(const struct samples *s, enum space which);

/**
 * format_duration() - a duration as people write it: 12s, 3m20s, 5h02m, 3d04h, 120d
 * @text: for it
 * @size: at least 16
 * @seconds: below 0: "-"
 */
void format_duration(char *text, size_t size, double seconds);

#endif /* TOOLS_SPACE_H */
