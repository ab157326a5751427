// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Hands out metadata blocks: checks them once, when their content comes from
 * the device, and seals them each time before they are written to it.
 *
 *   pd_bm_read() ──► buffer ──► validator set? ── yes ──► caller
 *                                     │ no: check number, checksum,
 *                                     └─────type; set it ──► caller
 *   pd_bm_write_zero() ──► buffer of zeros, validator set
 *   store writes a buffer ──► pd_block_io_prepare(): number, checksum
 *
 * I1  aux.validator != NULL means: the content passed this validator, or was
 *     made here under it.  Bad content is never remembered as good.
 * I2  Number and checksum inside a cached block are stale until it is written;
 *     nothing looks at them.
 * I3  A block held for changing is marked dirty when it is given back, not
 *     before: a concurrent flush may write a buffer we hold and thereby clean
 *     it, and a change made after that must not be lost.
 * I4  A store may write a block early, fail to, and evict the block: what it
 *     reads back is older content with the same number and a correct checksum.
 *     The failure is reported by the flush, which may come much later.  So the
 *     checksums of blocks made since the last complete transaction are
 *     remembered, and content that was not the last to be sealed is refused.
 *
 * Context: the metadata lock protects all blocks; several readers may validate
 * the same buffer at once, with the same result.  Waiting for a block needs no
 * metadata lock, so it has one of its own, which keeps the cache from being
 * dropped meanwhile.
 * Crash: the order of writes is up to the caller (pd_bm_flush() before
 * pd_bm_write_super()); a block torn by a crash fails its checksum.
 */
#include "block-manager.h"

#include "block-io.h"
#include "include/pd-format.h"
#include "include/thinx-memory.h"

#include <linux/atomic.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include <asm/byteorder.h>

/**
 * struct pd_bm - the block manager
 * @io: the block store; set at creation
 * @read_only: refuse writes; read and written without a lock
 * @open: which of @made belongs to the open transaction; the other one belongs
 *	to the closed one; written under the metadata lock
 * @made: their blocks; by number, UNSEALED or seal_entry(); see I4
 * @nr_made: their numbers; written under the metadata lock
 * @detached: L:waiting; the device is not to be touched any more
 * @waiting: held for reading by pd_bm_wait(), for writing while the cache is
 *	dropped; inside the metadata lock
 */
struct pd_bm {
	struct pd_block_io *io;
	bool read_only;
	unsigned int open;
	struct xarray made[2];
	u64 nr_made[2];
	bool detached;
	struct rw_semaphore waiting;
};

/* ---- checksums ---- */

u32 pd_csum(const void *data, u32 csum_xor)
{
	const u8 *bytes = data;

	return crc32c(~0U, bytes + sizeof(__le32),
		      PD_BLOCK_SIZE - sizeof(__le32)) ^ csum_xor;
}

static void seal_block(const struct pd_validator *v, pd_block_t b, void *data)
{
	struct pd_disk_header *h = data;

	h->blocknr = cpu_to_le64(b);
	h->csum = cpu_to_le32(pd_csum(data, v->csum_xor));
}

/* ---- what no flush has confirmed (I4) ---- */

#define UNSEALED xa_mk_value(0)

static_assert(sizeof(long) > sizeof(u32));	/* for a checksum in an entry */

static void *seal_entry(const void *data)
{
	const struct pd_disk_header *h = data;

	return xa_mk_value((unsigned long)le32_to_cpu(h->csum) << 1 | 1);
}

static int note_made(struct pd_bm *bm, pd_block_t b)
{
	struct xarray *made = &bm->made[bm->open];
	bool is_new = !xa_load(made, b);
	int r = thinx_xa_store(made, b, UNSEALED);

	if (!r)
		bm->nr_made[bm->open] += is_new;
	return r;
}

/* The entry exists, so this needs no memory. */
static void note_sealed(struct xarray *made, pd_block_t b, const void *data)
{
	void *old = xa_load(made, b);

	if (old)
		xa_cmpxchg(made, b, old, seal_entry(data), GFP_NOWAIT);
}

void pd_block_io_prepare(const struct pd_buffer_aux *aux, pd_block_t b,
			 void *data)
{
	/* Pairs with set_type(). */
	const struct pd_validator *v = smp_load_acquire(&aux->validator);

	if (!v)
		return;
	seal_block(v, b, data);
	note_sealed(&aux->bm->made[0], b, data);
	note_sealed(&aux->bm->made[1], b, data);
}

/* Is this what was written last? */
static int check_seal(struct pd_bm *bm, pd_block_t b,
		      const struct pd_validator *v, const void *data)
{
	void *entry = xa_load(&bm->made[0], b);

	if (!entry)
		entry = xa_load(&bm->made[1], b);
	if (likely(!entry) || entry == seal_entry(data))
		return 0;

	bm_err_limit(bm, "%s %llu: a write was lost: the device still has the old content",
		     v->name, b);
	return -EIO;
}

void pd_bm_close(struct pd_bm *bm)
{
	bm->open = !bm->open;
	bm->nr_made[bm->open] = 0;
}

u64 pd_bm_nr_closed(const struct pd_bm *bm)
{
	return bm->nr_made[!bm->open];
}

/* One by one: xa_destroy() would free them all with interrupts off. */
static void forget_made(struct xarray *made)
{
	unsigned long b;
	void *entry;

	xa_for_each(made, b, entry) {
		xa_erase(made, b);
		cond_resched();
	}
}

void pd_bm_complete(struct pd_bm *bm)
{
	forget_made(&bm->made[!bm->open]);
}

static void forget_all_made(struct pd_bm *bm)
{
	forget_made(&bm->made[0]);
	forget_made(&bm->made[1]);
}

static int validate(struct pd_bm *bm, const struct pd_validator *v,
		    pd_block_t b, const void *data)
{
	const struct pd_disk_header *h = data;
	u64 nr = le64_to_cpu(h->blocknr);
	u32 csum;

	if (nr != b) {
		bm_err_limit(bm, "%s %llu: wrong block number %llu", v->name, b,
			     nr);
		return -ENOTBLK;
	}

	csum = pd_csum(data, v->csum_xor);
	if (le32_to_cpu(h->csum) != csum) {
		bm_err_limit(bm, "%s %llu: wrong checksum: wanted %x, got %x",
			     v->name, b, csum, le32_to_cpu(h->csum));
		return -EILSEQ;
	}

	return v->check ? v->check(bm, b, data) : 0;
}

/* ---- life ---- */

int pd_bm_create(struct pd_block_io *io, struct pd_bm **result)
{
	struct pd_bm *bm = kzalloc(sizeof(*bm), GFP_NOIO);

	if (!bm) {
		io->ops->destroy(io);
		return -ENOMEM;
	}

	bm->io = io;
	xa_init(&bm->made[0]);
	xa_init(&bm->made[1]);
	init_rwsem(&bm->waiting);
	*result = bm;
	return 0;
}

void pd_bm_destroy(struct pd_bm *bm)
{
	bm->io->ops->destroy(bm->io);
	forget_all_made(bm);
	kfree(bm);
}

const char *pd_bm_name(const struct pd_bm *bm)
{
	return bm->io->name;
}

pd_block_t pd_bm_nr_blocks(const struct pd_bm *bm)
{
	return bm->io->ops->nr_blocks(bm->io);
}

void pd_bm_set_read_only(struct pd_bm *bm)
{
	WRITE_ONCE(bm->read_only, true);
}

void pd_bm_set_read_write(struct pd_bm *bm)
{
	WRITE_ONCE(bm->read_only, false);
}

bool pd_bm_is_read_only(const struct pd_bm *bm)
{
	return READ_ONCE(bm->read_only);
}

/* ---- blocks ---- */

static bool is_valid_number(struct pd_bm *bm, pd_block_t b)
{
	return b && b < pd_bm_nr_blocks(bm);
}

static int check_number(struct pd_bm *bm, pd_block_t b,
			const struct pd_validator *v)
{
	if (is_valid_number(bm, b))
		return 0;

	bm_err_limit(bm, "%s %llu: no such block: the device has %llu", v->name,
		     b, pd_bm_nr_blocks(bm));
	return -EINVAL;
}

static void set_type(struct pd_bm *bm, const struct pd_validator *v,
		     struct pd_buffer_aux *aux)
{
	aux->bm = bm;
	/* Sealing code that sees the validator sees the block manager. */
	smp_store_release(&aux->validator, v);
}

/* Is the buffer's content of type @v?  Remember it if so (I1). */
static int check_type(struct pd_bm *bm, pd_block_t b,
		      const struct pd_validator *v, const void *data,
		      struct pd_buffer_aux *aux)
{
	const struct pd_validator *known = READ_ONCE(aux->validator);
	int r;

	if (likely(known == v))
		return 0;

	if (known) {
		bm_err_limit(bm, "block %llu: wanted a %s, got a %s", b,
			     v->name, known->name);
		return -EILSEQ;
	}

	r = validate(bm, v, b, data);
	if (!r)
		r = check_seal(bm, b, v, data);
	if (!r)
		set_type(bm, v, aux);
	return r;
}

static int take_block(struct pd_bm *bm, pd_block_t b,
		      const struct pd_validator *v, struct pd_block *blk,
		      struct pd_buffer_aux *aux)
{
	int r = check_type(bm, b, v, blk->data, aux);

	if (r) {
		bm->io->ops->release(bm->io, blk->handle);
		return r;
	}

	blk->nr = b;
	blk->dirty = false;
	return 0;
}

int pd_bm_read(struct pd_bm *bm, pd_block_t b, const struct pd_validator *v,
	       struct pd_block *blk)
{
	struct pd_buffer_aux *aux;
	int r;

	r = check_number(bm, b, v);
	if (r)
		return r;

	r = bm->io->ops->read(bm->io, b, &blk->handle, &blk->data, &aux);
	if (r) {
		bm_err_limit(bm, "%s %llu: cannot read: error %d", v->name, b,
			     r);
		return r;
	}
	return take_block(bm, b, v, blk, aux);
}

int pd_bm_read_cached(struct pd_bm *bm, pd_block_t b,
		      const struct pd_validator *v, struct pd_block *blk)
{
	struct pd_buffer_aux *aux;
	int r;

	r = check_number(bm, b, v);
	if (!r)
		r = bm->io->ops->read_cached(bm->io, b, &blk->handle,
					     &blk->data, &aux);
	return r ? r : take_block(bm, b, v, blk, aux);
}

int pd_bm_write(struct pd_bm *bm, pd_block_t b, const struct pd_validator *v,
		struct pd_block *blk)
{
	int r;

	if (pd_bm_is_read_only(bm))
		return -EPERM;

	r = pd_bm_read(bm, b, v, blk);
	if (!r)
		blk->dirty = true;
	return r;
}

int pd_bm_write_zero(struct pd_bm *bm, pd_block_t b,
		     const struct pd_validator *v, struct pd_block *blk)
{
	struct pd_buffer_aux *aux;
	int r;

	if (pd_bm_is_read_only(bm))
		return -EPERM;

	r = check_number(bm, b, v);
	if (r)
		return r;

	r = note_made(bm, b);
	if (r)
		return r;
	r = bm->io->ops->get_new(bm->io, b, &blk->handle, &blk->data, &aux);
	if (r) {
		bm_err_limit(bm, "new %s %llu: no buffer: error %d", v->name, b,
			     r);
		return r;
	}

	memset(blk->data, 0, PD_BLOCK_SIZE);
	set_type(bm, v, aux);
	blk->nr = b;
	blk->dirty = true;
	return 0;
}

void pd_bm_release(struct pd_bm *bm, struct pd_block *blk)
{
	if (blk->dirty)
		bm->io->ops->mark_dirty(bm->io, blk->handle);	/* keeps I3 */
	bm->io->ops->release(bm->io, blk->handle);
	blk->handle = NULL;
	blk->data = NULL;
}

void pd_bm_prefetch(struct pd_bm *bm, pd_block_t b)
{
	if (is_valid_number(bm, b))
		bm->io->ops->read_ahead(bm->io, b);
}

int pd_bm_wait(struct pd_bm *bm, pd_block_t b)
{
	int r = -ENODEV;

	down_read(&bm->waiting);
	if (!bm->detached)
		r = is_valid_number(bm, b) ? bm->io->ops->wait(bm->io, b) :
					     -EINVAL;
	up_read(&bm->waiting);
	return r;
}

int pd_bm_flush(struct pd_bm *bm)
{
	int r;

	if (pd_bm_is_read_only(bm))
		return -EPERM;

	r = bm->io->ops->write_dirty(bm->io);
	if (r)
		bm_err(bm, "cannot write metadata: error %d", r);
	return r;
}

bool pd_bm_wants_stable_writes(const struct pd_bm *bm)
{
	const struct pd_block_io_ops *ops = bm->io->ops;

	return ops->wants_stable_writes && ops->wants_stable_writes(bm->io);
}

int pd_bm_drop(struct pd_bm *bm)
{
	int r;

	forget_all_made(bm);
	down_write(&bm->waiting);
	r = bm->io->ops->drop(bm->io);
	up_write(&bm->waiting);
	return r;
}

int pd_bm_detach(struct pd_bm *bm)
{
	down_write(&bm->waiting);
	bm->detached = true;
	up_write(&bm->waiting);
	return pd_bm_drop(bm);
}

/* ---- block 0 ---- */

int pd_bm_read_super(struct pd_bm *bm, const struct pd_validator *v, void *data)
{
	int r;

	r = bm->io->ops->read_super(bm->io, data);
	if (r) {
		bm_err(bm, "cannot read block 0: error %d", r);
		return r;
	}

	return v ? validate(bm, v, 0, data) : 0;
}

int pd_bm_write_super(struct pd_bm *bm, const struct pd_validator *v,
		      void *data)
{
	int r;

	if (pd_bm_is_read_only(bm))
		return -EPERM;

	seal_block(v, 0, data);
	r = bm->io->ops->write_super(bm->io, data);
	if (r)
		bm_err(bm, "cannot write block 0: error %d", r);
	return r;
}
