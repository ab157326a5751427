/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages to a pool that ask and change nothing.
 */
#ifndef THINX_QUERY_MESSAGE_H
#define THINX_QUERY_MESSAGE_H

#include "control/pool-types.h"

/** thinx_is_query() - is a message of this name a query? */
bool thinx_is_query(const char *name);

/**
 * thinx_query() - answer a query
 * @pool: pool, in any mode
 * @argc: number of words
 * @argv: words, the first of which is the name of a query
 * @result: the answer, text
 * @maxlen: bytes there; if they are too few, dm core sees it from the text that
 *	fills them all, and libdevmapper asks again with more
 *
 * Never commits, never changes the mode; asked again it says the same.
 *
 * Context: May sleep.
 * Return: 1: there is an answer; -EINVAL bad words; -ENODATA no such device;
 * -EBUSY it is being deleted; -EOPNOTSUPP in fail mode; -EAGAIN a transaction is
 * about to be aborted, or memory is so short that no block stays cached; -EINTR
 * a signal; -ENOMEM, -EIO, errors of damaged metadata.  Each is logged.
 */
int thinx_query(struct thinx_pool *pool, unsigned int argc, char **argv,
		char *result, unsigned int maxlen);

#endif /* THINX_QUERY_MESSAGE_H */
