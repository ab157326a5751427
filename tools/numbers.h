/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The answer to the message "stats", and what has come between two of them.
 */
#ifndef TOOLS_NUMBERS_H
#define TOOLS_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NR_BUCKETS	64
#define NAME_SIZE	32
#define MAX_COUNTERS	64
#define MAX_TIMES	32

/**
 * struct counter - a line NAME VALUE
 */
struct counter {
	char name[NAME_SIZE];
	uint64_t value;
};

/**
 * struct times - a line NAME_ns longest NS LOW:COUNT...
 * @name: without _ns
 * @longest: ns; since it all began
 * @nr: sum of the buckets
 * @bucket: [i]: 2^i ns or longer, shorter than 2^(i + 1); [0] is the shortest of all
 */
struct times {
	char name[NAME_SIZE];
	uint64_t longest;
	uint64_t nr;
	uint64_t bucket[NR_BUCKETS];
};

/**
 * struct numbers - an answer
 */
struct numbers {
	struct counter counter[MAX_COUNTERS];
	unsigned int nr_counters;
	struct times times[MAX_TIMES];
	unsigned int nr_times;
};

/**
 * parse_numbers() - read an answer
 *
 * Names are taken as they come; more of them than there is room for are left out.
 * Return: false if it is no whole answer to "stats".
 */
bool parse_numbers(const char *text, struct numbers *n);

/**
 * numbers_since() - take away what an earlier answer has
 *
 * What is less than before has begun again at zero meanwhile, and stays as it is.
 */
void numbers_since(struct numbers *n, const struct numbers *before);

/**
 * times_quantile() - how long the shortest @percent of them took at most
 *
 * Return: ns: the end of the bucket, but no more than the longest; 0: there are none.
 */
uint64_t times_quantile(const struct times *t, unsigned int percent);

#endif /* TOOLS_NUMBERS_H */
