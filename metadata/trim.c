// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Free data blocks are held in steps, to be discarded on the data device.
 *
 *   bitmaps ─► free in the bitmap, untouched since the last durable commit, not
 *              held ─► held: a write finds others ─► discarded ─► released
 *
 * I1  A block is held only if a write could get it at that moment: it is free in
 *     the open transaction, in the one that is being committed, and in the last
 *     durable one.  So nothing that a crash or an abort brings back needs what it
 *     contains.
 * I2  A step looks at a few bitmaps and lists a bounded number of runs, whatever
 *     the size of the pool.
 *
 * Context: metadata lock, for writing; reading ahead: for reading.
 * Crash: holds are in memory only.
 */
#include "metadata/trim.h"

#include <linux/minmax.h>

/* Data blocks that a step looks at: under the lock, some 0.1 ms. */
#define LOOKED_AT	(8 * PD_ENTRIES_PER_BITMAP)

void thinx_trim_read_ahead(struct thinx_md *md, thinx_dblock_t begin,
			   struct pd_ahead *missing)
{
	pd_sm_read_ahead(md->data_sm, begin, begin + LOOKED_AT, missing);
}

static void add_run(void *context, pd_block_t begin, pd_block_t end)
{
	struct thinx_md_free *f = context;
	struct thinx_md_run *run = &f->runs[f->nr];

	f->nr_held += end - begin;
	if (f->nr && run[-1].end == begin) {
		run[-1].end = end;
		return;
	}
	run->begin = begin;
	run->end = end;
	f->nr++;
}

int thinx_trim_hold(struct thinx_md *md, struct thinx_md_free *f)
{
	struct pd_sm *sm = md->data_sm;
	pd_block_t nr_blocks = pd_sm_nr_blocks(sm), end;
	int r = 0;
	u32 i;

	f->nr = 0;
	f->nr_held = 0;
	f->done = f->begin >= nr_blocks;
	if (f->done)
		return 0;
	end = f->begin + min_t(u64, LOOKED_AT, nr_blocks - f->begin);
	/* Each block may be a run of its own. */
	while (!r && f->begin < end && f->nr_held < f->max &&
	       f->nr < THINX_MD_RUN_MAX)
		r = pd_sm_hold_free(sm, &f->begin, end,
				    min_t(u64, f->max - f->nr_held,
					  THINX_MD_RUN_MAX - f->nr),
				    add_run, f);
	f->done = f->begin == nr_blocks;
	if (!r)
		return 0;
	for (i = 0; i < f->nr; i++)
		pd_sm_unhold(sm, f->runs[i].begin, f->runs[i].end);
	f->nr = 0;
	f->nr_held = 0;
	return r;
}
