// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See metrics.h.  A family is written as a whole, for all pools, as the format wants
 * it.  Histograms have no sums, because the kernel keeps none.
 */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>

/* Ends of the buckets: 2^11 ns, which is 2 us, to 2^37 ns, two minutes. */
#define FIRST_END	11
#define LAST_END	37

#define MAX_LABELS	4

/**
 * struct out - where it goes
 * @family: being written
 * @type: of it
 * @nr: samples so far
 */
struct out {
	FILE *f;
	bool json;
	const char *family;
	const char *type;
	size_t nr;
};

/**
 * struct label - a name, and what it is
 */
struct label {
	const char *name;
	const char *value;
};

/* ---- the two formats ---- */

/* Both escape these, and JSON what is below a blank as well. */
static void write_string(FILE *f, const char *text, bool json)
{
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", f);
		else if (json && (unsigned char)*text < ' ')
			fprintf(f, "\\u%04x", *text);
		else
			fputc(*text, f);
	}
	fputc('"', f);
}

static void begin_family(struct out *out, const char *name, const char *type,
			 const char *help)
{
	out->family = name;
	out->type = type;
	if (!out->json)
		fprintf(out->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_json_sample(struct out *out, const char *suffix,
			      const struct label *labels, uint64_t value)
{
	unsigned int i;

	fprintf(out->f, "%s\n{\"name\":\"%s%s\",\"type\":\"%s\",\"labels\":{",
		out->nr ? "," : "", out->family, suffix, out->type);
	for (i = 0; i < MAX_LABELS && labels[i].name; i++) {
		fprintf(out->f, "%s\"%s\":", i ? "," : "", labels[i].name);
		write_string(out->f, labels[i].value, true);
	}
	fprintf(out->f, "},\"value\":%" PRIu64 "}", value);
}

/* @labels: MAX_LABELS of them, or fewer and an empty one */
static void sample(struct out *out, const char *suffix, const struct label *labels,
		   uint64_t value)
{
	unsigned int i;

	if (out->json) {
		write_json_sample(out, suffix, labels, value);
	} else {
		fprintf(out->f, "%s%s", out->family, suffix);
		for (i = 0; i < MAX_LABELS && labels[i].name; i++) {
			fprintf(out->f, "%c%s=", i ? ',' : '{', labels[i].name);
			write_string(out->f, labels[i].value, false);
		}
		fprintf(out->f, "%s %" PRIu64 "\n", i ? "}" : "", value);
	}
	out->nr++;
}

/* ---- space and modes ---- */

static uint64_t data_size(const struct pool_metrics *p)
{
	return p->status.data_total * p->block_sectors * 512;
}

static uint64_t data_used(const struct pool_metrics *p)
{
	return p->status.data_used * p->block_sectors * 512;
}

static uint64_t metadata_size(const struct pool_metrics *p)
{
	return p->status.meta_total * 4096;
}

static uint64_t metadata_used(const struct pool_metrics *p)
{
	return p->status.meta_used * 4096;
}

static uint64_t transaction_id(const struct pool_metrics *p)
{
	return p->status.transaction;
}

static uint64_t needs_check(const struct pool_metrics *p)
{
	return p->status.needs_check;
}

static const struct {
	const char *name;
	const char *help;
	uint64_t (*value)(const struct pool_metrics *p);
} of_pools[] = {
	{ "thinx_pool_data_size_bytes", "Size of the data space.", data_size },
	{ "thinx_pool_data_used_bytes", "Data space in use.", data_used },
	{ "thinx_pool_metadata_size_bytes", "Size of the metadata space.", metadata_size },
	{ "thinx_pool_metadata_used_bytes", "Metadata space in use, the reserve included.",
	  metadata_used },
	{ "thinx_pool_transaction_id", "Transaction id of user space.", transaction_id },
	{ "thinx_pool_needs_check", "1: thin_check is due.", needs_check },
};

static void write_pools(struct out *out, const struct metrics *m)
{
	size_t i, k;

	for (i = 0; i < sizeof(of_pools) / sizeof(of_pools[0]); i++) {
		begin_family(out, of_pools[i].name, "gauge", of_pools[i].help);
		for (k = 0; k < m->nr_pools; k++) {
			const struct pool_metrics *p = &m->pool[k];
			const struct label labels[MAX_LABELS] = { { "pool", p->name } };

			if (p->known && !p->status.failed)
				sample(out, "", labels, of_pools[i].value(p));
		}
	}
}

static void write_modes(struct out *out, const struct metrics *m)
{
	static const char *const modes[] = { "rw", "ro", "out_of_data_space", "fail" };
	size_t i, k;

	begin_family(out, "thinx_pool_mode", "gauge", "1 for the mode that the pool is in.");
	for (k = 0; k < m->nr_pools; k++)
		for (i = 0; m->pool[k].known && i < sizeof(modes) / sizeof(modes[0]); i++) {
			const struct label labels[MAX_LABELS] = {
				{ "pool", m->pool[k].name }, { "mode", modes[i] },
			};

			sample(out, "", labels, !strcmp(m->pool[k].status.mode, modes[i]));
		}
}

static void write_volumes(struct out *out, const struct metrics *m, bool mapped)
{
	size_t i;

	if (mapped)
		begin_family(out, "thinx_volume_mapped_bytes", "gauge", "What the volume maps.");
	else
		begin_family(out, "thinx_volume_size_bytes", "gauge", "Size of the volume.");
	for (i = 0; i < m->nr_volumes; i++) {
		const struct volume_metrics *v = &m->volume[i];
		char id[16];
		const struct label labels[MAX_LABELS] = {
			{ "pool", v->pool }, { "volume", v->name }, { "id", id },
		};

		snprintf(id, sizeof(id), "%" PRIu32, v->id);
		if (!mapped || v->status.known)
			sample(out, "", labels, 512 * (mapped ? v->status.mapped : v->sectors));
	}
}

/* ---- counters and histograms ---- */

/* The names are those of the first pool that tells any: all tell the same. */
static const struct numbers *names_of(const struct metrics *m)
{
	size_t i;

	for (i = 0; i < m->nr_pools; i++)
		if (m->pool[i].numbers)
			return m->pool[i].numbers;
	return NULL;
}

/* The cache is that of all pools; its chunks are no counter. */
static void write_counter(struct out *out, const struct metrics *m, unsigned int i,
			  const char *name)
{
	bool of_all = !strncmp(name, "map_cache_", 10);
	bool gauge = !strcmp(name, "map_cache_chunks");
	struct label labels[MAX_LABELS] = { };
	char family[NAME_SIZE + 16];
	size_t k;

	snprintf(family, sizeof(family), "thinx_%s%s", name, gauge ? "" : "_total");
	begin_family(out, family, gauge ? "gauge" : "counter",
		     "See stats in docs/interface.md.");
	for (k = 0; k < m->nr_pools; k++) {
		const struct numbers *n = m->pool[k].numbers;

		if (!n || i >= n->nr_counters)
			continue;
		if (!of_all)
			labels[0] = (struct label){ "pool", m->pool[k].name };
		sample(out, "", labels, n->counter[i].value);
		if (of_all)
			break;
	}
}

static void write_times(struct out *out, const char *pool, const struct times *t)
{
	struct label labels[MAX_LABELS] = {
		{ "pool", pool }, { "stage", t->name }, { "le", NULL },
	};
	unsigned int end, i = 0;
	uint64_t sum = 0;
	char le[32];

	labels[2].value = le;
	for (end = FIRST_END; end <= LAST_END; end++) {
		for (; i < end; i++)
			sum += t->bucket[i];
		snprintf(le, sizeof(le), "%.9g", (double)(1ULL << end) / 1e9);
		sample(out, "_bucket", labels, sum);
	}
	strcpy(le, "+Inf");
	sample(out, "_bucket", labels, t->nr);
	labels[2].name = NULL;
	sample(out, "_count", labels, t->nr);
}

static void write_numbers(struct out *out, const struct metrics *m)
{
	const struct numbers *names = names_of(m);
	unsigned int i;
	size_t k;

	if (!names)
		return;
	for (i = 0; i < names->nr_counters; i++)
		write_counter(out, m, i, names->counter[i].name);
	begin_family(out, "thinx_stage_seconds", "histogram",
		     "Time in each stage of the slow path and of commits.");
	for (k = 0; k < m->nr_pools; k++)
		for (i = 0; m->pool[k].numbers && i < m->pool[k].numbers->nr_times; i++)
			write_times(out, m->pool[k].name, &m->pool[k].numbers->times[i]);
}

void metrics_write(FILE *f, const struct metrics *m, bool json)
{
	struct out out = { .f = f, .json = json };

	if (json)
		fputs("{\"metrics\":[", f);
	write_pools(&out, m);
	write_modes(&out, m);
	write_volumes(&out, m, false);
	write_volumes(&out, m, true);
	write_numbers(&out, m);
	if (json)
		fputs("]}\n", f);
}
