/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Memory for what has to go on when there is none.
 *
 * Memory often comes back by writing: swapped pages, dirty pages of a file
 * system.  Such a write to a new block needs a little memory itself, in the
 * worker of a volume and, with the metadata lock held, for the change.  If that
 * waited for memory, both would wait for ever.  So who needs some there tries
 * like anybody else and then takes what the kernel keeps for those who give
 * memory back.
 *
 * I1  That is some hundred bytes for each 64 neighbouring blocks that change,
 *     freed by the commit that comes within a second, or sooner if the
 *     transaction is heavy.  A transaction that is heavy because it scatters can
 *     use up the reserve of a small machine: then who needs more waits after all.
 * I2  Discards, which give no memory back, take nothing from the reserve.
 */
#ifndef THINX_MEMORY_H
#define THINX_MEMORY_H

#include <linux/slab.h>
#include <linux/xarray.h>

/* To look for memory, but not to wait for it. */
#define THINX_GFP_TRY (GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

/* What is kept in reserve, too. */
#define THINX_GFP_RESERVE (GFP_NOIO | __GFP_MEMALLOC)

/**
 * thinx_alloc() - allocate @size bytes, at most a page
 * @size: bytes
 *
 * Context: May sleep, but does not wait for I/O that others have to start.
 * Return: memory, to be freed with kfree(), or NULL.
 */
static inline void *__must_check thinx_alloc(size_t size)
{
	void *p = kmalloc(size, THINX_GFP_TRY);

	return p ?: kmalloc(size, THINX_GFP_RESERVE);
}

/** thinx_zalloc() - the same, zeroed */
static inline void *__must_check thinx_zalloc(size_t size)
{
	void *p = kzalloc(size, THINX_GFP_TRY);

	return p ?: kzalloc(size, THINX_GFP_RESERVE);
}

/**
 * thinx_xa_store() - store an entry that is not NULL
 * @xa: array
 * @index: where
 * @entry: what
 *
 * Context: As thinx_alloc().
 * Return: 0, -ENOMEM.
 */
static inline int __must_check thinx_xa_store(struct xarray *xa,
					      unsigned long index, void *entry)
{
	int r = xa_err(xa_store(xa, index, entry, THINX_GFP_TRY));

	if (r != -ENOMEM)
		return r;
	return xa_err(xa_store(xa, index, entry, THINX_GFP_RESERVE));
}

#endif /* THINX_MEMORY_H */
