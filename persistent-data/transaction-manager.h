/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The only way to get a writable metadata block.
 *
 * I1  A block reachable from the completed or the closing transaction is never
 *     changed: pd_tm_shadow() copies it into a block of the open transaction.
 *     Only blocks allocated in the open transaction, with a count of one,
 *     are changed in place.
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
struct pd_validator;

/**
 * struct pd_tm - the transaction manager: what is needed to change blocks
 * @bm: block manager below
 * @sm: the metadata space map
 */
struct pd_tm {
	struct pd_bm *bm;
	struct pd_sm *sm;
};

/**
 * pd_tm_new_block() - allocate a zeroed block in the open transaction
 * @tm: transaction manager
 * @v: its type
 * @blk: the held block, marked dirty
 *
 * After an error a block may stay allocated: the transaction must be aborted.
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EPERM, or any error of reading a bitmap.
 */
int __must_check pd_tm_new_block(struct pd_tm *tm, const struct pd_validator *v,
				 struct pd_block *blk);

/**
 * pd_tm_shadow() - hold a block to change it
 * @tm: transaction manager
 * @orig: the block to change
 * @v: its type
 * @blk: the held block, marked dirty; its number differs from @orig if a copy
 *	was made, and then one reference to @orig was given up
 * @inc_children: set if @orig lives on alongside the copy, so that everything
 *	it refers to gained a reference the caller must count
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EILSEQ, -ENOTBLK, -EINVAL, -EPERM.
 */
int __must_check pd_tm_shadow(struct pd_tm *tm, pd_block_t orig,
			      const struct pd_validator *v,
			      struct pd_block *blk, bool *inc_children);

/** pd_tm_inc() - add a reference to metadata block @b */
int __must_check pd_tm_inc(struct pd_tm *tm, pd_block_t b);

/** pd_tm_dec() - drop a reference to metadata block @b */
int __must_check pd_tm_dec(struct pd_tm *tm, pd_block_t b);

/** pd_tm_is_shared() - is the count of metadata block @b two or more? */
int __must_check pd_tm_is_shared(struct pd_tm *tm, pd_block_t b, bool *shared);

/** pd_tm_get_count() - working reference count of metadata block @b */
int __must_check pd_tm_get_count(struct pd_tm *tm, pd_block_t b, u32 *count);

#endif /* PD_TRANSACTION_MANAGER_H */
