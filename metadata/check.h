/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Everything verified against everything.
 */
#ifndef THINX_CHECK_H
#define THINX_CHECK_H

#include "metadata/metadata.h"

/**
 * thinx_check() - thinx_md_check()
 * @md: metadata; lock held for writing
 *
 * Return: 0, -EILSEQ inconsistent (logged), -ENOMEM, errors of metadata.
 */
int __must_check thinx_check(struct thinx_md *md);

#endif /* THINX_CHECK_H */
