// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A block store in memory: a cache of buffers above a device (an image).  It can
 * be shaken and made to fail, and records what is done to the device.
 *
 * I1  A buffer reaches the device only through write_buf(), which seals it
 *     and records the event.
 * I2  A failed write is reported by the next write_dirty.  If it was an early
 *     one, the buffer still counts as clean and may be evicted, as in dm-bufio.
 * I3  At most PD_MAX_HELD_BUFFERS buffers may be held.
 *
 * Context: any thread; one mutex around everything.
 */
#include "stores.h"

#include "include/pd-format.h"
#include "persistent-data/block-manager.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ram_buf {
	pd_block_t nr;
	unsigned int nr_holders;
	bool dirty;
	struct pd_buffer_aux aux;
	unsigned char data[PD_BLOCK_SIZE];
};

struct ram_store {
	struct pd_block_io io;
	pthread_mutex_t lock;

	struct ram_image *dev;
	struct ram_buf **bufs;		/* by block number */
	pd_block_t *cached;		/* numbers of cached blocks, any order */
	size_t nr_cached, max_cached;

	unsigned int nr_held, max_held;
	bool early_error;
	unsigned int rng, one_in;
	unsigned long nr_ops[RAM_NR_OPS];
	unsigned long fail_from[RAM_NR_OPS], fail_to[RAM_NR_OPS];

	bool recording;
	struct ram_event *events;
	size_t nr_events, max_events;
};

static struct ram_store *to_ram(struct pd_block_io *io)
{
	return (struct ram_store *)((char *)io - offsetof(struct ram_store, io));
}

static void insist(bool what)
{
	if (!what)
		abort();
}

static void *must(void *p)
{
	insist(p);
	return p;
}

static struct ram_store *lock(struct pd_block_io *io)
{
	struct ram_store *s = to_ram(io);

	pthread_mutex_lock(&s->lock);
	return s;
}

static void unlock(struct ram_store *s)
{
	pthread_mutex_unlock(&s->lock);
}

/* ---- the device ---- */

static bool op_fails(struct ram_store *s, enum ram_op op)
{
	unsigned long n = s->nr_ops[op]++;

	return n >= s->fail_from[op] && n < s->fail_to[op];
}

static void record(struct ram_store *s, enum ram_event_kind kind,
		   pd_block_t b, const void *data)
{
	struct ram_event *e;

	if (!s->recording)
		return;
	if (s->nr_events == s->max_events) {
		s->max_events = s->max_events * 2 + 64;
		s->events = must(realloc(s->events,
					 s->max_events * sizeof(*s->events)));
	}
	e = &s->events[s->nr_events++];
	e->kind = kind;
	e->block = b;
	e->data = data ? memcpy(must(malloc(PD_BLOCK_SIZE)), data,
				PD_BLOCK_SIZE) : NULL;
}

static void forget_events(struct ram_store *s)
{
	size_t i;

	for (i = 0; i < s->nr_events; i++)
		free((void *)s->events[i].data);
	s->nr_events = 0;
}

static int dev_write(struct ram_store *s, enum ram_event_kind kind,
		     pd_block_t b, const void *data)
{
	if (op_fails(s, RAM_OP_WRITE))
		return -EIO;
	ram_image_write(s->dev, b, data);
	record(s, kind, b, data);
	return 0;
}

/* ---- the cache ---- */

static int write_buf(struct ram_store *s, struct ram_buf *buf)
{
	int r;

	pd_block_io_prepare(&buf->aux, buf->nr, buf->data);
	r = dev_write(s, RAM_WRITE, buf->nr, buf->data);
	if (!r)
		buf->dirty = false;
	return r;
}

static void free_cached(struct ram_store *s, size_t i)
{
	struct ram_buf *buf = s->bufs[s->cached[i]];

	s->bufs[buf->nr] = NULL;
	s->cached[i] = s->cached[--s->nr_cached];
	free(buf);
}

static unsigned int rnd(struct ram_store *s)
{
	s->rng = s->rng * 1664525 + 1013904223;
	return s->rng >> 8;
}

/* Do what the kernel might do at any time. */
static void shake(struct ram_store *s)
{
	struct ram_buf *buf;
	size_t i;

	if (!s->one_in || !s->nr_cached || rnd(s) % s->one_in)
		return;
	i = rnd(s) % s->nr_cached;
	buf = s->bufs[s->cached[i]];
	if (buf->dirty && write_buf(s, buf)) {
		s->early_error = true;
		buf->dirty = false;
	} else if (!buf->dirty && !buf->nr_holders)
		free_cached(s, i);
}

static struct ram_buf *add_buf(struct ram_store *s, pd_block_t b)
{
	struct ram_buf *buf = must(malloc(sizeof(*buf)));

	memset(buf, 0, offsetof(struct ram_buf, data));
	memset(buf->data, 0xdb, PD_BLOCK_SIZE);
	buf->nr = b;
	if (s->nr_cached == s->max_cached) {
		s->max_cached = s->max_cached * 2 + 64;
		s->cached = must(realloc(s->cached,
					 s->max_cached * sizeof(*s->cached)));
	}
	s->cached[s->nr_cached++] = b;
	s->bufs[b] = buf;
	return buf;
}

static void hold(struct ram_store *s, struct ram_buf *buf, void **handle,
		 void **data, struct pd_buffer_aux **aux)
{
	buf->nr_holders++;
	s->nr_held++;
	insist(s->nr_held <= PD_MAX_HELD_BUFFERS);
	if (s->nr_held > s->max_held)
		s->max_held = s->nr_held;
	*handle = buf;
	*data = buf->data;
	*aux = &buf->aux;
}

/* ---- operations ---- */

static pd_block_t ram_nr_blocks(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	pd_block_t n = s->dev->nr_blocks;

	unlock(s);
	return n;
}

static int ram_read(struct pd_block_io *io, pd_block_t b, void **handle,
		    void **data, struct pd_buffer_aux **aux)
{
	struct ram_store *s = lock(io);
	struct ram_buf *buf;
	int r = 0;

	insist(b && b < s->dev->nr_blocks);
	shake(s);
	buf = s->bufs[b];
	if (!buf) {
		if (op_fails(s, RAM_OP_READ)) {
			r = -EIO;
			goto out;
		}
		buf = add_buf(s, b);
		memcpy(buf->data, ram_image_read(s->dev, b), PD_BLOCK_SIZE);
	}
	hold(s, buf, handle, data, aux);
out:
	unlock(s);
	return r;
}

static int ram_read_cached(struct pd_block_io *io, pd_block_t b, void **handle,
			   void **data, struct pd_buffer_aux **aux)
{
	struct ram_store *s = lock(io);
	int r = -EAGAIN;

	insist(b && b < s->dev->nr_blocks);
	shake(s);
	if (s->bufs[b]) {
		hold(s, s->bufs[b], handle, data, aux);
		r = 0;
	}
	unlock(s);
	return r;
}

static int ram_get_new(struct pd_block_io *io, pd_block_t b, void **handle,
		       void **data, struct pd_buffer_aux **aux)
{
	struct ram_store *s = lock(io);
	struct ram_buf *buf;

	insist(b && b < s->dev->nr_blocks);
	shake(s);
	buf = s->bufs[b];
	if (!buf)
		buf = add_buf(s, b);
	hold(s, buf, handle, data, aux);
	unlock(s);
	return 0;
}

static void ram_release(struct pd_block_io *io, void *handle)
{
	struct ram_store *s = lock(io);
	struct ram_buf *buf = handle;

	insist(buf->nr_holders);
	buf->nr_holders--;
	s->nr_held--;
	shake(s);
	unlock(s);
}

static void ram_mark_dirty(struct pd_block_io *io, void *handle)
{
	struct ram_store *s = lock(io);
	struct ram_buf *buf = handle;

	insist(buf->nr_holders);
	buf->dirty = true;
	unlock(s);
}

static void ram_read_ahead(struct pd_block_io *io, pd_block_t b)
{
	struct ram_store *s = lock(io);

	insist(b && b < s->dev->nr_blocks);
	if (!s->bufs[b] && !op_fails(s, RAM_OP_READ))
		memcpy(add_buf(s, b)->data, ram_image_read(s->dev, b),
		       PD_BLOCK_SIZE);
	unlock(s);
}

static int ram_wait(struct pd_block_io *io, pd_block_t b)
{
	struct ram_store *s = lock(io);
	int r = 0;

	insist(b && b < s->dev->nr_blocks);
	if (!s->bufs[b]) {
		if (op_fails(s, RAM_OP_READ))
			r = -EIO;
		else
			memcpy(add_buf(s, b)->data, ram_image_read(s->dev, b),
			       PD_BLOCK_SIZE);
	}
	unlock(s);
	return r;
}

static int ram_write_dirty(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	int r = s->early_error ? -EIO : 0;
	size_t i;

	s->early_error = false;
	for (i = 0; i < s->nr_cached; i++) {
		struct ram_buf *buf = s->bufs[s->cached[i]];

		if (buf->dirty && write_buf(s, buf))
			r = -EIO;
	}
	if (op_fails(s, RAM_OP_FLUSH))
		r = -EIO;
	else
		record(s, RAM_FLUSH, 0, NULL);
	unlock(s);
	return r;
}

static int ram_read_super(struct pd_block_io *io, void *data)
{
	struct ram_store *s = lock(io);
	int r = 0;

	if (!s->dev->nr_blocks || op_fails(s, RAM_OP_READ))
		r = -EIO;
	else
		memcpy(data, ram_image_read(s->dev, 0), PD_BLOCK_SIZE);
	unlock(s);
	return r;
}

static int ram_write_super(struct pd_block_io *io, const void *data)
{
	struct ram_store *s = lock(io);
	int r;

	r = dev_write(s, RAM_SUPER, 0, data);
	unlock(s);
	return r;
}

static int ram_drop(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);

	insist(!s->nr_held);
	s->early_error = false;
	while (s->nr_cached)
		free_cached(s, 0);
	unlock(s);
	return 0;
}

static void ram_destroy(struct pd_block_io *io)
{
	struct ram_store *s = to_ram(io);

	insist(!s->nr_held);
	while (s->nr_cached)
		free_cached(s, 0);
	forget_events(s);
	free(s->events);
	free(s->cached);
	free(s->bufs);
	ram_image_destroy(s->dev);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct pd_block_io_ops ram_ops = {
	.nr_blocks = ram_nr_blocks,
	.read = ram_read,
	.read_cached = ram_read_cached,
	.get_new = ram_get_new,
	.release = ram_release,
	.mark_dirty = ram_mark_dirty,
	.read_ahead = ram_read_ahead,
	.wait = ram_wait,
	.write_dirty = ram_write_dirty,
	.read_super = ram_read_super,
	.write_super = ram_write_super,
	.drop = ram_drop,
	.destroy = ram_destroy,
};

/* ---- for tests ---- */

static struct pd_block_io *create(struct ram_image *dev)
{
	struct ram_store *s = must(calloc(1, sizeof(*s)));
	int op;

	s->io.ops = &ram_ops;
	s->io.name = "ram";
	s->dev = dev;
	s->bufs = must(calloc(dev->nr_blocks + 1, sizeof(*s->bufs)));
	for (op = 0; op < RAM_NR_OPS; op++)
		ram_store_fail(&s->io, op, -1, false);
	pthread_mutex_init(&s->lock, NULL);
	return &s->io;
}

struct pd_block_io *ram_store_create(pd_block_t nr_blocks)
{
	return create(ram_image_create(nr_blocks));
}

struct pd_block_io *ram_store_open(const struct ram_image *img)
{
	return create(ram_image_copy(img));
}

struct ram_image *ram_store_image(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	struct ram_image *img = ram_image_copy(s->dev);

	unlock(s);
	return img;
}

void ram_store_peek(struct pd_block_io *io, pd_block_t b, void *data)
{
	struct ram_store *s = lock(io);

	memcpy(data, ram_image_read(s->dev, b), PD_BLOCK_SIZE);
	unlock(s);
}

void ram_store_poke(struct pd_block_io *io, pd_block_t b, const void *data)
{
	struct ram_store *s = lock(io);

	ram_image_write(s->dev, b, data);
	unlock(s);
}

void ram_store_grow(struct pd_block_io *io, pd_block_t nr_blocks)
{
	struct ram_store *s = lock(io);
	pd_block_t old = s->dev->nr_blocks;

	insist(nr_blocks >= old);
	s->bufs = must(realloc(s->bufs, (nr_blocks + 1) * sizeof(*s->bufs)));
	memset(s->bufs + old, 0, (nr_blocks + 1 - old) * sizeof(*s->bufs));
	s->dev->blocks = must(realloc(s->dev->blocks, (nr_blocks + 1) *
				      sizeof(*s->dev->blocks)));
	memset(s->dev->blocks + old, 0,
	       (nr_blocks + 1 - old) * sizeof(*s->dev->blocks));
	s->dev->nr_blocks = nr_blocks;
	unlock(s);
}

void ram_store_evict(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	size_t i;

	for (i = s->nr_cached; i--;) {
		struct ram_buf *buf = s->bufs[s->cached[i]];

		if (!buf->dirty && !buf->nr_holders)
			free_cached(s, i);
	}
	unlock(s);
}

void ram_store_shake(struct pd_block_io *io, unsigned int seed,
		     unsigned int one_in)
{
	struct ram_store *s = lock(io);

	s->rng = seed;
	s->one_in = one_in;
	unlock(s);
}

void ram_store_fail(struct pd_block_io *io, enum ram_op op, long n,
		    bool and_later)
{
	struct ram_store *s = lock(io);

	s->fail_from[op] = n < 0 ? ~0ul : s->nr_ops[op] + n;
	s->fail_to[op] = n < 0 || and_later ? ~0ul : s->fail_from[op] + 1;
	unlock(s);
}

unsigned long ram_store_nr_ops(struct pd_block_io *io, enum ram_op op)
{
	struct ram_store *s = lock(io);
	unsigned long n = s->nr_ops[op];

	unlock(s);
	return n;
}

unsigned int ram_store_max_held(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	unsigned int n = s->max_held;

	unlock(s);
	return n;
}

void ram_store_record(struct pd_block_io *io, bool on)
{
	struct ram_store *s = lock(io);

	if (on)
		forget_events(s);
	s->recording = on;
	unlock(s);
}

size_t ram_store_nr_events(struct pd_block_io *io)
{
	struct ram_store *s = lock(io);
	size_t n = s->nr_events;

	unlock(s);
	return n;
}

const struct ram_event *ram_store_event(struct pd_block_io *io, size_t i)
{
	struct ram_store *s = lock(io);
	const struct ram_event *e;

	insist(i < s->nr_events);
	e = &s->events[i];
	unlock(s);
	return e;
}
