/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What "thinx stat --log" keeps of a pool, one line a sample:
 *
 *   thinx-log 1 NAME
 *   TIME data USED TOTAL metadata USED TOTAL [STAGE COUNT:P50:P90:P99]...
 *
 * Seconds since 1970; bytes; of each stage the number in the interval before, and
 * nanoseconds.  A line that was cut off, by a crash, is left out.
 */
#ifndef TOOLS_LOG_H
#define TOOLS_LOG_H

#include <stdio.h>

#include "numbers.h"
#include "space.h"

#define LOG_LINE	4096

enum quantile {
	Q50,
	Q90,
	Q99,
	NR_QUANTILES
};

/**
 * struct log_stage - a stage in the interval that ends with a sample
 * @quantile: ns
 */
struct log_stage {
	char name[NAME_SIZE];
	uint64_t nr;
	uint64_t quantile[NR_QUANTILES];
};

/**
 * struct log_entry - a line
 */
struct log_entry {
	struct sample sample;
	struct log_stage stage[MAX_TIMES];
	unsigned int nr_stages;
};

#define LOG_NAME	256

/**
 * typedef log_fn - told of each line
 * @context: whatever the caller has given
 * @e: the line
 */
typedef void (*log_fn)(void *context, const struct log_entry *e);

/**
 * log_format() - a line
 * @text: for it, LOG_LINE bytes
 * @sample: the pool
 * @n: what was done in the interval; NULL: not known
 */
void log_format(char *text, const struct sample *sample, const struct numbers *n);

/** log_format_header() - the first line; likewise */
void log_format_header(char *text, const char *name);

/** log_parse() - Return: false if @line is none. */
bool log_parse(const char *line, struct log_entry *e);

/**
 * log_read() - read a file
 * @f: it, from the beginning
 * @name: of the pool, LOG_NAME bytes; empty if the file is
 * @fn: called for each line; may be NULL
 * @context: for @fn
 *
 * Return: 0, -EPROTO it is no such file, -EIO.
 */
int log_read(FILE *f, char *name, log_fn fn, void *context);

#endif /* TOOLS_LOG_H */
