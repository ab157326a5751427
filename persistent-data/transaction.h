/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where transactions begin and end.
 *
 * A transaction has three states:
 *
 *   open ──pd_tm_close()──► closing ──pd_tm_complete()──► completed
 *     ▲                        │
 *     └── the next one opens ◄─┘  at once, while the closed one is flushed
 *
 * I1  A block freed in the open or the closing transaction is not handed out
 *     before the transaction that freed it has completed.
 * I2  One closing transaction at a time: pd_tm_complete() or an abort comes
 *     before the next pd_tm_close().
 *
 * Context of all functions unless said otherwise: may sleep; metadata lock
 * held, for writing where anything changes.
 */
#ifndef PD_TRANSACTION_H
#define PD_TRANSACTION_H

#include "transaction-manager.h"

/**
 * pd_tm_create() - format: transaction manager and an empty metadata space map
 * @bm: block manager; not owned
 * @tm: the new transaction manager
 * @sm: its metadata space map, owned by @tm.  The blocks of the map itself and
 *	block 0 are counted; everything else is free
 *
 * Blocks are laid out as docs/format.md section 10.3 says: index block 1,
 * overflow root 2, bitmaps from 3.
 *
 * Return: 0, -ENOMEM, -EIO, -ENOSPC device too small.
 */
int __must_check pd_tm_create(struct pd_bm *bm, struct pd_tm **tm,
			      struct pd_sm **sm);

/**
 * pd_tm_open() - transaction manager over a committed metadata space map
 * @bm: block manager; not owned
 * @sm_root: 32 bytes of the superblock's metadata space map root
 * @tm: the new transaction manager
 * @sm: its metadata space map, owned by @tm
 *
 * Return: 0, -ENOMEM, -EIO, -EILSEQ, -ENOTBLK, -EINVAL damaged root.
 */
int __must_check pd_tm_open(struct pd_bm *bm, const void *sm_root,
			    struct pd_tm **tm, struct pd_sm **sm);

/** pd_tm_destroy() - free transaction manager and metadata space map */
void pd_tm_destroy(struct pd_tm *tm);

/** pd_tm_sm() - the metadata space map */
static inline struct pd_sm *pd_tm_sm(struct pd_tm *tm)
{
	return tm->sm;
}

/**
 * pd_tm_close() - close the open transaction
 * @tm: transaction manager
 * @sm_root: 32 bytes, gets the metadata space map root for the superblock
 *
 * All other space maps are closed first (pd_sm_close()).  Afterwards the
 * closed transaction's blocks are immutable and complete in the block
 * manager; pd_bm_flush() and then the superblock make it durable.
 *
 * Return: 0, or any error of shadowing: the transaction must be aborted.
 */
int __must_check pd_tm_close(struct pd_tm *tm, void *sm_root);

/**
 * pd_tm_complete() - the superblock of the closed transaction is durable
 * @tm: transaction manager
 *
 * Blocks freed by the closed transaction may be handed out from now on.
 */
void pd_tm_complete(struct pd_tm *tm);

#endif /* PD_TRANSACTION_H */
