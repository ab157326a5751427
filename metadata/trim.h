/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Holding free data blocks while they are discarded on the data device.
 */
#ifndef THINX_TRIM_H
#define THINX_TRIM_H

#include "metadata/metadata.h"
#include "persistent-data/btree-ahead.h"

/**
 * thinx_trim_read_ahead() - begin to read what the next step reads
 * @md: metadata
 * @begin: its first data block
 * @missing: updated
 *
 * Context: metadata lock held for reading.
 */
void thinx_trim_read_ahead(struct thinx_md *md, thinx_dblock_t begin,
			   struct pd_ahead *missing);

/**
 * thinx_trim_hold() - a step of thinx_md_hold_free_locked()
 * @md: metadata
 * @f: what to do, and the result
 *
 * Context: metadata lock held for writing.
 * Return: 0; -ENOMEM, metadata errors, and then nothing is held.
 */
int __must_check thinx_trim_hold(struct thinx_md *md, struct thinx_md_free *f);

#endif /* THINX_TRIM_H */
