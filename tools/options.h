/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The words of the command line.  Every option means the same in all commands that
 * take it.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What main() returns: done; failed; wrong words. */
#define DONE	0
#define FAILED	1
#define MISUSED	2

/* Groups of options, of which a command takes some. */
#define TAKES_TABLE	0x1	/* -o -O -S --units --nosuffix --noheadings */
#define TAKES_INTERVAL	0x2	/* --interval --count */
#define TAKES_DEVICE	0x4	/* --dev-id */
#define TAKES_PAIR	0x8	/* --thin1 --thin2 and their other names */
#define TAKES_RANGES	0x10	/* --ranges */
#define TAKES_GROUP	0x40	/* --group */
#define TAKES_KEEP	0x80	/* --keep */
#define TAKES_POLICY	0x100	/* --reserve --limit --config */
#define TAKES_FORMAT	0x200	/* --prometheus */
#define TAKES_PLOT	0x400	/* nothing but --json */
#define TAKES_VIEW	0x20	/* --counters --bars --space --log */

/**
 * struct options - what was asked for
 * @fields: -o, or NULL
 * @sort: -O, or NULL
 * @select: -S, or NULL
 * @unit: letter of --units
 * @factor: bytes of it
 * @interval: seconds; 0: once
 * @count: how often; 0: for ever
 * @id: --dev-id, --thin1 and --thin2
 * @has_id: were they given?
 * @group: several snapshots of one moment
 * @keep: name for what a volume had, or NULL
 * @reserve: bytes
 * @limit: bytes
 * @config: directory of policies, or NULL
 * @log: file that keeps samples, or NULL
 * @words: the rest
 */
struct options {
	const char *fields, *sort, *select;
	char unit;
	uint64_t factor;
	bool no_suffix, no_headings;
	bool json;
	unsigned int interval, count;
	uint32_t id[2];
	bool has_id[2];
	bool ranges;
	bool counters, bars, space;
	const char *log;
	bool group;
	const char *keep;
	bool has_reserve, has_limit;
	uint64_t reserve, limit;
	const char *config;
	bool prometheus;
	bool help;
	int nr_words;
	char **words;
};

/** options_parse() - says what is wrong; Return: false then */
bool options_parse(struct options *o, unsigned int takes, int argc, char **argv);

/** parse_device_id() - Return: false if it is none */
bool parse_device_id(const char *text, uint32_t *id);

#endif /* TOOLS_OPTIONS_H */
