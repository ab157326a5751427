/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A table of the space of a pool, how fast it is taken, and when it is full.
 */
#ifndef TOOLS_SPACE_TABLE_H
#define TOOLS_SPACE_TABLE_H

#include "space.h"
#include "table.h"

/** struct space_row - a row; the columns are in space_table */
struct space_row {
	const struct samples *samples;
	enum space which;
};

extern const struct table space_table;

/** space_rows() - one row for data, one for metadata; @samples is not empty */
void space_rows(const struct samples *samples, struct space_row rows[NR_SPACES]);

#endif /* TOOLS_SPACE_TABLE_H */
