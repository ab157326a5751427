// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Overlay entries; see space-map-overlay.h.
 *
 * A delta is a two's-complement number of three bits, one in each word of
 * delta.  A carry is a word too: the blocks that carry.
 *
 *   delta[0] ^= mask, carry ─► delta[1] ^= carry, carry ─► delta[2] ^= carry
 *
 * Rejected: eight bits a delta: as many bytes as blocks, and no operation for
 * all of them at once.
 */
#include "space-map-overlay.h"

#include "include/thinx-memory.h"
#include "space-map-bitmap.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/slab.h>

/* What three bits can hold. */
#define SMALLEST	-4
#define LARGEST		3

struct pd_sm_word *pd_sm_word_make(struct xarray *overlay, pd_block_t b,
				   bool *made)
{
	struct pd_sm_word *w = pd_sm_word_of(overlay, b);

	*made = false;
	if (w)
		return w;
	w = thinx_zalloc(sizeof(*w));
	if (!w)
		return NULL;
	if (thinx_xa_store(overlay, b / PD_SM_WORD_BLOCKS, w)) {
		kfree(w);
		return NULL;
	}
	*made = true;
	return w;
}

/* ---- deltas ---- */

s64 pd_sm_word_delta(const struct pd_sm_word *w, u32 n)
{
	if (w->wide)
		return w->wide[n];
	return (s64)(w->delta[0] >> n & 1) + 2 * (s64)(w->delta[1] >> n & 1) -
	       4 * (s64)(w->delta[2] >> n & 1);
}

u64 pd_sm_word_changed(const struct pd_sm_word *w)
{
	u64 mask = 0;
	u32 n;

	if (!w->wide)
		return w->delta[0] | w->delta[1] | w->delta[2];
	for (n = 0; n < PD_SM_WORD_BLOCKS; n++)
		if (w->wide[n])
			mask |= BIT_ULL(n);
	return mask;
}

static int widen(struct pd_sm_word *w)
{
	s32 *wide = thinx_alloc(PD_SM_WORD_BLOCKS * sizeof(*wide));
	u32 n;

	if (!wide)
		return -ENOMEM;
	for (n = 0; n < PD_SM_WORD_BLOCKS; n++)
		wide[n] = pd_sm_word_delta(w, n);
	w->wide = wide;
	return 0;
}

int pd_sm_word_make_room(struct pd_sm_word *w, u32 n, int step)
{
	s64 delta = pd_sm_word_delta(w, n) + step;

	if (delta != (s32)delta)
		return -EOVERFLOW;
	if (w->wide || (delta >= SMALLEST && delta <= LARGEST))
		return 0;
	return widen(w);
}

static void add_wide(struct pd_sm_word *w, u64 mask, int step)
{
	for (; mask; mask &= mask - 1)
		w->wide[__ffs64(mask)] += step;
}

void pd_sm_word_add(struct pd_sm_word *w, u64 mask, int step)
{
	u64 carry = mask, flip = step < 0 ? ~0ULL : 0;
	u32 k;

	if (w->wide) {
		add_wide(w, mask, step);
		return;
	}
	/* Down: the borrow goes on where the bit was clear. */
	for (k = 0; k < 3; k++) {
		u64 old = w->delta[k];

		w->delta[k] ^= carry;
		carry &= old ^ flip;
	}
}

void pd_sm_word_clear(struct pd_sm_word *w, u64 mask)
{
	u32 k;

	for (k = 0; k < 3; k++)
		w->delta[k] &= ~mask;
	if (!w->wide)
		return;
	for (; mask; mask &= mask - 1)
		w->wide[__ffs64(mask)] = 0;
}

void pd_sm_word_sum(const struct pd_sm_word *w,
		    const struct pd_bitmap_word *base, u64 sum[3])
{
	const u64 *d = w->delta;
	u64 carry;

	sum[0] = base->low ^ d[0];
	carry = base->low & d[0];
	sum[1] = base->high ^ d[1] ^ carry;
	carry = (base->high & d[1]) | (carry & (base->high ^ d[1]));
	sum[2] = d[2] ^ carry;
}

u32 pd_sm_next_run(u64 *mask, u32 *n)
{
	u64 rest, end;

	*n = __ffs64(*mask);
	/* Adding one to the run carries to the first bit behind it. */
	rest = *mask & (*mask + BIT_ULL(*n));
	end = *mask + BIT_ULL(*n);
	*mask = rest;
	return (end ? __ffs64(end) : PD_SM_WORD_BLOCKS) - *n;
}

/* ---- the end of a transaction ---- */

void pd_sm_word_forget(struct xarray *overlay, pd_block_t b)
{
	struct pd_sm_word *w = xa_erase(overlay, b / PD_SM_WORD_BLOCKS);

	if (!w)
		return;
	kfree(w->wide);
	kfree(w);
}

void pd_sm_overlay_empty(struct xarray *overlay)
{
	struct pd_sm_word *w;
	unsigned long index;

	xa_for_each(overlay, index, w) {
		pd_sm_word_forget(overlay, (u64)index * PD_SM_WORD_BLOCKS);
		cond_resched();
	}
}
