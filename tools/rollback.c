// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx rollback: a volume gets what a snapshot of it has; thinx undo: it gets back
 * what it had.
 *
 *   create_snap T SNAPSHOT ─► suspend VOLUME ─► swap VOLUME T ─► resume ─► device KEPT
 *                                                                          shows T
 *
 * Nothing is remembered but the name of that device, so nothing remembered can be
 * wrong.  No signal ends the program while a volume is suspended.  After a crash T is
 * a thin device without a name: with what the snapshot has, or, behind the swap, with
 * what the volume had.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "device.h"
#include "say.h"
#include "snapshot.h"
#include "table.h"

/**
 * struct exchange - a volume, and the thin device whose contents it gets
 * @v: the volume
 * @other: the volume of the other one, or NULL
 * @id: the other one
 * @kept: name of the device that shows what @v had
 * @done: they are exchanged, or may be: never delete @id then
 */
struct exchange {
	struct volume *v;
	struct volume *other;
	uint32_t id;
	const char *kept;
	bool done;
};

/* ---- columns ---- */

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(name)
{
	const struct exchange *e = data;

	return show_text(rh, f, e->v->dev.name);
}

COLUMN(id)
{
	const struct exchange *e = data;

	return show_number(rh, mem, f, true, e->v->table.id);
}

COLUMN(kept)
{
	const struct exchange *e = data;

	return show_text(rh, f, e->kept);
}

COLUMN(kept_id)
{
	const struct exchange *e = data;

	return show_number(rh, mem, f, true, e->id);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type kinds[] = {
	{ 1, "Exchange", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER

static const struct dm_report_field_type fields[] = {
	{ 1, TEXT, 0, 4, "name", "Name", show_name, "The volume." },
	{ 1, NUMBER, 0, 8, "id", "Id", show_id, "Its thin device." },
	{ 1, TEXT, 0, 4, "kept", "Kept", show_kept, "The device that shows what it had." },
	{ 1, NUMBER, 0, 8, "kept_id", "KeptId", show_kept_id, "The thin device of that." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table table = {
	.name = "exchange", .kinds = kinds, .fields = fields,
	.usual = "name,id,kept,kept_id", .order = "",
};

/* ---- exchanging ---- */

/* With these the kernel has changed nothing. */
static bool is_refusal(int r)
{
	return r == -EBUSY || r == -ENODATA || r == -ENOSPC || r == -EINVAL ||
	       r == -EOPNOTSUPP;
}

static int swap(struct exchange *e)
{
	struct pool *pool = e->v->pool;
	char message[64];
	int r;

	snprintf(message, sizeof(message), "swap %u %u", e->v->table.id, e->id);
	r = pool_ask(pool, message, NULL);
	e->done = !is_refusal(r);
	if (!r)
		return DONE;
	pool_complain(pool, message, r);
	if (r == -EBUSY)
		complain("does another table show thin device %u or %u?",
			 e->v->table.id, e->id);
	return FAILED;
}

/* Somebody may have opened it before it was suspended. */
static int swap_unused(struct exchange *e)
{
	if (!device_is_unused(&e->v->dev) ||
	    (e->other && !device_is_unused(&e->other->dev)))
		return FAILED;
	return swap(e);
}

static int resume(const struct volume *v)
{
	if (!v || device_resume(&v->dev))
		return DONE;
	complain("%s is suspended: dmsetup resume %s", v->dev.name, v->dev.name);
	return FAILED;
}

static int suspend_and_swap(struct exchange *e)
{
	int r;

	if (!device_suspend(&e->v->dev))
		return FAILED;
	if (e->other && !device_suspend(&e->other->dev))
		r = FAILED;
	else
		r = swap_unused(e);
	if (e->other && resume(e->other))
		r = FAILED;
	return resume(e->v) ?: r;
}

static int exchange(struct exchange *e)
{
	sigset_t all, before;
	int r;

	if (e->v->dev.suspended || (e->other && e->other->dev.suspended)) {
		complain("%s is suspended: whoever did that is to resume it first",
			 e->v->dev.suspended ? e->v->dev.name : e->other->dev.name);
		return FAILED;
	}
	if (!device_is_unused(&e->v->dev) ||
	    (e->other && !device_is_unused(&e->other->dev)))
		return FAILED;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r = suspend_and_swap(e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* ---- rollback ---- */

static void delete(struct pool *pool, uint32_t id)
{
	char message[32];
	int r;

	snprintf(message, sizeof(message), "delete %u", id);
	r = pool_ask(pool, message, NULL);
	if (r)
		pool_complain(pool, message, r);
}

static bool find_snapshot(struct options *o, struct system *s, struct volume *v,
			  uint32_t *id)
{
	struct volume *snap;

	*id = o->id[0];
	if (!o->has_id[0]) {
		snap = find_volume(s, o->words[1]);
		if (!snap) {
			complain("%s: there is no such volume; give the ID of a thin device that no table shows with --dev-id; 'thinx list' shows all",
				 o->words[1]);
			return false;
		}
		if (snap->pool != v->pool) {
			complain("%s and %s are of two pools", v->dev.name,
				 snap->dev.name);
			return false;
		}
		*id = snap->table.id;
	}
	if (*id != v->table.id)
		return true;
	complain("thin device %u is the volume itself", *id);
	return false;
}

static const char *name_kept(const struct options *o, const struct volume *v)
{
	static char name[512];

	if (o->keep)
		return o->keep;
	snprintf(name, sizeof(name), "%s-before", v->dev.name);
	return name;
}

static int rollback(struct options *o, struct system *s)
{
	struct exchange e = { .v = find_whole_volume(s, o->words[0]) };
	uint32_t snap;
	int r;

	if (!e.v || !find_snapshot(o, s, e.v, &snap))
		return FAILED;
	e.kept = name_kept(o, e.v);
	if (!device_name_is_free(e.kept) || !device_is_unused(&e.v->dev))
		return FAILED;
	r = snapshot_make(e.v->pool, &e.id, &snap, 1);
	if (r)
		return r;
	r = exchange(&e);
	if (r && e.done)
		complain("look at %s before you go on: what it had is in thin device %u, or still in the volume",
			 e.v->dev.name, e.id);
	else if (r)
		delete(e.v->pool, e.id);
	if (r)
		return r;
	if (!device_create_like(e.kept, e.v, e.id)) {
		complain("%s is rolled back; what it had is in thin device %u",
			 e.v->dev.name, e.id);
		return FAILED;
	}
	return table_print(&table, o, &e, 1, sizeof(e)) ? DONE : FAILED;
}

static int refuse(const char *how)
{
	complain("%s", how);
	return MISUSED;
}

int command_rollback(struct options *o)
{
	struct system s;
	int r = FAILED;

	if (o->nr_words != (o->has_id[0] ? 1 : 2))
		return refuse("rollback: a volume and a snapshot are expected, or a volume and --dev-id ID");
	if (system_read(&s))
		r = rollback(o, &s);
	system_free(&s);
	return r;
}

/* ---- undo ---- */

static int undo(struct options *o, struct system *s)
{
	struct exchange e = { .v = find_whole_volume(s, o->words[0]) };

	if (!e.v)
		return FAILED;
	e.id = o->id[0];
	e.kept = o->nr_words == 2 ? o->words[1] : name_kept(o, e.v);
	if (!o->has_id[0]) {
		e.other = find_volume(s, e.kept);
		if (!e.other) {
			complain("%s: there is no such volume: name what rollback kept, or give its ID with --dev-id; 'thinx list' shows all",
				 e.kept);
			return FAILED;
		}
		e.id = e.other->table.id;
		e.kept = e.other->dev.name;
	} else {
		e.kept = "";
	}
	if (e.other && e.other->pool != e.v->pool) {
		complain("%s and %s are of two pools", e.v->dev.name, e.kept);
		return FAILED;
	}
	if (e.id == e.v->table.id) {
		complain("thin device %u is the volume itself", e.id);
		return FAILED;
	}
	if (exchange(&e))
		return FAILED;
	return table_print(&table, o, &e, 1, sizeof(e)) ? DONE : FAILED;
}

int command_undo(struct options *o)
{
	struct system s;
	int r = FAILED;

	if (o->nr_words < 1 || o->nr_words > (o->has_id[0] ? 1 : 2))
		return refuse("undo: a volume is expected, and what rollback kept of it, or --dev-id ID");
	if (system_read(&s))
		r = undo(o, &s);
	system_free(&s);
	return r;
}
