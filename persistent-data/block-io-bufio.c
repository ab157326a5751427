// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The block store on a real device: dm-bufio for all blocks but the first,
 * its own bios for block 0.
 *
 *   read, get_new, mark_dirty, release ──► dm-bufio ──┬──► metadata device
 *   read_super, write_super ──► one page, one bio ────┘
 *
 * dm-bufio may write a dirty buffer at any moment, even while it is being
 * changed, and then considers it clean.  So:
 *
 * I1  A buffer is marked dirty after each change, by whoever made it (I3 of
 *     block-manager.c): what changed after an early write is written again.
 *     The early write itself may be torn.  That is harmless: only blocks of the
 *     open transaction are ever changed, and nothing durable refers to them
 *     yet.
 * I2  dm-bufio calls buffer_taken() for each buffer it takes for a block, newly
 *     allocated or reused; that forgets what was known about its content.
 * I3  Block 0 is never in dm-bufio, so no early write can ever touch it.
 * I4  drop empties the same client in place and needs no memory: an abort does
 *     not fail for lack of it.
 *
 * Context: process, never from map().  Buffers: the caller's metadata lock.
 * Block 0's page has a mutex.
 * Crash: write_dirty ends with a flush of the device (dm-bufio's contract), so
 * what block 0 will refer to is durable before block 0 is written.  That write
 * is one bio with FUA; all that ever changes in block 0 lies in its first
 * sector, so block 0 is either the old one or the new one.
 */
#include "block-io.h"

#include "block-manager.h"

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/dm-bufio.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "include/pd-format.h"
#include "include/thinx-log.h"

/*
 * The store.
 * @io: what the block manager sees
 * @bdev: I
 * @client: I
 * @super_lock: protects *@super
 * @super: I; a page for reading and writing block 0
 */
struct bufio_store {
	struct pd_block_io io;
	struct block_device *bdev;
	struct dm_bufio_client *client;
	struct mutex super_lock;
	void *super;
	char name[32];
};

static struct bufio_store *to_store(struct pd_block_io *io)
{
	return container_of(io, struct bufio_store, io);
}

/* ---- what dm-bufio calls ---- */

/* Keeps I2. */
static void buffer_taken(struct dm_buffer *buf)
{
	struct pd_buffer_aux *aux = dm_bufio_get_aux_data(buf);

	aux->validator = NULL;
	aux->bm = NULL;
}

static void buffer_will_be_written(struct dm_buffer *buf)
{
	pd_block_io_prepare(dm_bufio_get_aux_data(buf),
			    dm_bufio_get_block_number(buf),
			    dm_bufio_get_block_data(buf));
}

/* ---- buffers ---- */

static pd_block_t bufio_nr_blocks(struct pd_block_io *io)
{
	return bdev_nr_bytes(to_store(io)->bdev) / PD_BLOCK_SIZE;
}

/* dm-bufio passes on whatever the device reported. */
static int store_error(int r)
{
	return !r || r == -ENOMEM ? r : -EIO;
}

static int hold_buffer(struct bufio_store *s, pd_block_t b, void *content,
		       struct dm_buffer *buf, void **handle, void **data,
		       struct pd_buffer_aux **aux)
{
	if (IS_ERR(content)) {
		io_err_limit(&s->io, "metadata block %llu: cannot be read: error %ld",
			     b, PTR_ERR(content));
		return store_error(PTR_ERR(content));
	}
	*handle = buf;
	*data = content;
	*aux = dm_bufio_get_aux_data(buf);
	return 0;
}

static int bufio_read(struct pd_block_io *io, pd_block_t b, void **handle,
		      void **data, struct pd_buffer_aux **aux)
{
	struct bufio_store *s = to_store(io);
	struct dm_buffer *buf;
	void *content = dm_bufio_read(s->client, b, &buf);

	return hold_buffer(s, b, content, buf, handle, data, aux);
}

static int bufio_read_cached(struct pd_block_io *io, pd_block_t b,
			     void **handle, void **data,
			     struct pd_buffer_aux **aux)
{
	struct bufio_store *s = to_store(io);
	struct dm_buffer *buf;
	void *content = dm_bufio_get(s->client, b, &buf);

	/* Not cached, or being read. */
	if (!content)
		return -EAGAIN;
	return hold_buffer(s, b, content, buf, handle, data, aux);
}

static int bufio_get_new(struct pd_block_io *io, pd_block_t b, void **handle,
			 void **data, struct pd_buffer_aux **aux)
{
	struct bufio_store *s = to_store(io);
	struct dm_buffer *buf;
	void *content = dm_bufio_new(s->client, b, &buf);

	/* A read ahead of what the block held before may have failed. */
	if (IS_ERR(content))
		content = dm_bufio_new(s->client, b, &buf);
	return hold_buffer(s, b, content, buf, handle, data, aux);
}

static void bufio_mark_dirty(struct pd_block_io *io, void *handle)
{
	dm_bufio_mark_buffer_dirty(handle);
}

static void bufio_release(struct pd_block_io *io, void *handle)
{
	dm_bufio_release(handle);
}

static void bufio_read_ahead(struct pd_block_io *io, pd_block_t b)
{
	dm_bufio_prefetch(to_store(io)->client, b, 1);
}

/*
 * The buffer is held past its aux data: no lock is held here, and what the
 * holder of the metadata lock notes about the buffer is not to be disturbed.
 */
static int bufio_wait(struct pd_block_io *io, pd_block_t b)
{
	struct dm_buffer *buf;
	void *content = dm_bufio_read(to_store(io)->client, b, &buf);

	if (IS_ERR(content))
		return store_error(PTR_ERR(content));
	dm_bufio_release(buf);
	return 0;
}

static int bufio_write_dirty(struct pd_block_io *io)
{
	int r = dm_bufio_write_dirty_buffers(to_store(io)->client);

	if (r)
		io_err_limit(io, "metadata blocks: cannot be written: error %d", r);
	return store_error(r);
}

static bool bufio_wants_stable_writes(struct pd_block_io *io)
{
	return bdev_stable_writes(to_store(io)->bdev);
}

static int bufio_drop(struct pd_block_io *io)
{
	dm_bufio_client_reset(to_store(io)->client);
	return 0;
}

/* ---- block 0 ---- */

static int super_io_locked(struct bufio_store *s, blk_opf_t opf)
{
	struct bio_vec vec;
	struct bio bio;
	int r;

	lockdep_assert_held(&s->super_lock);
	bio_init(&bio, s->bdev, &vec, 1, opf);
	bio.bi_iter.bi_sector = 0;
	__bio_add_page(&bio, virt_to_page(s->super), PD_BLOCK_SIZE,
		       offset_in_page(s->super));
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	if (r)
		io_err_limit(&s->io, "superblock: cannot be %s: error %d",
			     op_is_write(opf) ? "written" : "read", r);
	return store_error(r);
}

static int bufio_read_super(struct pd_block_io *io, void *data)
{
	struct bufio_store *s = to_store(io);
	int r;

	mutex_lock(&s->super_lock);
	r = super_io_locked(s, REQ_OP_READ | REQ_META | REQ_SYNC);
	if (!r)
		memcpy(data, s->super, PD_BLOCK_SIZE);
	mutex_unlock(&s->super_lock);
	return r;
}

static int bufio_write_super(struct pd_block_io *io, const void *data)
{
	struct bufio_store *s = to_store(io);
	int r;

	mutex_lock(&s->super_lock);
	memcpy(s->super, data, PD_BLOCK_SIZE);
	r = super_io_locked(s, REQ_OP_WRITE | REQ_FUA | REQ_META | REQ_SYNC);
	mutex_unlock(&s->super_lock);
	return r;
}

/* ---- life ---- */

static void bufio_destroy(struct pd_block_io *io)
{
	struct bufio_store *s = to_store(io);

	dm_bufio_client_destroy(s->client);
	mutex_destroy(&s->super_lock);
	kfree(s->super);
	kfree(s);
}

static const struct pd_block_io_ops bufio_ops = {
	.nr_blocks = bufio_nr_blocks,
	.read = bufio_read,
	.read_cached = bufio_read_cached,
	.get_new = bufio_get_new,
	.release = bufio_release,
	.mark_dirty = bufio_mark_dirty,
	.read_ahead = bufio_read_ahead,
	.wait = bufio_wait,
	.write_dirty = bufio_write_dirty,
	.wants_stable_writes = bufio_wants_stable_writes,
	.read_super = bufio_read_super,
	.write_super = bufio_write_super,
	.drop = bufio_drop,
	.destroy = bufio_destroy,
};

int pd_block_io_bufio_create(struct block_device *bdev,
			     struct pd_block_io **result)
{
	struct bufio_store *s = kzalloc(sizeof(*s), GFP_NOIO);
	int r = -ENOMEM;

	if (!s)
		return r;
	s->super = kmalloc(PD_BLOCK_SIZE, GFP_NOIO);
	if (!s->super)
		goto err_free_store;

	s->bdev = bdev;
	snprintf(s->name, sizeof(s->name), "%pg", bdev);
	s->io.name = s->name;
	s->client = dm_bufio_client_create(bdev, PD_BLOCK_SIZE,
					   PD_MAX_HELD_BUFFERS,
					   sizeof(struct pd_buffer_aux),
					   buffer_taken,
					   buffer_will_be_written, 0);
	if (IS_ERR(s->client)) {
		r = PTR_ERR(s->client);
		io_err(&s->io, "no buffer cache for the metadata: error %d", r);
		goto err_free_super;
	}

	mutex_init(&s->super_lock);
	s->io.ops = &bufio_ops;
	*result = &s->io;
	return 0;

err_free_super:
	kfree(s->super);
err_free_store:
	kfree(s);
	return r;
}
