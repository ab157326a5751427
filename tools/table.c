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

static bool fill_and_print(struct dm_report *rh, const struct table *t, bool json,
			   void *objects, size_t nr, size_t size)
{
	struct dm_report_group *group;
	bool ok;
	size_t i;

	group = dm_report_group_create(json ? DM_REPORT_GROUP_JSON :
				       DM_REPORT_GROUP_SINGLE, NULL);
	if (!group)
		return false;
	ok = dm_report_group_push(group, rh, (void *)t->name);
	for (i = 0; ok && i < nr; i++)
		ok = dm_report_object(rh, (char *)objects + i * size);
	/* Prints what has been pushed. */
	return dm_report_group_destroy(group) && ok;
}

bool table_print(const struct table *t, struct options *o, void *objects, size_t nr,
		 size_t size)
{
	uint32_t kinds = 0, flags = DM_REPORT_OUTPUT_ALIGNED | DM_REPORT_OUTPUT_BUFFERED;
	const char *fields = o->fields ? o->fields : t->usual;
	struct dm_report *rh;
	char *more = NULL;
	bool ok;

	/* As lvs has it: -o +NAME adds to the usual ones. */
	if (*fields == '+') {
		if (asprintf(&more, "%s,%s", t->usual, fields + 1) < 0)
			return false;
		fields = more;
	}
	if (!o->no_headings)
		flags |= DM_REPORT_OUTPUT_HEADINGS;
	rh = dm_report_init_with_selection(&kinds, t->kinds, t->fields, fields, " ",
					   flags, o->sort ? o->sort : t->order,
					   o->select ? o->select : "", NULL, o);
	free(more);
	if (!rh)
		return false;
	ok = fill_and_print(rh, t, o->json, objects, nr, size);
	dm_report_free(rh);
	if (!ok)
		complain("the table cannot be printed");
	return ok;
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
	text = dm_size_to_string(mem, sectors, o->unit, 0, o->factor, !o->no_suffix,
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
