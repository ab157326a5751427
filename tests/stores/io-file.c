// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A block store on a plain file.  All blocks ever touched stay in memory;
 * dirty ones are written by write_dirty.
 *
 * Context: any thread; one mutex around everything.
 */
#include "stores.h"

#include "include/pd-format.h"
#include "persistent-data/block-manager.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_buf {
	pd_block_t nr;
	unsigned int nr_holders;
	bool dirty;
	struct pd_buffer_aux aux;
	unsigned char data[PD_BLOCK_SIZE];
};

struct file_store {
	struct pd_block_io io;
	pthread_mutex_t lock;
	int fd;
	pd_block_t nr_blocks;
	struct file_buf **bufs;		/* by block number */
};

static struct file_store *to_file(struct pd_block_io *io)
{
	return (struct file_store *)((char *)io -
				     offsetof(struct file_store, io));
}

static struct file_store *lock(struct pd_block_io *io)
{
	struct file_store *s = to_file(io);

	pthread_mutex_lock(&s->lock);
	return s;
}

static int unlock(struct file_store *s, int r)
{
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int pread_block(struct file_store *s, pd_block_t b, void *data)
{
	return pread(s->fd, data, PD_BLOCK_SIZE, b * PD_BLOCK_SIZE) ==
	       PD_BLOCK_SIZE ? 0 : -EIO;
}

static int pwrite_block(struct file_store *s, pd_block_t b, const void *data)
{
	return pwrite(s->fd, data, PD_BLOCK_SIZE, b * PD_BLOCK_SIZE) ==
	       PD_BLOCK_SIZE ? 0 : -EIO;
}

static int get(struct file_store *s, pd_block_t b, bool fresh, void **handle,
	       void **data, struct pd_buffer_aux **aux)
{
	struct file_buf *buf = s->bufs[b];

	if (!buf) {
		buf = calloc(1, sizeof(*buf));
		if (!buf)
			return -ENOMEM;
		buf->nr = b;
		if (!fresh && pread_block(s, b, buf->data)) {
			free(buf);
			return -EIO;
		}
		s->bufs[b] = buf;
	}
	buf->nr_holders++;
	*handle = buf;
	*data = buf->data;
	*aux = &buf->aux;
	return 0;
}

static pd_block_t file_nr_blocks(struct pd_block_io *io)
{
	return to_file(io)->nr_blocks;
}

static int file_read(struct pd_block_io *io, pd_block_t b, void **handle,
		     void **data, struct pd_buffer_aux **aux)
{
	struct file_store *s = lock(io);

	return unlock(s, get(s, b, false, handle, data, aux));
}

static int file_read_cached(struct pd_block_io *io, pd_block_t b,
			    void **handle, void **data,
			    struct pd_buffer_aux **aux)
{
	struct file_store *s = lock(io);

	return unlock(s, s->bufs[b] ? get(s, b, false, handle, data, aux) :
				      -EAGAIN);
}

static int file_get_new(struct pd_block_io *io, pd_block_t b, void **handle,
			void **data, struct pd_buffer_aux **aux)
{
	struct file_store *s = lock(io);

	return unlock(s, get(s, b, true, handle, data, aux));
}

static void file_release(struct pd_block_io *io, void *handle)
{
	struct file_store *s = lock(io);
	struct file_buf *buf = handle;

	if (!buf->nr_holders--)
		abort();
	unlock(s, 0);
}

static void file_mark_dirty(struct pd_block_io *io, void *handle)
{
	struct file_store *s = lock(io);
	struct file_buf *buf = handle;

	buf->dirty = true;
	unlock(s, 0);
}

static void file_read_ahead(struct pd_block_io *io, pd_block_t b)
{
}

static int file_wait(struct pd_block_io *io, pd_block_t b)
{
	struct pd_buffer_aux *aux;
	void *handle, *data;
	int r = file_read(io, b, &handle, &data, &aux);

	if (!r)
		file_release(io, handle);
	return r;
}

static int file_write_dirty(struct pd_block_io *io)
{
	struct file_store *s = lock(io);
	pd_block_t b;
	int r = 0;

	for (b = 0; b < s->nr_blocks; b++) {
		struct file_buf *buf = s->bufs[b];

		if (!buf || !buf->dirty)
			continue;
		pd_block_io_prepare(&buf->aux, b, buf->data);
		if (pwrite_block(s, b, buf->data))
			r = -EIO;
		else
			buf->dirty = false;
	}
	if (!r && fdatasync(s->fd))
		r = -EIO;
	return unlock(s, r);
}

static int file_read_super(struct pd_block_io *io, void *data)
{
	return pread_block(to_file(io), 0, data);
}

static int file_write_super(struct pd_block_io *io, const void *data)
{
	struct file_store *s = to_file(io);
	int r = pwrite_block(s, 0, data);

	return !r && fdatasync(s->fd) ? -EIO : r;
}

static int file_drop(struct pd_block_io *io)
{
	struct file_store *s = lock(io);
	pd_block_t b;

	for (b = 0; b < s->nr_blocks; b++) {
		if (s->bufs[b] && s->bufs[b]->nr_holders)
			abort();
		free(s->bufs[b]);
		s->bufs[b] = NULL;
	}
	return unlock(s, 0);
}

static void file_destroy(struct pd_block_io *io)
{
	struct file_store *s = to_file(io);

	file_drop(io);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s->bufs);
	free(s);
}

static const struct pd_block_io_ops file_ops = {
	.nr_blocks = file_nr_blocks,
	.read = file_read,
	.read_cached = file_read_cached,
	.get_new = file_get_new,
	.release = file_release,
	.mark_dirty = file_mark_dirty,
	.read_ahead = file_read_ahead,
	.wait = file_wait,
	.write_dirty = file_write_dirty,
	.read_super = file_read_super,
	.write_super = file_write_super,
	.drop = file_drop,
	.destroy = file_destroy,
};

int file_store_open(const char *path, struct pd_block_io **result)
{
	struct file_store *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (!s)
		return -ENOMEM;
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		r = -errno;
		goto err_free;
	}
	s->nr_blocks = st.st_size / PD_BLOCK_SIZE;
	s->bufs = calloc(s->nr_blocks + 1, sizeof(*s->bufs));
	if (!s->bufs) {
		r = -ENOMEM;
		goto err_free;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->io.ops = &file_ops;
	s->io.name = "file";
	*result = &s->io;
	return 0;

err_free:
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return r;
}
