/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Block stores for tests.
 *
 *   file_store  a plain file: images of thin_restore, thin_check afterwards
 *   ram_store   memory that behaves like a device with a volatile cache, can
 *               be made to fail, and remembers the order of writes
 *
 *   buffers (cache) ──write, any time──► device ──copy──► struct ram_image
 *                        └──recorded──► events: writes, flushes, superblocks
 *
 * A crash test records events, builds the image a crash at some point could
 * leave (ram_image_write() of a chosen subset) and opens a new ram_store on it.
 *
 * Both stores: any thread; they check that buffers are not held at the end and
 * abort on misuse.
 */
#ifndef TEST_STORES_H
#define TEST_STORES_H

#include "persistent-data/block-io.h"

#include <stdio.h>

/* ---- images: sparse arrays of 4 KiB blocks ---- */

/**
 * struct ram_image - contents of a device
 * @nr_blocks: size, 4 KiB blocks
 * @blocks: NULL where never written: zeros
 */
struct ram_image {
	pd_block_t nr_blocks;
	unsigned char **blocks;
};

/** ram_image_create() - @nr_blocks blocks of zeros */
struct ram_image *ram_image_create(pd_block_t nr_blocks);

/** ram_image_copy() - an independent copy */
struct ram_image *ram_image_copy(const struct ram_image *img);

/** ram_image_destroy() - free an image; NULL is fine */
void ram_image_destroy(struct ram_image *img);

/** ram_image_write() - replace one block */
void ram_image_write(struct ram_image *img, pd_block_t b, const void *data);

/** ram_image_read() - 4096 bytes of one block, valid until it is written */
const void *ram_image_read(const struct ram_image *img, pd_block_t b);

/** ram_image_save() - make a (sparse) file of it; 0 or -errno */
int ram_image_save(const struct ram_image *img, const char *path);

/** ram_image_load() - read a file; NULL if that fails */
struct ram_image *ram_image_load(const char *path);

/* ---- the RAM store ---- */

/**
 * ram_store_create() - an empty device
 * @nr_blocks: its size
 *
 * Return: the store, for pd_bm_create().  Out of memory aborts.
 */
struct pd_block_io *ram_store_create(pd_block_t nr_blocks);

/** ram_store_open() - a device with a copy of @img's contents */
struct pd_block_io *ram_store_open(const struct ram_image *img);

/** ram_store_image() - copy of what is on the device; caches do not count */
struct ram_image *ram_store_image(struct pd_block_io *io);

/** ram_store_peek() - copy one block from the device; caches do not count */
void ram_store_peek(struct pd_block_io *io, pd_block_t b, void *data);

/** ram_store_poke() - change one block on the device, past all caches */
void ram_store_poke(struct pd_block_io *io, pd_block_t b, const void *data);

/** ram_store_grow() - make the device larger */
void ram_store_grow(struct pd_block_io *io, pd_block_t nr_blocks);

/** ram_store_evict() - forget clean buffers that are not held */
void ram_store_evict(struct pd_block_io *io);

/**
 * ram_store_shake() - write dirty buffers early and evict clean ones at random
 * @io: store
 * @seed: of the random numbers
 * @one_in: on each operation one buffer is hit with probability 1/@one_in;
 *	0 stops it
 */
void ram_store_shake(struct pd_block_io *io, unsigned int seed,
		     unsigned int one_in);

enum ram_op {
	RAM_OP_READ,	/* of a block from the device */
	RAM_OP_WRITE,	/* of a block to the device, superblock included */
	RAM_OP_FLUSH,
	RAM_NR_OPS,
};

/**
 * ram_store_fail() - make operations on the device fail with -EIO
 * @io: store
 * @op: which kind
 * @n: the n-th from now (0: the next one); negative: none
 * @and_later: and all after it
 */
void ram_store_fail(struct pd_block_io *io, enum ram_op op, long n,
		    bool and_later);

/** ram_store_nr_ops() - operations of a kind so far, failed ones included */
unsigned long ram_store_nr_ops(struct pd_block_io *io, enum ram_op op);

/** ram_store_max_held() - most buffers ever held at the same time */
unsigned int ram_store_max_held(struct pd_block_io *io);

enum ram_event_kind {
	RAM_WRITE,	/* reached the device's volatile cache */
	RAM_FLUSH,	/* everything before is durable */
	RAM_SUPER,	/* block 0 with FUA: durable itself, nothing else is */
};

/**
 * struct ram_event - something done to the device
 * @kind: what
 * @block: written block
 * @data: its 4096 bytes; NULL for a flush
 */
struct ram_event {
	enum ram_event_kind kind;
	pd_block_t block;
	const unsigned char *data;
};

/** ram_store_record() - start (forgetting earlier events) or stop recording */
void ram_store_record(struct pd_block_io *io, bool on);

/** ram_store_nr_events() - events recorded so far */
size_t ram_store_nr_events(struct pd_block_io *io);

/** ram_store_event() - event number @i, valid until recording starts again */
const struct ram_event *ram_store_event(struct pd_block_io *io, size_t i);

/* ---- the file store ---- */

/**
 * file_store_open() - a store on an existing file
 * @path: a file whose size is a multiple of 4096
 * @result: the store
 *
 * Return: 0 or -errno.
 */
int __must_check file_store_open(const char *path, struct pd_block_io **result);

#endif /* TEST_STORES_H */
