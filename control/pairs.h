/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages about several devices at once, two by two.
 */
#ifndef THINX_PAIRS_H
#define THINX_PAIRS_H

#include "control/pool-types.h"

/**
 * thinx_pairs_parse_id() - a device id of a message
 * @pool: pool
 * @word: the word
 * @id: result
 *
 * Return: 0, -EINVAL (logged).
 */
int __must_check thinx_pairs_parse_id(struct thinx_pool *pool, const char *word,
				      u32 *id);

/**
 * thinx_pairs_create_snaps() - create_snaps ID ORIGIN [ID ORIGIN]...
 * @pool: pool
 * @argc: number of words, the name included
 * @argv: words
 *
 * Context: May sleep; no locks held.
 * Return: 0: not committed yet; -EINVAL, -ENOMEM, what thinx_md_create_snaps()
 * returns.
 */
int __must_check thinx_pairs_create_snaps(struct thinx_pool *pool,
					  unsigned int argc, char **argv);

/**
 * thinx_pairs_swap() - swap A B [A B]...
 * @pool: pool
 * @argc: number of words, the name included
 * @argv: words
 *
 * Context: May sleep; no locks held.
 * Return: 0: committed; -EINVAL, -ENOMEM, -EBUSY, what thinx_md_swap() and
 * thinx_commit_now() return.
 */
int __must_check thinx_pairs_swap(struct thinx_pool *pool, unsigned int argc,
				  char **argv);

#endif /* THINX_PAIRS_H */
