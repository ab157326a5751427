/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * From a block store to working state and back: format, load, unload.
 */
#ifndef THINX_OPEN_H
#define THINX_OPEN_H

#include "metadata/metadata.h"

/**
 * thinx_open_format_if_blank() - format a blank device as an empty pool
 * @md: metadata without working state; lock and commit mutex not held
 * @may_format: format if block 0 is all zero; if false, fail with -EPERM then
 * @commit: makes the open transaction durable
 *
 * Leaves no working state: thinx_open_load() is next.
 *
 * Return: 0 done or not blank, -EPERM, -ENOSPC device too small, metadata
 * errors.
 */
int __must_check
thinx_open_format_if_blank(struct thinx_md *md, bool may_format,
			   int (*commit)(struct thinx_md *md));

/**
 * thinx_open_load() - read the superblock, open what it refers to
 * @md: metadata without working state
 *
 * Context: commit mutex held and metadata lock held for writing, or @md not yet
 * visible to others.
 * Return: 0, -ENOTBLK, -EILSEQ, -EINVAL, metadata errors; on error there is no
 * working state.
 */
int __must_check thinx_open_load(struct thinx_md *md);

/** thinx_open_unload() - drop the working state; context as for load */
void thinx_open_unload(struct thinx_md *md);

#endif /* THINX_OPEN_H */
