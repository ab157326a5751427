// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A transaction manager with its metadata space map, from opening to closing.
 *
 *   pd_tm_close():  counts into the bitmaps ─► index ─► root for the superblock
 *
 * Context: metadata lock, for writing where anything changes.
 */
#include "transaction.h"

#include "block-manager.h"
#include "space-map-counts.h"
#include "space-map-metadata.h"

#include <linux/errno.h>
#include <linux/slab.h>

static struct pd_tm *init_tm(struct pd_bm *bm)
{
	struct pd_tm *tm = kzalloc(sizeof(*tm), GFP_NOIO);

	if (tm)
		tm->bm = bm;
	return tm;
}

void pd_tm_destroy(struct pd_tm *tm)
{
	if (!tm)
		return;
	pd_sm_destroy(tm->sm);
	kfree(tm);
}

static int publish_or_destroy(struct pd_tm *tm, int r, struct pd_tm **result,
			      struct pd_sm **sm)
{
	if (r) {
		pd_tm_destroy(tm);
		return r;
	}
	*result = tm;
	*sm = tm->sm;
	return 0;
}

int pd_tm_create(struct pd_bm *bm, struct pd_tm **result, struct pd_sm **sm)
{
	struct pd_tm *tm = init_tm(bm);

	if (!tm)
		return -ENOMEM;
	return publish_or_destroy(tm, pd_sm_metadata_create(tm, &tm->sm), result, sm);
}

int pd_tm_open(struct pd_bm *bm, const void *sm_root, struct pd_tm **result,
	       struct pd_sm **sm)
{
	struct pd_tm *tm = init_tm(bm);

	if (!tm)
		return -ENOMEM;
	return publish_or_destroy(tm, pd_sm_metadata_open(tm, sm_root, &tm->sm), result,
		       sm);
}

int pd_tm_close(struct pd_tm *tm, void *sm_root)
{
	int r;

	if (pd_bm_is_read_only(tm->bm))
		return -EPERM;

	r = pd_sm_metadata_close(tm->sm, sm_root);
	if (!r)
		pd_bm_close(tm->bm);
	return r;
}

void pd_tm_complete(struct pd_tm *tm)
{
	pd_sm_complete(tm->sm);
	pd_bm_complete(tm->bm);
}
