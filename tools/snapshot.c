// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx snapshot: of one volume, or of several at one moment.
 *
 *   NEW=ORIGIN... ─► names, one pool ─► IDs nobody has ─► create_snaps ─► devices NEW
 *                                            ▲    somebody was faster │
 *                                            └────────────────────────┘
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "device.h"
#include "say.h"
#include "snapshot.h"
#include "table.h"

/* As many as one message takes. */
#define MAX_SNAPSHOTS	64

/* How often other IDs are tried. */
#define TRIES		5

/**
 * struct snapshot - a row of the table
 * @name: of the new device
 * @origin: what it is of
 */
struct snapshot {
	char name[128];
	uint32_t id;
	struct volume *origin;
};

/* ---- columns ---- */

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(name)
{
	const struct snapshot *s = data;

	return show_text(rh, f, s->name);
}

COLUMN(id)
{
	const struct snapshot *s = data;

	return show_number(rh, mem, f, true, s->id);
}

COLUMN(origin)
{
	const struct snapshot *s = data;

	return show_text(rh, f, s->origin->dev.name);
}

COLUMN(origin_id)
{
	const struct snapshot *s = data;

	return show_number(rh, mem, f, true, s->origin->table.id);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type kinds[] = {
	{ 1, "Snapshot", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER

static const struct dm_report_field_type fields[] = {
	{ 1, TEXT, 0, 4, "name", "Name", show_name, "Name of the new device." },
	{ 1, NUMBER, 0, 8, "id", "Id", show_id, "Thin device that it shows." },
	{ 1, TEXT, 0, 6, "origin", "Origin", show_origin, "What it is a snapshot of." },
	{ 1, NUMBER, 0, 8, "origin_id", "OriginId", show_origin_id, "Thin device of that." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table table = {
	.name = "snapshot", .kinds = kinds, .fields = fields,
	.usual = "name,id,origin,origin_id", .order = "",
};

/* ---- making them ---- */

int snapshot_ids(struct pool *pool, uint32_t *ids, size_t nr)
{
	struct infos infos = { };
	int r = query_devices(pool_ask, pool, &infos);

	if (r)
		pool_complain(pool, "devices", r);
	else if (!infos_free_ids(&infos, ids, nr))
		complain("%s: all IDs are in use: delete some thin devices",
			 pool->dev.name);
	else
		r = 1;
	infos_clear(&infos);
	return r == 1 ? DONE : FAILED;
}

static int send(struct pool *pool, const uint32_t *ids, const uint32_t *origins,
		size_t nr)
{
	char message[16 + 20 * MAX_SNAPSHOTS];
	size_t i;
	int used, r;

	used = snprintf(message, sizeof(message), nr == 1 ? "create_snap" : "create_snaps");
	for (i = 0; i < nr; i++)
		used += snprintf(message + used, sizeof(message) - used, " %u %u",
				 ids[i], origins[i]);
	r = pool_ask(pool, message, NULL);
	if (r && r != -EEXIST)
		pool_complain(pool, message, r);
	return r;
}

int snapshot_make(struct pool *pool, uint32_t *ids, const uint32_t *origins, size_t nr)
{
	unsigned int i;
	int r;

	for (i = 0; i < TRIES; i++) {
		if (snapshot_ids(pool, ids, nr))
			return FAILED;
		r = send(pool, ids, origins, nr);
		if (r != -EEXIST)
			return r ? FAILED : DONE;
	}
	complain("%s: other programs make devices all the time: try again", pool->dev.name);
	return FAILED;
}

/* Those that cannot be set up are there nevertheless, and are named. */
static int set_up(const struct snapshot *list, size_t nr)
{
	int r = DONE;
	size_t i;

	for (i = 0; i < nr; i++)
		if (!device_create_like(list[i].name, list[i].origin, list[i].id)) {
			complain("the snapshot is there, as thin device %u of %s",
				 list[i].id, list[i].origin->pool->dev.name);
			r = FAILED;
		}
	return r;
}

/* ---- the command ---- */

struct volume *find_whole_volume(struct system *s, const char *name)
{
	struct volume *v = find_volume(s, name);

	if (!v)
		complain("%s: there is no such volume; 'thinx list' shows all", name);
	else if (!v->pool)
		complain("%s: its pool cannot be asked", name);
	else if (!v->whole)
		complain("%s has more than one target: do it by messages", name);
	return v && v->pool && v->whole ? v : NULL;
}

/* NEW=ORIGIN; a dm name may have '=' in it, so that of NEW ends at the first. */
static bool parse(struct system *s, const char *word, struct snapshot *snap)
{
	size_t n = strcspn(word, "=");

	if (!word[n] || !n || n >= sizeof(snap->name)) {
		complain("'%s': NEW=ORIGIN is expected", word);
		return false;
	}
	memcpy(snap->name, word, n);
	snap->name[n] = '\0';
	snap->origin = find_whole_volume(s, word + n + 1);
	return snap->origin && device_name_is_free(snap->name);
}

static bool is_one_group(const struct snapshot *list, size_t nr)
{
	size_t i, k;

	for (i = 1; i < nr; i++) {
		if (list[i].origin->pool != list[0].origin->pool) {
			complain("%s and %s are of two pools: snapshots of one moment are of one pool",
				 list[0].origin->dev.name, list[i].origin->dev.name);
			return false;
		}
		for (k = 0; k < i; k++)
			if (!strcmp(list[i].name, list[k].name)) {
				complain("two snapshots cannot both be %s", list[i].name);
				return false;
			}
	}
	return true;
}

static int snapshot(struct options *o, struct system *s)
{
	static struct snapshot list[MAX_SNAPSHOTS];
	uint32_t ids[MAX_SNAPSHOTS], origins[MAX_SNAPSHOTS] = { };
	size_t nr = o->nr_words, i;
	int r;

	for (i = 0; i < nr; i++) {
		if (!parse(s, o->words[i], &list[i]))
			return FAILED;
		origins[i] = list[i].origin->table.id;
	}
	if (!is_one_group(list, nr))
		return FAILED;
	r = snapshot_make(list[0].origin->pool, ids, origins, nr);
	if (r)
		return r;
	for (i = 0; i < nr; i++)
		list[i].id = ids[i];
	r = set_up(list, nr);
	return table_print(&table, o, list, nr, sizeof(list[0])) ? r : FAILED;
}

int command_snapshot(struct options *o)
{
	struct system s;
	int r = FAILED;

	if (o->nr_words < 1 || o->nr_words > (o->group ? MAX_SNAPSHOTS : 1)) {
		complain(o->group ? "snapshot: 1 to 64 words NEW=ORIGIN are expected" :
			 "snapshot: NEW=ORIGIN is expected; with --group several, which are of one moment");
		return MISUSED;
	}
	if (system_read(&s))
		r = snapshot(o, &s);
	system_free(&s);
	return r;
}
