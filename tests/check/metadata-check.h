/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Verify everything against everything.
 */
#ifndef THINX_METADATA_CHECK_H
#define THINX_METADATA_CHECK_H

#include "dm-thinx-metadata.h"

/**
 * thinx_md_check() - verify trees, counts and details against each other
 * @md: metadata; sleeps long, holds the lock
 *
 * Return: 0, -EILSEQ inconsistent (logged), common errors.
 */
int __must_check thinx_md_check(struct thinx_md *md);

#endif /* THINX_METADATA_CHECK_H */
