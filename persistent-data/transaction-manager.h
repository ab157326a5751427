/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The only way to get a writable metadata block.
 *
 * A transaction has three states:
 *
 *   open ──pd_tm_close()──► closing ──pd_tm_complete()──► completed
 *     ▲                        │
 *     └── the next one opens ◄─┘  at once, while the closed one is flushed
 *
 * I1  A block reachable from the completed or the closing transaction is never
 *     changed: pd_tm_shadow() copies it into a block of the open transaction.
 *     Only blocks allocated in the open transaction, with a count of one,
 *     are changed in place.
 * I2  A block freed in the open or the closing transaction is not handed out
 *     before the transaction that freed it has completed.
 * I3  One closing transaction at a time: pd_tm_complete() or an abort comes
 *     before the next pd_tm_close().
 *
 * Context of all functions unless said otherwise: may sleep; metadata lock
 * held, for writing where anything changes.
 */
#ifndef PD_TRANSACTION_MANAGER_H
#define PD_TRANSACTION_MANAGER_H

#include "pd-types.h"

struct pd_bm;
struct pd_block;
struct pd_sm;
struct pd_tm;
struct pd_validator;

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

/** pd_tm_bm() - the block manager below */
struct pd_bm *pd_tm_bm(struct pd_tm *tm);

/** pd_tm_sm() - the metadata space map */
struct pd_sm *pd_tm_sm(struct pd_tm *tm);

/**
 * pd_tm_new_block() - allocate a zeroed block in the open transaction
 * @tm: transaction manager
 * @v: its type
 * @blk: the held block, marked dirty
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EPERM, and what reading a bitmap gives.
 */
int __must_check pd_tm_new_block(struct pd_tm *tm, const struct pd_validator *v,
				 struct pd_block *blk);

/**
 * pd_tm_shadow() - hold a block for changing
 * @tm: transaction manager
 * @orig: the block to change
 * @v: its type
 * @blk: the held block, marked dirty; its number differs from @orig if a copy
 *	was made, and then one reference of @orig was given up
 * @inc_children: set if @orig lives on beside the copy, so that everything it
 *	refers to gained a reference the caller must count
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EILSEQ, -ENOTBLK, -EINVAL, -EPERM.
 */
int __must_check pd_tm_shadow(struct pd_tm *tm, pd_block_t orig,
			      const struct pd_validator *v,
			      struct pd_block *blk, bool *inc_children);

/** pd_tm_read() - hold a block for reading; see pd_bm_read() */
int __must_check pd_tm_read(struct pd_tm *tm, pd_block_t b,
			    const struct pd_validator *v, struct pd_block *blk);

/** pd_tm_release() - give a held block back */
void pd_tm_release(struct pd_tm *tm, struct pd_block *blk);

/** pd_tm_prefetch() - start reading a block, best effort */
void pd_tm_prefetch(struct pd_tm *tm, pd_block_t b);

/** pd_tm_inc() - one more reference to metadata block @b */
int __must_check pd_tm_inc(struct pd_tm *tm, pd_block_t b);

/** pd_tm_dec() - one reference to metadata block @b fewer */
int __must_check pd_tm_dec(struct pd_tm *tm, pd_block_t b);

/** pd_tm_get_count() - working reference count of metadata block @b */
int __must_check pd_tm_get_count(struct pd_tm *tm, pd_block_t b, u32 *count);

/**
 * pd_tm_is_new() - was the block allocated in the open transaction?
 * @tm: transaction manager
 * @b: metadata block
 */
bool pd_tm_is_new(struct pd_tm *tm, pd_block_t b);

/**
 * pd_tm_close() - close the open transaction
 * @tm: transaction manager
 * @sm_root: 32 bytes, gets the metadata space map root for the superblock
 *
 * All other space maps were closed before (pd_sm_close()).  Afterwards the
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

#endif /* PD_TRANSACTION_MANAGER_H */
