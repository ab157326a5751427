// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Copy on write for metadata blocks.
 *
 *   pd_tm_shadow(b):  allocated in the open transaction and count 1?
 *        yes ─► change it in place
 *        no  ─► new block, copy, b's count - 1
 *               (was it > 1? then b lives on: children gained a reference)
 *
 * I1  Which blocks are new is known from the metadata map's open overlay
 *     (pd_sm_is_new()), which starts empty when a transaction closes: blocks
 *     of the closed one are never changed in place again.
 *
 * Context: metadata lock, for writing where anything changes.
 * Crash: a block reachable from a superblock that was or will be written is
 * never overwritten: what is allocated was free in the completed and in the
 * closing transaction.
 */
#include "transaction-manager.h"

#include "block-manager.h"
#include "space-map-counts.h"
#include "space-map.h"

#include <linux/errno.h>
#include <linux/string.h>

/* ---- blocks ---- */

int pd_tm_new_block(struct pd_tm *tm, const struct pd_validator *v,
		    struct pd_block *blk)
{
	pd_block_t b;
	int r;

	/* Before anything is allocated: a read-only device stays as it is. */
	if (pd_bm_is_read_only(tm->bm))
		return -EPERM;

	r = pd_sm_alloc(tm->sm, &b);
	if (r)
		return r;

	return pd_bm_write_zero(tm->bm, b, v, blk);
}

static int copy_block(struct pd_tm *tm, pd_block_t orig,
		      const struct pd_validator *v, struct pd_block *blk)
{
	struct pd_block from;
	int r;

	/* First, so that a bad block costs no allocation. */
	r = pd_bm_read(tm->bm, orig, v, &from);
	if (r)
		return r;

	r = pd_tm_new_block(tm, v, blk);
	if (!r)
		memcpy(blk->data, from.data, PD_BLOCK_SIZE);
	pd_bm_release(tm->bm, &from);
	return r;
}

int pd_tm_shadow(struct pd_tm *tm, pd_block_t orig,
		 const struct pd_validator *v, struct pd_block *blk,
		 bool *inc_children)
{
	u32 count;
	int r;

	r = pd_sm_get_small_count(tm->sm, orig, &count);
	if (r)
		return r;

	if (!count) {
		bm_err_limit(tm->bm, "%s %llu: in use, but its count is 0",
			     v->name, orig);
		return -EINVAL;
	}

	*inc_children = false;
	if (count == 1 && pd_sm_is_new(tm->sm, orig))
		return pd_bm_write(tm->bm, orig, v, blk);

	r = copy_block(tm, orig, v, blk);
	if (r)
		return r;

	r = pd_sm_dec(tm->sm, orig, orig + 1);
	if (r) {
		pd_bm_release(tm->bm, blk);
		return r;
	}
	*inc_children = count > 1;
	return 0;
}

/* ---- counts ---- */

int pd_tm_inc(struct pd_tm *tm, pd_block_t b)
{
	return pd_sm_inc(tm->sm, b, b + 1);
}

int pd_tm_dec(struct pd_tm *tm, pd_block_t b)
{
	return pd_sm_dec(tm->sm, b, b + 1);
}

int pd_tm_is_shared(struct pd_tm *tm, pd_block_t b, bool *shared)
{
	return pd_sm_is_shared(tm->sm, b, shared);
}

int pd_tm_get_count(struct pd_tm *tm, pd_block_t b, u32 *count)
{
	return pd_sm_get_count(tm->sm, b, count);
}
