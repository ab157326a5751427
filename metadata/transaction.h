/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The open generation, and its way to the device or back.
 */
#ifndef THINX_TRANSACTION_H
#define THINX_TRANSACTION_H

#include "metadata/metadata.h"

/** thinx_transaction_may_look() - 0, or why nothing may be looked up */
int __must_check thinx_transaction_may_look(const struct thinx_md *md);

/** thinx_transaction_may_change() - 0, or why nothing may be changed */
int __must_check thinx_transaction_may_change(const struct thinx_md *md);

/**
 * thinx_transaction_end_change() - a change is over
 * @md: metadata; lock held for writing
 * @r: its result; an error after thinx_md_begin_change() breaks the transaction
 *
 * Return: @r.
 */
int thinx_transaction_end_change(struct thinx_md *md, int r);

/** thinx_transaction_commit() - thinx_md_commit() */
int __must_check thinx_transaction_commit(struct thinx_md *md, bool *wrote);

/** thinx_transaction_probe() - thinx_md_probe() */
int __must_check thinx_transaction_probe(struct thinx_md *md);

/** thinx_transaction_abort() - thinx_md_abort() */
int __must_check thinx_transaction_abort(struct thinx_md *md);

/** thinx_transaction_set_needs_check() - thinx_md_set_needs_check() */
int __must_check thinx_transaction_set_needs_check(struct thinx_md *md);

/** thinx_transaction_fail() - thinx_md_fail() */
static inline void thinx_transaction_fail(struct thinx_md *md)
{
	/* Pairs with thinx_transaction_may_look() and the like. */
	WRITE_ONCE(md->failed, true);
}

#endif /* THINX_TRANSACTION_H */
