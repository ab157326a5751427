// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See space-table.h.
 */
#include "space-table.h"

static const struct sample *last_of(const struct space_row *r)
{
	return &r->samples->sample[r->samples->nr - 1];
}

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(space)
{
	const struct space_row *r = data;

	return show_text(rh, f, r->which == SPACE_DATA ? "data" : "metadata");
}

COLUMN(total)
{
	const struct space_row *r = data;

	return show_size(mem, f, private, true, last_of(r)->total[r->which] / 512);
}

COLUMN(used)
{
	const struct space_row *r = data;

	return show_size(mem, f, private, true, last_of(r)->used[r->which] / 512);
}

COLUMN(percent_of_row)
{
	const struct space_row *r = data;

	return show_percent(rh, f, true, last_of(r)->used[r->which],
			    last_of(r)->total[r->which]);
}

/* What shrinks has none: sizes have no sign. */
COLUMN(growth)
{
	const struct space_row *r = data;
	double slope = 0;
	bool known = samples_slope(r->samples, r->which, &slope);

	return show_size(mem, f, private, known && slope >= 0, slope / 512);
}

COLUMN(full_in)
{
	const struct space_row *r = data;
	char text[32];

	format_duration(text, sizeof(text), samples_until_full(r->samples, r->which));
	return show_text(rh, f, dm_pool_strdup(mem, text));
}

COLUMN(full_seconds)
{
	const struct space_row *r = data;
	double seconds = samples_until_full(r->samples, r->which);

	return show_number(rh, mem, f, seconds >= 0, seconds >= 0 ? seconds : 0);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type kinds[] = {
	{ 1, "Space", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER
#define SIZE	DM_REPORT_FIELD_TYPE_SIZE
#define PERCENT	DM_REPORT_FIELD_TYPE_PERCENT

static const struct dm_report_field_type fields[] = {
	{ 1, TEXT, 0, 8, "space", "Space", show_space, "data or metadata." },
	{ 1, SIZE, 0, 8, "size", "Size", show_total, "All of it." },
	{ 1, SIZE, 0, 8, "used", "Used", show_used, "In use." },
	{ 1, PERCENT, 0, 6, "percent", "Use%", show_percent_of_row, "The same, of all." },
	{ 1, SIZE, 0, 8, "growth", "Growth/s", show_growth, "Taken in a second: the slope of the last samples." },
	{ 1, TEXT, 0, 7, "full_in", "Full in", show_full_in, "Time until it is full, if that goes on." },
	{ 1, NUMBER, 0, 7, "full_seconds", "Seconds", show_full_seconds, "The same, in seconds." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

const struct table space_table = {
	.name = "space", .kinds = kinds, .fields = fields,
	.usual = "space,size,used,percent,growth,full_in", .order = "",
};

void space_rows(const struct samples *samples, struct space_row rows[NR_SPACES])
{
	rows[SPACE_DATA] = (struct space_row){ samples, SPACE_DATA };
	rows[SPACE_METADATA] = (struct space_row){ samples, SPACE_METADATA };
}
