// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx list: pools, volumes, and thin devices that no table shows; thinx usage: what
 * is their own.  What has to be counted, block by block, is asked for when a column
 * shows it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "count.h"
#include "say.h"
#include "table.h"

/**
 * struct row - a pool, a volume, or a thin device without one
 * @v: the volume
 * @info: of a thin device; NULL: not known, as of dm-thin's.  Without either, the row
 *	is the pool itself
 * @counted: @own is known; or -1: cannot be
 * @bar: show how far counting is
 */
struct row {
	struct pool *p;
	struct volume *v;
	const struct info *info;
	int counted;
	bool bar;
	uint64_t own;
	uint64_t mapped;
};

static bool is_pool(const struct row *r)
{
	return !r->v && !r->info;
}

/* NULL: it has none. */
static const struct device *device_of(const struct row *r)
{
	if (r->v)
		return &r->v->dev;
	return r->info ? NULL : &r->p->dev;
}

static bool pool_is_known(const struct row *r)
{
	return is_pool(r) && r->p->known && !r->p->status.failed;
}

static uint32_t id_of(const struct row *r)
{
	if (r->v)
		return r->v->table.id;
	return r->info ? r->info->id : 0;
}

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(name)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r) ? device_of(r)->name : "");
}

COLUMN(uuid)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r) ? device_of(r)->uuid : "");
}

COLUMN(type)
{
	const struct row *r = data;

	if (is_pool(r))
		return show_text(rh, f, "pool");
	return show_text(rh, f, r->v ? "volume" : "unused");
}

COLUMN(pool)
{
	const struct row *r = data;

	return show_text(rh, f, r->p ? r->p->dev.name : "");
}

COLUMN(id)
{
	const struct row *r = data;

	return show_number(rh, mem, f, !is_pool(r), id_of(r));
}

COLUMN(size_of_row)
{
	const struct row *r = data;

	return show_size(mem, f, private, r->v || is_pool(r),
			 r->v ? r->v->sectors : r->p->sectors);
}

COLUMN(block_size)
{
	const struct row *r = data;

	return show_size(mem, f, private, r->p, r->p ? r->p->table.block_sectors : 0);
}

COLUMN(suspended)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r) && device_of(r)->suspended ? "suspended" : "");
}

/* Of a pool: used; in sectors. */
static bool used(const struct row *r, uint64_t *sectors)
{
	*sectors = 0;
	if (r->v) {
		*sectors = r->v->status.mapped;
		return r->v->status.known;
	}
	if (r->info)
		*sectors = r->info->mapped * r->p->table.block_sectors;
	else if (pool_is_known(r))
		*sectors = r->p->status.data_used * r->p->table.block_sectors;
	return r->info || pool_is_known(r);
}

COLUMN(mapped)
{
	uint64_t n;
	bool known = used(data, &n);

	return show_size(mem, f, private, known, n);
}

COLUMN(data_percent)
{
	const struct row *r = data;
	uint64_t n;
	bool known = used(r, &n) && (r->v || is_pool(r));

	return show_percent(rh, f, known, n, r->v ? r->v->sectors : r->p->sectors);
}

/* Metadata blocks have 8 sectors. */
COLUMN(meta_size)
{
	const struct row *r = data;

	return show_size(mem, f, private, pool_is_known(r),
			 pool_is_known(r) ? 8 * r->p->status.meta_total : 0);
}

COLUMN(meta_percent)
{
	const struct row *r = data;

	return show_percent(rh, f, pool_is_known(r),
			    pool_is_known(r) ? r->p->status.meta_used : 0,
			    pool_is_known(r) ? r->p->status.meta_total : 0);
}

COLUMN(mode)
{
	const struct row *r = data;

	return show_text(rh, f, is_pool(r) && r->p->known ? r->p->status.mode : "");
}

COLUMN(check)
{
	const struct row *r = data;

	return show_text(rh, f, pool_is_known(r) && r->p->status.needs_check ? "needs_check" : "");
}

COLUMN(discard)
{
	const struct row *r = data;

	return show_text(rh, f, pool_is_known(r) ? r->p->status.discard : "");
}

COLUMN(no_space)
{
	const struct row *r = data;

	return show_text(rh, f, pool_is_known(r) ? r->p->status.no_space : "");
}

COLUMN(transaction)
{
	const struct row *r = data;

	if (r->info)
		return show_number(rh, mem, f, true, r->info->transaction);
	return show_number(rh, mem, f, pool_is_known(r),
			   pool_is_known(r) ? r->p->status.transaction : 0);
}

static bool count(struct row *r)
{
	struct subject s = {
		.pool = r->p,
		.id = id_of(r),
		.name = "a thin device",
		.end = r->v ? r->v->status.end : 0,
	};

	if (r->v)
		s.name = r->v->dev.name;
	if (!r->counted && !is_pool(r) && r->p)
		r->counted = count_device(&s, r->bar, &r->mapped, &r->own) ? 1 : -1;
	return r->counted > 0;
}

COLUMN(own)
{
	struct row *r = (struct row *)data;
	bool known = count(r);

	return show_size(mem, f, private, known, r->own);
}

COLUMN(shared)
{
	struct row *r = (struct row *)data;
	bool known = count(r);

	return show_size(mem, f, private, known, r->mapped - r->own);
}

COLUMN(own_percent)
{
	struct row *r = (struct row *)data;
	bool known = count(r);

	return show_percent(rh, f, known, r->own, r->mapped);
}

static int show_blocks(struct dm_pool *mem, struct dm_report_field *f, void *private,
		       const struct row *r, bool known, uint64_t blocks)
{
	return show_size(mem, f, private, known,
			 known ? blocks * r->p->table.block_sectors : 0);
}

COLUMN(reserve)
{
	const struct row *r = data;
	bool known = r->info && r->info->reserve;

	return show_blocks(mem, f, private, r, known, known ? r->info->reserve : 0);
}

COLUMN(left)
{
	const struct row *r = data;
	bool known = r->info && r->info->reserve;

	return show_blocks(mem, f, private, r, known, known ? r->info->left : 0);
}

COLUMN(limit)
{
	const struct row *r = data;
	bool known = r->info && r->info->has_limit;

	return show_blocks(mem, f, private, r, known, known ? r->info->limit : 0);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type kinds[] = {
	{ 1, "Pool or volume", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER
#define SIZE	DM_REPORT_FIELD_TYPE_SIZE
#define PERCENT	DM_REPORT_FIELD_TYPE_PERCENT

static const struct dm_report_field_type fields[] = {
	{ 1, TEXT, 0, 4, "name", "Name", show_name, "Name of the device." },
	{ 1, TEXT, 0, 4, "uuid", "UUID", show_uuid, "Its UUID." },
	{ 1, TEXT, 0, 6, "type", "Type", show_type, "pool, volume, or unused: a thin device without." },
	{ 1, TEXT, 0, 4, "pool", "Pool", show_pool, "Name of the pool's device." },
	{ 1, NUMBER, 0, 2, "id", "Id", show_id, "Thin device." },
	{ 1, SIZE, 0, 4, "size", "Size", show_size_of_row, "Size of the volume, or of the pool's data." },
	{ 1, SIZE, 0, 6, "mapped", "Mapped", show_mapped, "Mapped; of a pool: in use." },
	{ 1, PERCENT, 0, 5, "data_percent", "Data%", show_data_percent, "The same, of its size." },
	{ 1, SIZE, 0, 3, "own", "Own", show_own, "Counted: what deleting it would free." },
	{ 1, SIZE, 0, 6, "shared", "Shared", show_shared, "Counted: what others have as well." },
	{ 1, PERCENT, 0, 4, "own_percent", "Own%", show_own_percent, "Own, of what is mapped." },
	{ 1, SIZE, 0, 7, "reserve", "Reserve", show_reserve, "Free space kept for it." },
	{ 1, SIZE, 0, 4, "left", "Left", show_left, "What is left of that." },
	{ 1, SIZE, 0, 5, "limit", "Limit", show_limit, "What it may map at most." },
	{ 1, SIZE, 0, 5, "metadata_size", "MSize", show_meta_size, "Metadata of the pool." },
	{ 1, PERCENT, 0, 5, "metadata_percent", "Meta%", show_meta_percent, "How much of it is in use." },
	{ 1, TEXT, 0, 4, "mode", "Mode", show_mode, "Mode of the pool." },
	{ 1, TEXT, 0, 5, "check", "Check", show_check, "needs_check, if the pool does." },
	{ 1, SIZE, 0, 5, "block_size", "Block", show_block_size, "Block of the pool." },
	{ 1, TEXT, 0, 7, "discard", "Discard", show_discard, "What the pool does with discards." },
	{ 1, TEXT, 0, 7, "no_space", "NoSpace", show_no_space, "What it does without space." },
	{ 1, NUMBER, 0, 3, "transaction", "TId", show_transaction, "Transaction id of user space; of a device: when it was made." },
	{ 1, TEXT, 0, 9, "suspended", "Suspended", show_suspended, "suspended, if the device is." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table table = {
	.name = "device",
	.kinds = kinds,
	.fields = fields,
	.usual = "name,type,pool,id,size,mapped,data_percent,metadata_percent,mode",
	.order = "pool,id,type,name",
};

static const struct table usage_table = {
	.name = "volume",
	.kinds = kinds,
	.fields = fields,
	.usual = "name,pool,id,size,mapped,own,shared,own_percent",
	.order = "pool,id,name",
};

/* ---- rows ---- */

/**
 * struct listing - all there is, and what of it is wanted
 * @infos: thin devices of each pool
 * @word: what the words of the command line mean
 */
struct listing {
	struct system s;
	struct infos *infos;
	struct row *rows;
	size_t nr;
	struct {
		const struct pool *p;
		const struct volume *v;
	} *word;
	int nr_words;
};

static bool find_words(struct listing *l, const struct options *o)
{
	int i;

	l->nr_words = o->nr_words;
	l->word = calloc(o->nr_words + 1, sizeof(*l->word));
	for (i = 0; l->word && i < o->nr_words; i++) {
		l->word[i].p = find_pool(&l->s, o->words[i]);
		l->word[i].v = l->word[i].p ? NULL : find_volume(&l->s, o->words[i]);
		if (!l->word[i].p && !l->word[i].v) {
			complain("%s: there is no such pool or volume; 'thinx list' shows all",
				 o->words[i]);
			return false;
		}
	}
	return l->word;
}

static bool is_wanted(const struct listing *l, const struct row *r)
{
	int i;

	for (i = 0; i < l->nr_words; i++)
		if ((r->v && l->word[i].v == r->v) || (r->p && l->word[i].p == r->p))
			return true;
	return !l->nr_words;
}

static void add_row(struct listing *l, const struct row *r)
{
	if (is_wanted(l, r))
		l->rows[l->nr++] = *r;
}

/* dm-thin does not tell, nor does a pool in fail mode. */
static size_t ask_for_devices(struct listing *l)
{
	size_t i, nr = 0;

	l->infos = calloc(l->s.nr_pools + 1, sizeof(*l->infos));
	for (i = 0; l->infos && i < l->s.nr_pools; i++) {
		if (query_devices(pool_ask, &l->s.pools[i], &l->infos[i]))
			infos_clear(&l->infos[i]);
		else
			(void)!query_quotas(pool_ask, &l->s.pools[i], &l->infos[i]);
		nr += l->infos[i].nr;
	}
	return nr;
}

/* Thin devices of which there is no volume; after all volumes. */
static void add_unused(struct listing *l, size_t pool)
{
	struct infos *infos = &l->infos[pool];
	struct row r = { .p = &l->s.pools[pool] };
	size_t i;

	for (i = 0; i < infos->nr; i++) {
		r.info = &infos->info[i];
		if (!r.info->shown)
			add_row(l, &r);
	}
}

static void add_volume(struct listing *l, struct volume *v, bool bar)
{
	struct row r = { .v = v, .p = v->pool, .bar = bar };
	struct info *info = NULL;

	if (r.p)
		info = infos_find(&l->infos[r.p - l->s.pools], v->table.id);
	if (info)
		info->shown = true;
	r.info = info;
	add_row(l, &r);
}

static bool make_rows(struct listing *l, bool usage)
{
	struct row r;
	size_t i;

	l->rows = calloc(l->s.nr_pools + l->s.nr_volumes + ask_for_devices(l) + 1,
			 sizeof(*l->rows));
	if (!l->rows || !l->infos) {
		complain("out of memory");
		return false;
	}
	for (i = 0; i < l->s.nr_pools; i++) {
		r = (struct row){ .p = &l->s.pools[i] };
		if (!usage)
			add_row(l, &r);
	}
	for (i = 0; i < l->s.nr_volumes; i++)
		add_volume(l, &l->s.volumes[i], usage);
	for (i = 0; i < l->s.nr_pools; i++)
		add_unused(l, i);
	return true;
}

static bool list_once(struct options *o, const struct table *t)
{
	struct listing l = { };
	bool ok;
	size_t i;

	ok = system_read(&l.s) && find_words(&l, o) &&
	     make_rows(&l, t == &usage_table) &&
	     table_print(t, o, l.rows, l.nr, sizeof(*l.rows));
	for (i = 0; i < l.nr; i++)
		ok = ok && l.rows[i].counted >= 0;
	for (i = 0; l.infos && i < l.s.nr_pools; i++)
		infos_clear(&l.infos[i]);
	free(l.infos);
	free(l.rows);
	free(l.word);
	system_free(&l.s);
	return ok;
}

static int list(struct options *o, const struct table *t)
{
	unsigned int n = 0;

	for (;;) {
		if (!list_once(o, t))
			return FAILED;
		if (!o->interval || ++n == o->count)
			return DONE;
		if (!flush_output())
			return FAILED;
		sleep(o->interval);
	}
}

int command_list(struct options *o)
{
	return list(o, &table);
}

int command_usage(struct options *o)
{
	return list(o, &usage_table);
}
