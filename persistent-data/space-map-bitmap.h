/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Arithmetic on one space-map bitmap block: 16320 two-bit entries
 * (docs/format.md section 6.4).  Pure functions, no errors, no locks.
 *
 * An entry holds a count of 0, 1 or 2, or PD_BITMAP_MANY for "three or more,
 * see the overflow tree".
 */
#ifndef PD_SPACE_MAP_BITMAP_H
#define PD_SPACE_MAP_BITMAP_H

#include "pd-types.h"

struct pd_disk_bitmap;

#define PD_BITMAP_MANY 3

/**
 * pd_bitmap_get() - one entry
 * @bm: bitmap block
 * @e: 0 .. PD_ENTRIES_PER_BITMAP - 1
 *
 * Return: 0 .. 2, or PD_BITMAP_MANY.
 */
unsigned int pd_bitmap_get(const struct pd_disk_bitmap *bm, u32 e);

/**
 * pd_bitmap_set() - change one entry
 * @bm: bitmap block
 * @e: 0 .. PD_ENTRIES_PER_BITMAP - 1
 * @value: 0 .. PD_BITMAP_MANY
 */
void pd_bitmap_set(struct pd_disk_bitmap *bm, u32 e, unsigned int value);

/**
 * pd_bitmap_nr_used() - number of non-zero entries
 * @bm: bitmap block
 * @nr: only the first @nr entries are looked at
 */
u32 pd_bitmap_nr_used(const struct pd_disk_bitmap *bm, u32 nr);

/**
 * pd_bitmap_first_free() - lowest entry that is zero
 * @bm: bitmap block
 *
 * Return: its index; PD_ENTRIES_PER_BITMAP if no entry is zero.
 */
u32 pd_bitmap_first_free(const struct pd_disk_bitmap *bm);

/**
 * pd_bitmap_used_bits() - one bit per entry: is it non-zero?
 * @bm: bitmap block
 * @bits: PD_ENTRIES_PER_BITMAP bits, overwritten
 */
void pd_bitmap_used_bits(const struct pd_disk_bitmap *bm, unsigned long *bits);

#endif /* PD_SPACE_MAP_BITMAP_H */
