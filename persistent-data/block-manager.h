/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Hands out metadata blocks, checked on the way in and sealed on the way out.
 *
 * The block manager has no locks of its own: the caller's one metadata lock
 * (many readers or one writer) protects all blocks.  Functions that may run
 * without it say so.
 */
#ifndef PD_BLOCK_MANAGER_H
#define PD_BLOCK_MANAGER_H

#include "include/thinx-log.h"
#include "pd-types.h"

struct pd_bm;
struct pd_block_io;

/**
 * struct pd_validator - one block type
 * @name: for log lines, e.g. "btree node"
 * @csum_xor: salt of the checksum (docs/format.md section 2)
 * @check: further checks of the content, once block number and checksum have
 *	passed; may be NULL.  Returns 0, or -EILSEQ and logs why through @bm
 */
struct pd_validator {
	const char *name;
	u32 csum_xor;
	int (*check)(struct pd_bm *bm, pd_block_t b, const void *data);
};

/**
 * struct pd_block - a held block
 * @nr: block number
 * @data: its 4096 bytes
 * @handle: the block store's buffer
 * @dirty: held to be changed; marked dirty on release, because the store may
 *	write (and thereby clean) a dirty buffer while it is held
 */
struct pd_block {
	pd_block_t nr;
	void *data;
	void *handle;
	bool dirty;
};

/**
 * pd_bm_create() - make a block manager
 * @io: the block store; owned by the block manager from now on, even if
 *	this fails
 * @result: the new block manager
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check pd_bm_create(struct pd_block_io *io, struct pd_bm **result);

/**
 * pd_bm_destroy() - free the block manager and its block store
 * @bm: block manager; no block is held
 *
 * Context: May sleep.
 */
void pd_bm_destroy(struct pd_bm *bm);

/** pd_bm_name() - device name for log lines */
const char *pd_bm_name(const struct pd_bm *bm);

/**
 * pd_bm_nr_blocks() - current size of the device
 * @bm: block manager
 *
 * Return: 4 KiB blocks.
 */
pd_block_t pd_bm_nr_blocks(const struct pd_bm *bm);

/**
 * pd_bm_read() - hold a block for reading
 * @bm: block manager
 * @b: block number, 1 .. device size - 1
 * @v: the type it must have
 * @blk: the held block
 *
 * Context: May sleep.  Metadata lock held for reading or writing.
 * Return: 0; -EIO, -ENOMEM from the store; -ENOTBLK wrong block number;
 * -EILSEQ wrong checksum, wrong type or refused by the validator; -EINVAL @b is
 * 0 or beyond the device; -EIO also if the device does not hold what was
 * written, see I4 in block-manager.c.
 */
int __must_check pd_bm_read(struct pd_bm *bm, pd_block_t b,
			    const struct pd_validator *v, struct pd_block *blk);

/**
 * pd_bm_read_cached() - pd_bm_read() without reading from the device
 * @bm: block manager
 * @b: block number
 * @v: the type it must have
 * @blk: the held block
 *
 * Context: May sleep, but waits for no I/O.  Metadata lock held.
 * Return: as pd_bm_read(); -EAGAIN: the block is not cached.
 */
int __must_check pd_bm_read_cached(struct pd_bm *bm, pd_block_t b,
				   const struct pd_validator *v,
				   struct pd_block *blk);

/**
 * pd_bm_write() - hold a block to change it in place
 * @bm: block manager
 * @b: block number
 * @v: the type it must have
 * @blk: the held block; dirty as soon as it is released
 *
 * Only for blocks allocated in the open transaction: all users but the
 * transaction manager shadow instead.
 *
 * Context: May sleep.  Metadata lock held for writing.
 * Return: as pd_bm_read(); -EPERM read-only.
 */
int __must_check pd_bm_write(struct pd_bm *bm, pd_block_t b,
			     const struct pd_validator *v,
			     struct pd_block *blk);

/**
 * pd_bm_write_zero() - hold a fresh block: 4096 zero bytes
 * @bm: block manager
 * @b: block number
 * @v: the type it will have
 * @blk: the held block; dirty as soon as it is released
 *
 * Context: May sleep.  Metadata lock held for writing.
 * Return: 0, -EIO, -ENOMEM, -EINVAL @b is 0 or beyond the device, -EPERM
 * read-only.
 */
int __must_check pd_bm_write_zero(struct pd_bm *bm, pd_block_t b,
				  const struct pd_validator *v,
				  struct pd_block *blk);

/**
 * pd_bm_release() - give back a held block
 * @bm: block manager
 * @blk: the block
 */
void pd_bm_release(struct pd_bm *bm, struct pd_block *blk);

/**
 * pd_bm_prefetch() - start reading a block, best effort
 * @bm: block manager
 * @b: block number; an invalid one is ignored
 */
void pd_bm_prefetch(struct pd_bm *bm, pd_block_t b);

/**
 * pd_bm_wait() - wait until a block is cached
 * @bm: block manager
 * @b: block number; it may be out of date, so the content is not looked at
 *
 * Context: May sleep.  Needs no metadata lock, and should be called without it,
 * so that nobody else waits for the device.
 * Return: 0: it was cached; -EIO, -ENOMEM from the store; -EINVAL @b is 0 or
 * beyond the device; -ENODEV after pd_bm_detach().
 */
int __must_check pd_bm_wait(struct pd_bm *bm, pd_block_t b);

/**
 * pd_bm_close() - a transaction closes
 * @bm: block manager
 *
 * Blocks made from now on belong to the next transaction.
 *
 * Context: Metadata lock held for writing; the previous one is complete.
 */
void pd_bm_close(struct pd_bm *bm);

/**
 * pd_bm_nr_closed() - blocks made in the transaction closed last
 * @bm: block manager
 *
 * Context: Metadata lock held.
 */
u64 pd_bm_nr_closed(const struct pd_bm *bm);

/**
 * pd_bm_complete() - the closed transaction is durable
 * @bm: block manager
 *
 * Context: Metadata lock held for writing.
 */
void pd_bm_complete(struct pd_bm *bm);

/**
 * pd_bm_flush() - write all dirty blocks and flush the device
 * @bm: block manager
 *
 * Needs no metadata lock: other threads may keep reading and changing blocks.
 *
 * Context: May sleep.
 * Return: 0, -EIO, -EPERM read-only.
 */
int __must_check pd_bm_flush(struct pd_bm *bm);

/**
 * pd_bm_read_super() - read block 0
 * @bm: block manager
 * @v: validator, or NULL to take the bytes as they are
 * @data: 4096 bytes
 *
 * Context: May sleep.
 * Return: as pd_bm_read().
 */
int __must_check pd_bm_read_super(struct pd_bm *bm,
				  const struct pd_validator *v, void *data);

/**
 * pd_bm_write_super() - seal block 0 and write it with FUA
 * @bm: block manager
 * @v: validator
 * @data: 4096 bytes; block number and checksum are filled in
 *
 * Needs no metadata lock.
 *
 * Context: May sleep.
 * Return: 0, -EIO, -EPERM read-only.
 */
int __must_check pd_bm_write_super(struct pd_bm *bm,
				   const struct pd_validator *v, void *data);

/**
 * pd_bm_drop() - forget every cached block, written or not
 * @bm: block manager; no block is held
 *
 * Context: May sleep.  Metadata lock held for writing.
 * Return: 0; -ENOMEM, -EIO, and then the block manager is unusable.
 */
int __must_check pd_bm_drop(struct pd_bm *bm);

/**
 * pd_bm_detach() - pd_bm_drop() for good: the device is about to go away
 * @bm: block manager; no block is held, and nobody will ask for one again
 *
 * Code in pd_bm_wait() is waited for.
 *
 * Context: May sleep.  Metadata lock held for writing.
 * Return: as pd_bm_drop().
 */
int __must_check pd_bm_detach(struct pd_bm *bm);

/** pd_bm_wants_stable_writes() - see struct pd_block_io_ops */
bool pd_bm_wants_stable_writes(const struct pd_bm *bm);

/** pd_bm_set_read_only() - refuse writes with -EPERM from now on */
void pd_bm_set_read_only(struct pd_bm *bm);

/** pd_bm_set_read_write() - allow writes again */
void pd_bm_set_read_write(struct pd_bm *bm);

/** pd_bm_is_read_only() - are writes refused? */
bool pd_bm_is_read_only(const struct pd_bm *bm);

/**
 * pd_csum() - checksum of a metadata block
 * @data: 4096 bytes; the first four are not covered
 * @csum_xor: salt of the block type
 *
 * Return: the value that belongs at offset 0.
 */
u32 pd_csum(const void *data, u32 csum_xor);

struct pd_buffer_aux;

/**
 * pd_block_io_prepare() - seal a block right before it is written
 * @aux: the buffer's aux data; if its validator is NULL, nothing is done
 * @b: block number
 * @data: the 4096 bytes
 *
 * Fills in block number and checksum, and remembers the checksum until the
 * block's transaction is durable.
 *
 * Context: Any; called by the block store, also from its own threads.
 */
void pd_block_io_prepare(const struct pd_buffer_aux *aux, pd_block_t b,
			 void *data);

/* Messages prefixed with the name of the device. */
#define bm_err(bm, fmt, ...) \
	DMERR("%s: " fmt, pd_bm_name(bm), ##__VA_ARGS__)
#define bm_err_limit(bm, fmt, ...) \
	DMERR_LIMIT("%s: " fmt, pd_bm_name(bm), ##__VA_ARGS__)

#endif /* PD_BLOCK_MANAGER_H */
