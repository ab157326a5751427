/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What a block store must supply to the block manager: a write-back cache of
 * 4 KiB blocks plus one atomic, durable write for the superblock.
 *
 *   block manager ── struct pd_block_io_ops ──┬─ block-io-bufio.c  (kernel)
 *                                             ├─ a plain file      (tests)
 *                                             └─ RAM that crashes  (tests)
 *
 * I1  A buffer handed out stays at its address until it is released.
 * I2  A dirty buffer may be written at any time; before each write of a buffer
 *     the store calls pd_block_io_prepare(), which seals the block (number and
 *     checksum).
 * I3  Block 0 is never read or written through buffers, only through
 *     read_super and write_super.
 * I4  One thread (the holder of the metadata write lock) may hold up to
 *     PD_MAX_HELD_BUFFERS buffers; any other thread at most one.
 */
#ifndef PD_BLOCK_IO_H
#define PD_BLOCK_IO_H

#include "include/thinx-log.h"
#include "pd-types.h"

#define PD_MAX_HELD_BUFFERS 32

struct pd_block_io;
struct pd_bm;
struct pd_validator;

/**
 * struct pd_buffer_aux - what the block manager remembers about a buffer
 * @bm: the block manager it belongs to
 * @validator: the validator this content passed or will be sealed with; NULL
 *	right after the content was read from the store
 *
 * The store keeps one per buffer and zeroes it whenever it (re)uses the
 * buffer for another block or reads the content afresh.
 */
struct pd_buffer_aux {
	struct pd_bm *bm;
	const struct pd_validator *validator;
};

/**
 * struct pd_block_io_ops - operations of a block store
 * @nr_blocks: current size of the device in 4 KiB blocks
 * @read: get a buffer with the content of block @b, from cache or device.
 *	May sleep.  0, -EIO, -ENOMEM
 * @read_cached: the same, but only from the cache: -EAGAIN if the block is not
 *	there or is still being read
 * @get_new: get a buffer for block @b without reading; content undefined.
 *	May sleep.  0, -EIO, -ENOMEM
 * @release: give a buffer back
 * @mark_dirty: note that the buffer must reach the device as it is now; the
 *	caller holds it.  Call it after the last change: an earlier mark may have
 *	been spent on an early write
 * @read_ahead: start reading a block, best effort, no result
 * @wait: wait until a block has been read, after starting that if nobody has;
 *	nothing is held on return.  May sleep.  0, -EIO, -ENOMEM
 * @write_dirty: write all dirty buffers, wait, then flush the device; on
 *	return all buffers dirtied before the call are durable.  May run
 *	concurrently with readers and writers.  0, -EIO
 * @wants_stable_writes: does the device now checksum the data it is given, so that
 *	buffers should not change while @write_dirty is running?  NULL: no
 * @read_super: read block 0 into 4096 bytes at @data, bypassing all caches
 * @write_super: write block 0 from 4096 bytes at @data with FUA; atomic per
 *	512-byte sector, durable on return
 * @drop: forget every buffer, clean or dirty; none is held.  Dirty ones
 *	may or may not still be written.  0, -ENOMEM, -EIO
 * @destroy: free the store; no buffer is held.  Dirty ones may be written
 */
struct pd_block_io_ops {
	pd_block_t (*nr_blocks)(struct pd_block_io *io);
	int (*read)(struct pd_block_io *io, pd_block_t b, void **handle,
		    void **data, struct pd_buffer_aux **aux);
	int (*read_cached)(struct pd_block_io *io, pd_block_t b, void **handle,
			   void **data, struct pd_buffer_aux **aux);
	int (*get_new)(struct pd_block_io *io, pd_block_t b, void **handle,
		       void **data, struct pd_buffer_aux **aux);
	void (*release)(struct pd_block_io *io, void *handle);
	void (*mark_dirty)(struct pd_block_io *io, void *handle);
	void (*read_ahead)(struct pd_block_io *io, pd_block_t b);
	int (*wait)(struct pd_block_io *io, pd_block_t b);
	int (*write_dirty)(struct pd_block_io *io);
	bool (*wants_stable_writes)(struct pd_block_io *io);
	int (*read_super)(struct pd_block_io *io, void *data);
	int (*write_super)(struct pd_block_io *io, const void *data);
	int (*drop)(struct pd_block_io *io);
	void (*destroy)(struct pd_block_io *io);
};

/**
 * struct pd_block_io - embedded by each block store
 * @ops: the operations
 * @name: device name for log lines; lives as long as the store
 */
struct pd_block_io {
	const struct pd_block_io_ops *ops;
	const char *name;
};

struct block_device;

/**
 * pd_block_io_bufio_create() - a block store on a block device (dm-bufio)
 * @bdev: the metadata device; must outlive the store
 * @result: the new store
 *
 * Kernel only.
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, or any error of dm-bufio.
 */
int __must_check pd_block_io_bufio_create(struct block_device *bdev,
					  struct pd_block_io **result);

/* Messages prefixed with the name of the store's device. */
#define io_err(io, fmt, ...) \
	DMERR("%s: " fmt, (io)->name, ##__VA_ARGS__)
#define io_err_limit(io, fmt, ...) \
	DMERR_LIMIT("%s: " fmt, (io)->name, ##__VA_ARGS__)

#endif /* PD_BLOCK_IO_H */
