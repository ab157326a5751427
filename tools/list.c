// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx list: pools and volumes; thinx usage: volumes, and what is their own.  What
 * has to be counted, block by block, is asked for when a column shows it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "count.h"
#include "say.h"
#include "table.h"

/**
 * struct row - a pool, or a volume
 * @v: NULL: the pool itself
 * @counted: @own is known; or -1: cannot be
 * @bar: show how far counting is
 */
struct row {
	struct pool *p;
	struct volume *v;
	int counted;
	bool bar;
	uint64_t own;
	uint64_t mapped;
};

static const struct device *device_of(const struct row *r)
{
	return r->v ? &r->v->dev : &r->p->dev;
}

static bool pool_is_known(const struct row *r)
{
	return !r->v && r->p->known && !r->p->status.failed;
}

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(name)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r)->name);
}

COLUMN(uuid)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r)->uuid);
}

COLUMN(type)
{
	const struct row *r = data;

	return show_text(rh, f, r->v ? "volume" : "pool");
}

COLUMN(pool)
{
	const struct row *r = data;

	return show_text(rh, f, r->p ? r->p->dev.name : "");
}

COLUMN(id)
{
	const struct row *r = data;

	return show_number(rh, mem, f, r->v, r->v ? r->v->table.id : 0);
}

COLUMN(size_of_row)
{
	const struct row *r = data;

	return show_size(mem, f, private, true, r->v ? r->v->sectors : r->p->sectors);
}

COLUMN(block_size)
{
	const struct row *r = data;

	return show_size(mem, f, private, r->p, r->p ? r->p->table.block_sectors : 0);
}

COLUMN(suspended)
{
	const struct row *r = data;

	return show_text(rh, f, device_of(r)->suspended ? "suspended" : "");
}

/* Of a pool: used; of both, sectors. */
static bool used(const struct row *r, uint64_t *sectors)
{
	*sectors = 0;
	if (r->v)
		*sectors = r->v->status.mapped;
	else if (pool_is_known(r))
		*sectors = r->p->status.data_used * r->p->table.block_sectors;
	return r->v ? r->v->status.known : pool_is_known(r);
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
	bool known = used(r, &n);

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

	return show_text(rh, f, !r->v && r->p->known ? r->p->status.mode : "");
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

	return show_number(rh, mem, f, pool_is_known(r),
			   pool_is_known(r) ? r->p->status.transaction : 0);
}

static bool count(struct row *r)
{
	if (!r->counted && r->v && r->p)
		r->counted = count_volume(r->v, r->bar, &r->mapped, &r->own) ? 1 : -1;
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
	{ 1, TEXT, 0, 6, "type", "Type", show_type, "pool or volume." },
	{ 1, TEXT, 0, 4, "pool", "Pool", show_pool, "Name of the pool's device." },
	{ 1, NUMBER, 0, 2, "id", "Id", show_id, "Thin device that a volume shows." },
	{ 1, SIZE, 0, 4, "size", "Size", show_size_of_row, "Size of the volume, or of the pool's data." },
	{ 1, SIZE, 0, 6, "mapped", "Mapped", show_mapped, "Of a volume: mapped; of a pool: in use." },
	{ 1, PERCENT, 0, 5, "data_percent", "Data%", show_data_percent, "The same, of its size." },
	{ 1, SIZE, 0, 3, "own", "Own", show_own, "Counted: what deleting the volume would free." },
	{ 1, SIZE, 0, 6, "shared", "Shared", show_shared, "Counted: what others have as well." },
	{ 1, PERCENT, 0, 4, "own_percent", "Own%", show_own_percent, "Own, of what is mapped." },
	{ 1, SIZE, 0, 5, "metadata_size", "MSize", show_meta_size, "Metadata of the pool." },
	{ 1, PERCENT, 0, 5, "metadata_percent", "Meta%", show_meta_percent, "How much of it is in use." },
	{ 1, TEXT, 0, 4, "mode", "Mode", show_mode, "Mode of the pool." },
	{ 1, TEXT, 0, 5, "check", "Check", show_check, "needs_check, if the pool does." },
	{ 1, SIZE, 0, 5, "block_size", "Block", show_block_size, "Block of the pool." },
	{ 1, TEXT, 0, 7, "discard", "Discard", show_discard, "What the pool does with discards." },
	{ 1, TEXT, 0, 7, "no_space", "NoSpace", show_no_space, "What it does without space." },
	{ 1, NUMBER, 0, 3, "transaction", "TId", show_transaction, "Transaction id of user space." },
	{ 1, TEXT, 0, 9, "suspended", "Suspended", show_suspended, "suspended, if the device is." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table table = {
	.name = "device",
	.kinds = kinds,
	.fields = fields,
	.usual = "name,type,pool,id,size,mapped,data_percent,metadata_percent,mode",
	.order = "pool,type,id,name",
};

static const struct table usage_table = {
	.name = "volume",
	.kinds = kinds,
	.fields = fields,
	.usual = "name,pool,id,size,mapped,own,shared,own_percent",
	.order = "pool,id,name",
};

static bool is_wanted(struct system *s, const struct options *o, const struct row *r)
{
	int i;

	for (i = 0; i < o->nr_words; i++)
		if ((r->v && find_volume(s, o->words[i]) == r->v) ||
		    (r->p && find_pool(s, o->words[i]) == r->p))
			return true;
	return !o->nr_words;
}

static bool words_are_known(struct system *s, const struct options *o)
{
	int i;

	for (i = 0; i < o->nr_words; i++)
		if (!find_pool(s, o->words[i]) && !find_volume(s, o->words[i])) {
			complain("%s: there is no such pool or volume; 'thinx list' shows all",
				 o->words[i]);
			return false;
		}
	return true;
}

static bool list_once(struct options *o, const struct table *t)
{
	bool usage = t == &usage_table;
	struct row *rows = NULL, r;
	size_t nr = 0, i;
	struct system s;
	bool ok = system_read(&s) && words_are_known(&s, o);

	if (ok)
		rows = calloc(s.nr_pools + s.nr_volumes + 1, sizeof(*rows));
	for (i = 0; rows && i < s.nr_pools + s.nr_volumes; i++) {
		memset(&r, 0, sizeof(r));
		r.v = i < s.nr_pools ? NULL : &s.volumes[i - s.nr_pools];
		r.p = r.v ? r.v->pool : &s.pools[i];
		r.bar = usage;
		if ((r.v || !usage) && is_wanted(&s, o, &r))
			rows[nr++] = r;
	}
	ok = rows && table_print(t, o, rows, nr, sizeof(*rows));
	for (i = 0; i < nr; i++)
		ok = ok && rows[i].counted >= 0;
	free(rows);
	system_free(&s);
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
		fflush(stdout);
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
