/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Maps and differences as text for other programs.
 */
#ifndef TOOLS_WRITE_H
#define TOOLS_WRITE_H

#include <stdio.h>

#include "text.h"

/**
 * struct shape - what is not in the runs
 * @page: devices and stamps
 * @sectors: where the volume ends; UINT64_MAX: unknown
 */
struct shape {
	struct page page;
	uint64_t block_sectors;
	uint64_t transaction;
	uint64_t nr_data_blocks;
	uint64_t sectors;
};

/** write_map_xml() - as thin_dump does, without what is not known */
void write_map_xml(FILE *f, const struct shape *s, const struct runs *runs);

/** write_delta_xml() - as thin_delta does */
void write_delta_xml(FILE *f, const struct shape *s, const struct runs *runs);

/** write_json() - one object, numbers in blocks */
void write_json(FILE *f, const struct shape *s, const struct runs *runs);

/**
 * write_ranges() - in bytes, cut off at the end of the volume
 *
 * Of a map: OFFSET LENGTH KIND DATA_OFFSET.  Of a difference: OFFSET LENGTH KIND, and
 * nothing of what is the same.
 */
void write_ranges(FILE *f, const struct shape *s, const struct runs *runs);

#endif /* TOOLS_WRITE_H */
