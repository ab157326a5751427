// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See log.h.
 */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADER	"thinx-log 1 "

void log_format_header(char *text, const char *name)
{
	snprintf(text, LOG_LINE, HEADER "%s\n", name);
}

/* Room for all stages: 3 numbers and a count of 20 digits at most, and a name. */
void log_format(char *text, const struct sample *sample, const struct numbers *n)
{
	unsigned int i;
	int used;

	used = snprintf(text, LOG_LINE, "%.3f data %" PRIu64 " %" PRIu64 " metadata %" PRIu64 " %" PRIu64,
			sample->time, sample->used[SPACE_DATA],
			sample->total[SPACE_DATA], sample->used[SPACE_METADATA],
			sample->total[SPACE_METADATA]);
	for (i = 0; n && i < n->nr_times; i++) {
		const struct times *t = &n->times[i];

		if (!t->nr)
			continue;
		used += snprintf(text + used, LOG_LINE - used,
				 " %s %" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64,
				 t->name, t->nr, times_quantile(t, 50),
				 times_quantile(t, 90), times_quantile(t, 99));
	}
	snprintf(text + used, LOG_LINE - used, "\n");
}

static bool take_text(const char **p, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*p, text, n))
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, uint64_t *n)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*n = strtoull(*p, &end, 10);
	*p = end;
	return !errno;
}

static bool take_time(const char **p, double *time)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	*time = strtod(*p, &end);
	*p = end;
	return true;
}

/* " NAME COUNT:P50:P90:P99" */
static bool take_stage(const char **p, struct log_stage *s)
{
	size_t n;
	int i;

	if (!take_text(p, " "))
		return false;
	n = strcspn(*p, "\n ");
	if (!n || n >= NAME_SIZE)
		return false;
	memcpy(s->name, *p, n);
	s->name[n] = '\0';
	*p += n;
	if (!take_text(p, " ") || !take_number(p, &s->nr))
		return false;
	for (i = 0; i < NR_QUANTILES; i++)
		if (!take_text(p, ":") || !take_number(p, &s->quantile[i]))
			return false;
	return true;
}

bool log_parse(const char *line, struct log_entry *e)
{
	struct sample *s = &e->sample;

	memset(e, 0, sizeof(*e));
	if (!take_time(&line, &s->time) || !take_text(&line, " data ") ||
	    !take_number(&line, &s->used[SPACE_DATA]) || !take_text(&line, " ") ||
	    !take_number(&line, &s->total[SPACE_DATA]) ||
	    !take_text(&line, " metadata ") ||
	    !take_number(&line, &s->used[SPACE_METADATA]) || !take_text(&line, " ") ||
	    !take_number(&line, &s->total[SPACE_METADATA]))
		return false;
	while (*line != '\n') {
		if (e->nr_stages == MAX_TIMES ||
		    !take_stage(&line, &e->stage[e->nr_stages]))
			return false;
		e->nr_stages++;
	}
	return true;
}

int log_read(FILE *f, char *name, log_fn fn, void *context)
{
	struct log_entry e;
	char line[LOG_LINE];

	*name = '\0';
	rewind(f);
	if (!fgets(line, sizeof(line), f))
		return ferror(f) ? -EIO : 0;
	if (strncmp(line, HEADER, strlen(HEADER)) || !strchr(line, '\n'))
		return -EPROTO;
	line[strcspn(line, "\n")] = '\0';
	snprintf(name, LOG_NAME, "%.*s", LOG_NAME - 1, line + strlen(HEADER));
	while (fgets(line, sizeof(line), f))
		if (fn && log_parse(line, &e))
			fn(context, &e);
	return ferror(f) ? -EIO : 0;
}
