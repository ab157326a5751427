/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Tables and their JSON, as libdevmapper makes them for lvs and dmsetup.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <libdevmapper.h>

#include "options.h"

/**
 * struct table - what a table may show
 * @name: of the list, in JSON
 * @kinds: of objects
 * @fields: columns
 * @usual: those shown without -o
 * @order: those sorted by without -O
 */
struct table {
	const char *name;
	const struct dm_report_object_type *kinds;
	const struct dm_report_field_type *fields;
	const char *usual;
	const char *order;
};

/**
 * table_print() - one table
 * @t: what it is
 * @o: how it is to look; what the columns' functions get as their last argument
 * @objects: the rows
 * @nr: number of them
 * @size: of one
 *
 * Return: false, and it has been said why.
 */
bool table_print(const struct table *t, struct options *o, void *objects, size_t nr,
		 size_t size);

/**
 * struct table_rows - a table, and its rows
 * @as_usual: -o, -O and -S are not about it
 */
struct table_rows {
	const struct table *table;
	void *objects;
	size_t nr;
	size_t size;
	bool as_usual;
};

/** tables_print() - several, with an empty line between; as JSON one object */
bool tables_print(const struct table_rows *tables, size_t nr, struct options *o);

/** Columns; an absent value is an empty word, and 0 to -S and -O. */
int show_text(struct dm_report *rh, struct dm_report_field *f, const char *text);

/** show_number() - see show_text() */
int show_number(struct dm_report *rh, struct dm_pool *mem, struct dm_report_field *f,
		bool known, uint64_t n);

/** show_size() - see show_text(); in sectors */
int show_size(struct dm_pool *mem, struct dm_report_field *f, const struct options *o,
	      bool known, uint64_t sectors);

/** show_percent() - see show_text() */
int show_percent(struct dm_report *rh, struct dm_report_field *f, bool known,
		 uint64_t part, uint64_t whole);

#endif /* TOOLS_TABLE_H */
