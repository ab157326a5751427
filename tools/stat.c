// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx stat: what a pool, or a volume, has done and how long it took, since it was
 * set up, or in each interval; and when the pool will be full.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "log.h"
#include "numbers.h"
#include "say.h"
#include "space-table.h"

#define BAR_WIDTH	50

/**
 * struct source - where numbers come from
 * @pool: asked
 * @of_pool: about itself, not about a volume
 * @message: the question
 * @samples: of its space
 * @log: where they are kept, or NULL
 */
struct source {
	struct pool *pool;
	bool of_pool;
	char message[32];
	struct samples samples;
	FILE *log;
};

/**
 * struct counted - a row of the table of counters
 * @seconds: in which it was counted; 0: unknown
 */
struct counted {
	const struct counter *c;
	double seconds;
};

/* ---- columns ---- */

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(counter)
{
	const struct counted *c = data;

	return show_text(rh, f, c->c->name);
}

COLUMN(count)
{
	const struct counted *c = data;

	return show_number(rh, mem, f, true, c->c->value);
}

COLUMN(rate)
{
	const struct counted *c = data;

	return show_number(rh, mem, f, c->seconds > 0,
			   c->seconds > 0 ? c->c->value / c->seconds + 0.5 : 0);
}

COLUMN(stage)
{
	const struct times *t = data;

	return show_text(rh, f, t->name);
}

COLUMN(times)
{
	const struct times *t = data;

	return show_number(rh, mem, f, true, t->nr);
}

/* Microseconds, rounded up: only what took no time is 0. */
static int show_us(struct dm_report *rh, struct dm_pool *mem, struct dm_report_field *f,
		   const struct times *t, uint64_t ns)
{
	return show_number(rh, mem, f, t->nr, (ns + 999) / 1000);
}

COLUMN(half)
{
	return show_us(rh, mem, f, data, times_quantile(data, 50));
}

COLUMN(p90)
{
	return show_us(rh, mem, f, data, times_quantile(data, 90));
}

COLUMN(p99)
{
	return show_us(rh, mem, f, data, times_quantile(data, 99));
}

COLUMN(longest)
{
	const struct times *t = data;

	return show_us(rh, mem, f, t, t->longest);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type counter_kinds[] = {
	{ 1, "Counter", "", the_row },
	{ 0, "", "", NULL }
};

static const struct dm_report_object_type stage_kinds[] = {
	{ 1, "Stage", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER

static const struct dm_report_field_type counter_fields[] = {
	{ 1, TEXT, 0, 7, "counter", "Counter", show_counter, "As docs/interface.md explains." },
	{ 1, NUMBER, 0, 5, "count", "Count", show_count, "Of it all, or of the interval." },
	{ 1, NUMBER, 0, 3, "rate", "1/s", show_rate, "In a second of the interval." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct dm_report_field_type stage_fields[] = {
	{ 1, TEXT, 0, 5, "stage", "Stage", show_stage, "As docs/interface.md explains." },
	{ 1, NUMBER, 0, 5, "count", "Count", show_times, "How often." },
	{ 1, NUMBER, 0, 6, "median", "50% us", show_half, "Half of them took that long at most." },
	{ 1, NUMBER, 0, 6, "p90", "90% us", show_p90, "90 of 100." },
	{ 1, NUMBER, 0, 6, "p99", "99% us", show_p99, "99 of 100." },
	{ 1, NUMBER, 0, 7, "longest", "Longest", show_longest, "Since it all began." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table counter_table = {
	.name = "counter", .kinds = counter_kinds, .fields = counter_fields,
	.usual = "counter,count,rate", .order = "",
};

static const struct table stage_table = {
	.name = "stage", .kinds = stage_kinds, .fields = stage_fields,
	.usual = "stage,count,median,p90,p99,longest", .order = "",
};

/* ---- bars ---- */

static const char *unit_of(uint64_t *ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned int i = 0;

	while (i < 3 && *ns >= 1000) {
		*ns /= 1000;
		i++;
	}
	return units[i];
}

/* One line for each bucket between the shortest and the longest; 80 columns. */
static void print_bars(const struct times *t)
{
	unsigned int i, first = NR_BUCKETS, last = 0, n;
	uint64_t most = 0;

	for (i = 0; i < NR_BUCKETS; i++) {
		if (!t->bucket[i])
			continue;
		first = first < i ? first : i;
		last = i;
		most = most > t->bucket[i] ? most : t->bucket[i];
	}
	if (!most)
		return;
	printf("\n%s\n", t->name);
	for (i = first; i <= last; i++) {
		uint64_t low = i ? 1ULL << i : 0;
		const char *unit;

		/* Nothing is between the first one, below 2048 ns, and the next. */
		if (i && i < 11 && !t->bucket[i])
			continue;
		unit = unit_of(&low);
		n = (double)t->bucket[i] / most * BAR_WIDTH;
		printf("%6llu %-2s %12llu |%.*s%s\n", (unsigned long long)low, unit,
		       (unsigned long long)t->bucket[i], (int)n,
		       "##################################################",
		       t->bucket[i] && !n ? "." : "");
	}
}

/* ---- the command ---- */

/* Space comes first, unless columns or rows were chosen: those are of the other. */
static bool print_tables(struct options *o, const struct source *source,
			 const struct table_rows *main)
{
	struct space_row rows[NR_SPACES];
	struct table_rows tables[2];
	size_t nr = 0;

	if (source->samples.nr && (o->space || (!o->fields && !o->select && !o->sort))) {
		space_rows(&source->samples, rows);
		tables[nr++] = (struct table_rows){ &space_table, rows, NR_SPACES,
						    sizeof(rows[0]), !o->space };
	}
	if (!o->space)
		tables[nr++] = *main;
	return tables_print(tables, nr, o);
}

static bool print(struct options *o, const struct source *source, struct numbers *n,
		  double seconds)
{
	const struct table_rows stages = {
		&stage_table, n->times, n->nr_times, sizeof(n->times[0]), false,
	};
	struct counted rows[MAX_COUNTERS];
	unsigned int i;

	if (o->bars) {
		for (i = 0; i < n->nr_times; i++)
			print_bars(&n->times[i]);
		return true;
	}
	if (o->counters) {
		for (i = 0; i < n->nr_counters; i++)
			rows[i] = (struct counted){ &n->counter[i], seconds };
		return table_print(&counter_table, o, rows, n->nr_counters,
				   sizeof(rows[0]));
	}
	return print_tables(o, source, &stages);
}

/* ---- space, and the log of it ---- */

static void take_sample(struct source *source)
{
	struct pool *p = source->pool;
	const struct pool_status *s = &p->status;
	struct sample sample = { };
	struct timespec t;

	if (!source->of_pool || !pool_read_status(p) || s->failed)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	sample.time = t.tv_sec + t.tv_nsec / 1e9;
	sample.used[SPACE_DATA] = s->data_used * p->table.block_sectors * 512;
	sample.total[SPACE_DATA] = s->data_total * p->table.block_sectors * 512;
	sample.used[SPACE_METADATA] = s->meta_used * 4096;
	sample.total[SPACE_METADATA] = s->meta_total * 4096;
	samples_add(&source->samples, &sample);
}

static bool log_failed(const char *file, const char *why)
{
	complain("%s: %s", file, why);
	return false;
}

static void take_entry(void *context, const struct log_entry *e)
{
	struct source *source = context;

	samples_add(&source->samples, &e->sample);
}

/* Writing after reading needs a seek between. */
static void end_line(FILE *f)
{
	fseek(f, 0, SEEK_END);
	fputc('\n', f);
}

/* What is there already counts for the slope. */
static bool open_log(struct source *source, const char *file)
{
	const char *pool = source->pool->dev.name;
	char line[LOG_LINE], name[LOG_NAME];
	int r;

	source->log = fopen(file, "a+e");
	if (!source->log)
		return log_failed(file, strerror(errno));
	r = log_read(source->log, name, take_entry, source);
	if (r == -EPROTO)
		return log_failed(file, "this is no log of thinx stat; name another file");
	if (r)
		return log_failed(file, strerror(-r));
	if (*name && strcmp(name, pool)) {
		complain("%s: this is the log of another pool, %s; name another file",
			 file, name);
		return false;
	}
	if (*name) {
		/* The last line may have been cut off: it must not take ours with it. */
		if (!fseek(source->log, -1, SEEK_END) && fgetc(source->log) != '\n')
			end_line(source->log);
		return true;
	}
	log_format_header(line, pool);
	if (fputs(line, source->log) < 0 || fflush(source->log))
		return log_failed(file, strerror(errno));
	return true;
}

static bool log_sample(struct source *source, const char *file, const struct numbers *n)
{
	char line[LOG_LINE];

	if (!source->log || !source->samples.nr)
		return true;
	log_format(line, &source->samples.sample[source->samples.nr - 1], n);
	if (fputs(line, source->log) < 0 || fflush(source->log))
		return log_failed(file, strerror(errno));
	return true;
}

/* ---- asking ---- */

static bool ask(const struct source *source, struct numbers *n)
{
	char *reply = NULL;
	int r = pool_ask(source->pool, source->message, &reply);

	if (!r && !parse_numbers(reply, n))
		r = -EPROTO;
	free(reply);
	if (r == -ENODATA)
		complain("no table uses the volume any more");
	else if (r)
		pool_complain(source->pool, source->message, r);
	return !r;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The first table is of all there was, the others of one interval each. */
static int tell(struct options *o, struct source *source)
{
	struct numbers before, n, since;
	double asked = 0, last;
	unsigned int i;

	memset(&before, 0, sizeof(before));
	for (i = 1;; i++) {
		last = asked;
		asked = now();
		if (!ask(source, &n))
			return FAILED;
		take_sample(source);
		since = n;
		numbers_since(&since, &before);
		if (!log_sample(source, o->log, last > 0 ? &since : NULL) ||
		    !print(o, source, &since, last > 0 ? asked - last : 0) ||
		    !flush_output())
			return FAILED;
		if (!o->interval || i == o->count)
			return DONE;
		before = n;
		sleep(o->interval);
		if (!o->json && !o->no_headings)
			putchar('\n');
	}
}

static bool find_source(struct system *s, const char *name, struct source *source)
{
	struct volume *v = find_volume(s, name);

	source->pool = find_pool(s, name);
	source->of_pool = source->pool;
	strcpy(source->message, "stats");
	if (!source->pool && v && v->pool) {
		source->pool = v->pool;
		snprintf(source->message, sizeof(source->message), "stats %u",
			 v->table.id);
	}
	if (!source->pool)
		complain("%s: there is no such pool or volume; 'thinx list' shows all",
			 name);
	return source->pool;
}

static bool of_pool_if_need_be(const struct options *o, const struct source *source)
{
	if (source->of_pool || (!o->space && !o->log))
		return true;
	complain("--space and --log are about a pool, not about a volume");
	return false;
}

int command_stat(struct options *o)
{
	struct source source;
	struct system s;
	int r = FAILED;

	if (o->nr_words != 1) {
		complain("stat: a pool or a volume is expected");
		return MISUSED;
	}
	memset(&source, 0, sizeof(source));
	if (system_read(&s) && find_source(&s, o->words[0], &source) &&
	    of_pool_if_need_be(o, &source) && (!o->log || open_log(&source, o->log)))
		r = tell(o, &source);
	if (source.log && fclose(source.log))
		r = FAILED;
	system_free(&s);
	return r;
}
