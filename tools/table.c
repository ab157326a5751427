// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See table.h.
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

#include "say.h"

static struct dm_report *make_report(const struct table_rows *t, struct options *o)
{
	uint32_t kinds = 0, flags = DM_REPORT_OUTPUT_ALIGNED | DM_REPORT_OUTPUT_BUFFERED;
	const struct options usual = { .unit = 'h' };
	const struct options *how = t->as_usual ? &usual : o;
	const char *fields = how->fields ? how->fields : t->table->usual;
	struct dm_report *rh;
	char *more = NULL;

	/* As lvs has it: -o +NAME adds to the usual ones. */
	if (*fields == '+') {
		if (asprintf(&more, "%s,%s", t->table->usual, fields + 1) < 0)
			return NULL;
		fields = more;
	}
	if (!o->no_headings)
		flags |= DM_REPORT_OUTPUT_HEADINGS;
	rh = dm_report_init_with_selection(&kinds, t->table->kinds, t->table->fields,
					   fields, " ", flags,
					   how->sort ? how->sort : t->table->order,
					   how->select ? how->select : "", NULL, o);
	free(more);
	return rh;
}

/* In its place of the group. */
static bool print_one(struct dm_report_group *group, const struct table_rows *t,
		      struct dm_report *rh)
{
	size_t i;

	if (!dm_report_group_push(group, rh, (void *)t->table->name))
		return false;
	for (i = 0; i < t->nr; i++)
		if (!dm_report_object(rh, (char *)t->objects + i * t->size))
			return false;
	return dm_report_output(rh) && dm_report_group_pop(group);
}

static struct dm_report_group *make_group(const struct options *o)
{
	return dm_report_group_create(o->json ? DM_REPORT_GROUP_JSON :
				      DM_REPORT_GROUP_SINGLE, NULL);
}

/* A group of its own for each, but of JSON. */
static bool print_all(const struct table_rows *tables, size_t nr, struct options *o,
		      struct dm_report **reports)
{
	struct dm_report_group *group = NULL;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < nr; i++) {
		if (!group)
			group = make_group(o);
		ok = group && print_one(group, &tables[i], reports[i]);
		if (group && !o->json) {
			ok = dm_report_group_destroy(group) && ok;
			group = NULL;
			if (i + 1 < nr)
				putchar('\n');
		}
	}
	if (group)
		ok = dm_report_group_destroy(group) && ok;
	return ok;
}

bool tables_print(const struct table_rows *tables, size_t nr, struct options *o)
{
	struct dm_report *reports[4] = { };
	bool ok = nr <= 4;
	size_t i;

	for (i = 0; ok && i < nr; i++) {
		reports[i] = make_report(&tables[i], o);
		ok = reports[i];
	}
	/* What is wrong with columns has been said. */
	if (ok) {
		ok = print_all(tables, nr, o, reports);
		if (!ok)
			complain("the table cannot be printed");
	}
	for (i = 0; i < 4; i++)
		if (reports[i])
			dm_report_free(reports[i]);
	return ok;
}

bool table_print(const struct table *t, struct options *o, void *objects, size_t nr,
		 size_t size)
{
	const struct table_rows one = { t, objects, nr, size, false };

	return tables_print(&one, 1, o);
}

static const uint64_t nothing;

int show_text(struct dm_report *rh, struct dm_report_field *f, const char *text)
{
	return dm_report_field_string(rh, f, &text);
}

int show_number(struct dm_report *rh, struct dm_pool *mem, struct dm_report_field *f,
		bool known, uint64_t n)
{
	if (known)
		return dm_report_field_uint64(rh, f, &n);
	dm_report_field_set_value(f, "", &nothing);
	return 1;
}

int show_size(struct dm_pool *mem, struct dm_report_field *f, const struct options *o,
	      bool known, uint64_t sectors)
{
	static const double none;
	const char *text;
	double *value;

	if (!known) {
		dm_report_field_set_value(f, "", &none);
		return 1;
	}
	text = dm_size_to_string(mem, sectors, o->unit, 1, o->factor, !o->no_suffix,
				 DM_SIZE_UNIT);
	value = dm_pool_alloc(mem, sizeof(*value));
	if (!text || !value)
		return 0;
	*value = sectors;
	dm_report_field_set_value(f, text, value);
	return 1;
}

int show_percent(struct dm_report *rh, struct dm_report_field *f, bool known,
		 uint64_t part, uint64_t whole)
{
	dm_percent_t percent = known && whole ? dm_make_percent(part, whole) :
			       DM_PERCENT_INVALID;

	return dm_report_field_percent(rh, f, &percent);
}
