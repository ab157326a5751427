// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Life cycle of groups and updates.
 *
 * A group comes from kmalloc, or else from the plane's mempool; nobody waits
 * for either.  It keeps the plane busy from allocation to free.
 */
#include "data-path/group.h"

#include <linux/slab.h>

#include "include/thinx-memory.h"

size_t thinx_group_size(unsigned int nr)
{
	return offsetof(struct thinx_group, blocks) +
	       nr * sizeof(struct thinx_group_block);
}

struct thinx_group *thinx_group_alloc(struct thinx_volume *v, u32 nr)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_group *g;
	bool pooled = false;

	g = kmalloc(thinx_group_size(nr),
		    THINX_GFP_TRY);
	if (!g) {
		g = mempool_alloc(&plane->groups, GFP_NOWAIT);
		pooled = true;
	}
	if (!g)
		return NULL;
	g->volume = v;
	g->nr = nr;
	g->nr_waits = 0;
	g->pooled = pooled;
	atomic_set(&g->refs, 1);
	INIT_LIST_HEAD(&g->bios);
	thinx_plane_busy(plane);
	return g;
}

/* Asks nothing of the volume, which need not be there any more. */
static void free_group(struct thinx_group *g, struct thinx_plane *plane)
{
	if (g->pooled)
		mempool_free(g, &plane->groups);
	else
		kfree(g);
	thinx_plane_idle(plane);
}

void thinx_group_free_unused(struct thinx_group *g)
{
	free_group(g, g->volume->plane);
}

void thinx_group_put(struct thinx_group *g)
{
	struct thinx_plane *plane = g->volume->plane;

	if (!atomic_dec_and_test(&g->refs))
		return;
	thinx_volume_unlock_range(g->volume, &g->range);
	free_group(g, plane);
}

static void add_update(struct thinx_volume *v, struct thinx_update *u,
		       struct list_head *list)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	list_add_tail(&u->list, list);
	thinx_volume_kick(v);
	spin_unlock_irqrestore(&v->lock, flags);
}

void thinx_update_part_done(struct thinx_update *u, blk_status_t status)
{
	struct thinx_volume *v = u->group->volume;

	if (status)
		WRITE_ONCE(u->status, status);
	/* Orders the status before the worker reads it. */
	if (atomic_dec_and_test(&u->pending))
		add_update(v, u, &v->prepared);
}

void thinx_update_copied(struct thinx_update *u)
{
	struct thinx_volume *v = u->group->volume;

	add_update(v, u, &v->copied);
}
