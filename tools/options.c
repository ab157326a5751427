// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <libdevmapper.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "say.h"
#include "text.h"

enum {
	UNITS = 256, NO_SUFFIX, NO_HEADINGS, INTERVAL, COUNT, DEV_ID, THIN1, THIN2, RANGES,
	JSON, COUNTERS, BARS, SPACE, LOG, GROUP, KEEP,
	RESERVE, LIMIT, CONFIG, PROMETHEUS
};

static const struct option longs[] = {
	{ "options", required_argument, NULL, 'o' },
	{ "sort", required_argument, NULL, 'O' },
	{ "select", required_argument, NULL, 'S' },
	{ "units", required_argument, NULL, UNITS },
	{ "nosuffix", no_argument, NULL, NO_SUFFIX },
	{ "noheadings", no_argument, NULL, NO_HEADINGS },
	{ "interval", required_argument, NULL, INTERVAL },
	{ "count", required_argument, NULL, COUNT },
	{ "dev-id", required_argument, NULL, DEV_ID },
	{ "thin1", required_argument, NULL, THIN1 },
	{ "snap1", required_argument, NULL, THIN1 },
	{ "thin2", required_argument, NULL, THIN2 },
	{ "snap2", required_argument, NULL, THIN2 },
	{ "ranges", no_argument, NULL, RANGES },
	{ "counters", no_argument, NULL, COUNTERS },
	{ "bars", no_argument, NULL, BARS },
	{ "space", no_argument, NULL, SPACE },
	{ "log", required_argument, NULL, LOG },
	{ "group", no_argument, NULL, GROUP },
	{ "keep", required_argument, NULL, KEEP },
	{ "reserve", required_argument, NULL, RESERVE },
	{ "limit", required_argument, NULL, LIMIT },
	{ "config", required_argument, NULL, CONFIG },
	{ "prometheus", no_argument, NULL, PROMETHEUS },
	{ "json", no_argument, NULL, JSON },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static unsigned int group_of(int c)
{
	switch (c) {
	case 'o':
	case 'O':
	case 'S':
	case UNITS:
	case NO_SUFFIX:
	case NO_HEADINGS:
		return TAKES_TABLE;
	case INTERVAL:
	case COUNT:
		return TAKES_INTERVAL;
	case DEV_ID:
		return TAKES_DEVICE;
	case THIN1:
	case THIN2:
		return TAKES_PAIR;
	case RANGES:
		return TAKES_RANGES;
	case COUNTERS:
	case BARS:
	case SPACE:
	case LOG:
		return TAKES_VIEW;
	case GROUP:
		return TAKES_GROUP;
	case KEEP:
		return TAKES_KEEP;
	case RESERVE:
	case LIMIT:
	case CONFIG:
		return TAKES_POLICY;
	case PROMETHEUS:
		return TAKES_FORMAT;
	}
	return 0;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *n)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoul(text, &end, 10);
	return !errno && !*end && *n <= max;
}

bool parse_device_id(const char *text, uint32_t *id)
{
	unsigned long n;

	if (!parse_number(text, MAX_DEVICE_ID, &n))
		return false;
	*id = n;
	return true;
}

static bool take_device_id(struct options *o, unsigned int i, const char *text)
{
	o->has_id[i] = true;
	if (parse_device_id(text, &o->id[i]))
		return true;
	complain("'%s' is no thin device: a number up to %d is expected", text,
		 MAX_DEVICE_ID);
	return false;
}

static bool take_seconds(unsigned int *value, const char *text)
{
	unsigned long n;

	if (!parse_number(text, 1000000, &n) || !n) {
		complain("'%s': a number of at least 1 is expected", text);
		return false;
	}
	*value = n;
	return true;
}

static bool take_size(bool *has, uint64_t *bytes, const char *text)
{
	*has = parse_size(text, bytes);
	if (!*has)
		complain("'%s' is no size: bytes are expected, or a number and k, m, g, t, p or e",
			 text);
	return *has;
}

static bool take_units(struct options *o, const char *text)
{
	o->unit = *text;
	o->factor = dm_units_to_factor(text, &o->unit, 1, NULL);
	if (o->factor)
		return true;
	complain("--units %s: one of h, b, s, k, m, g, t, p, e is expected, or a capital letter for powers of 1000",
		 text);
	return false;
}

static bool take(struct options *o, int c)
{
	switch (c) {
	case 'o':
		o->fields = optarg;
		return true;
	case 'O':
		o->sort = optarg;
		return true;
	case 'S':
		o->select = optarg;
		return true;
	case UNITS:
		return take_units(o, optarg);
	case NO_SUFFIX:
		return o->no_suffix = true;
	case NO_HEADINGS:
		return o->no_headings = true;
	case INTERVAL:
		return take_seconds(&o->interval, optarg);
	case COUNT:
		return take_seconds(&o->count, optarg);
	case DEV_ID:
	case THIN1:
		return take_device_id(o, 0, optarg);
	case THIN2:
		return take_device_id(o, 1, optarg);
	case RANGES:
		return o->ranges = true;
	case COUNTERS:
		return o->counters = true;
	case BARS:
		return o->bars = true;
	case SPACE:
		return o->space = true;
	case LOG:
		o->log = optarg;
		return true;
	case GROUP:
		return o->group = true;
	case KEEP:
		o->keep = optarg;
		return true;
	case RESERVE:
		return take_size(&o->has_reserve, &o->reserve, optarg);
	case LIMIT:
		return take_size(&o->has_limit, &o->limit, optarg);
	case CONFIG:
		o->config = optarg;
		return true;
	case PROMETHEUS:
		return o->prometheus = true;
	case JSON:
		return o->json = true;
	case 'h':
		return o->help = true;
	}
	return false;
}

bool options_parse(struct options *o, unsigned int takes, int argc, char **argv)
{
	int c;

	*o = (struct options){ .unit = 'h', .factor = 1 };
	while ((c = getopt_long(argc, argv, "o:O:S:h", longs, NULL)) != -1) {
		unsigned int group = group_of(c);

		if (c == '?')
			return false;
		if (group && !(takes & group)) {
			complain("'thinx %s' does not take this option: see thinx %s --help",
				 argv[0], argv[0]);
			return false;
		}
		if (!take(o, c))
			return false;
	}
	if (o->count && !o->interval)
		o->interval = 1;
	o->nr_words = argc - optind;
	o->words = argv + optind;
	return true;
}
